//! regctl from outside: the real binary, its exit codes, its output, and what is on disk afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics"
)]

mod check_config;
mod cli;
mod documents;
mod init;
mod instance_toml;
mod registry;
mod run;
mod support;
mod tidy;
