//! A server that serves is watched, switched, reloaded and stopped, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod admin;
mod client;
mod drain;
mod passed;
mod schema1;
mod sendfile;
mod server;
