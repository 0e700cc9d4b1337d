//! A container registry on Docker Distribution's storage layout, as a library.
//!
//! It knows nothing of regctl. [`Config`] is Distribution's `config.yml`; [`Server`] serves it on a
//! [`Listener`] until told to stop; [`Control`] is the handle on one that serves.

#![warn(missing_docs)]

mod access;
pub mod admin;
mod api;
mod auth;
pub mod changes;
pub mod collect;
pub mod config;
mod content;
mod control;
mod digests;
mod events;
mod glob;
mod health;
mod libtrust;
mod listener;
pub mod log;
mod metered;
mod metrics;
pub mod migrate;
mod outbound;
#[doc(hidden)]
pub mod parse;
mod proxy;
mod purging;
pub mod quota;
mod redirect;
mod redis;
mod route;
mod schema1;
mod server;
mod size;
mod statistics;
mod tls;
mod upload;
pub mod verify;

pub use auth::Unusable as UnusableAuth;
pub use config::Config;
pub use control::{Control, NotQuiet, ReloadError, Reloaded, Reloader, Switched};
pub use events::{CommandError as EventsError, EndpointStatistics, QueueError, Wish as EventsWish};
pub use glob::{Glob, NoGlob};
pub use listener::{Listener, Socket};
pub use redis::UnusableTls as UnusableRedisTls;
pub use schema1::UnusableKey as UnusableSigningKey;
pub use server::{OpenError, Server};
pub use size::size;
pub use statistics::Statistics;
