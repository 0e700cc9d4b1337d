//! A server that serves is watched, switched, reloaded and stopped, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod admin;
mod authority;
mod client;
mod debug;
mod drain;
mod health;
mod limits;
mod passed;
mod sendfile;
mod server;
mod tls;
