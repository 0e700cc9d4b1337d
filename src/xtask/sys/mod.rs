//! The machine below the chores: files, programs, processes and the terminal.

pub(crate) mod cargo;
pub(crate) mod file;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod terminal;
