//! A server that serves is asked, watched, switched, reloaded and stopped, over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "the files of a test are read and written by nobody else"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod admin;
mod authority;
mod changes;
mod client;
mod collection;
mod debug;
mod drain;
mod events;
mod health;
mod limits;
mod manifests;
mod numbers;
mod passed;
mod proxy;
mod pulls;
mod pusher;
mod receiver;
mod redirect;
mod redis;
mod redis_server;
mod referrers;
mod repairs;
mod schema1;
mod sendfile;
mod sending;
mod server;
mod tags;
mod tls;
mod uploads;
mod upstream;
mod validation;
