//! regctl from outside: the real binary, its exit codes, its output, and what is on disk afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics"
)]

mod api;
mod auth;
mod check_config;
mod cleanup;
mod cli;
mod clients;
mod collect;
mod diff_config;
mod documents;
mod events;
mod faults;
mod garbage_collect;
mod init;
mod instance_toml;
mod instance_toml_auth;
mod instance_toml_gitlab;
mod instance_toml_good;
mod instance_toml_network;
mod instance_toml_outside;
mod instance_toml_values;
mod interop;
mod live;
mod log;
mod migrate_storage;
mod quota;
mod reconfigure;
mod redis;
mod registry;
mod run;
mod s3;
mod services;
mod set_readonly;
mod show_config;
mod soak;
mod supervise;
mod support;
mod tidy;
mod tls;
mod user;
mod verify;
