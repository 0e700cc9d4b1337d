//! regctl runs a container registry the way `gitlab-ctl` runs GitLab: one binary, one `instance.toml`,
//! one command to apply it.
//!
//! Imports go down only: `commands` compose `reconfigure`, `supervise`, `collect`, `migrate` and `output`; these use `render`,
//! which uses `config` and `state`, which use `sys`. [`Secret`] and `certificate` are vocabulary that all
//! may use.

use std::{ffi::OsString, process::ExitCode};

mod certificate;
mod cleanup;
mod cli;
mod collect;
mod commands;
pub mod config;
mod exit;
mod migrate;
mod output;
mod reconfigure;
mod render;
mod secret;
mod state;
mod supervise;
mod sys;

pub use secret::Secret;

/// Runs the command line `arguments`, the program's own name first.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    cli::main(arguments).into()
}

/// The man pages, each with its file name, as they are generated from the command line's definition.
pub fn man_pages() -> Vec<(String, Vec<u8>)> {
    commands::man::generate(cli::command())
}

/// The completion scripts, each with its file name, as they are generated from the command line's
/// definition.
pub fn completion_scripts() -> Vec<(String, Vec<u8>)> {
    commands::completions::generate(cli::command())
}
