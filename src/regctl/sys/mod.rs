//! The operating system: files, folders, accounts, locks, programs, processes, sockets, randomness, time,
//! ports, limits, the host, and the async runtime.

pub(crate) mod account;
pub(crate) mod clock;
pub(crate) mod folder;
pub(crate) mod fs;
pub(crate) mod host;

pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod local;
pub(crate) mod lock;
pub(crate) mod managed;
pub(crate) mod owned;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod runtime;
pub(crate) mod scratch;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stage;
pub(crate) mod stdin;
pub(crate) mod stdout;
mod whoever;
pub(crate) mod worker;
