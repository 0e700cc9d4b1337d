//! A container registry on Docker Distribution's storage layout, as a library.
//!
//! It knows nothing of regctl. [`Config`] is Distribution's `config.yml`; [`Server`] serves it on a
//! [`Listener`] until told to stop.

#![warn(missing_docs)]

mod access;
mod api;
mod auth;
pub mod config;
mod content;
mod listener;
pub mod log;
mod purging;
mod route;
mod server;
mod upload;

pub use auth::Unusable as UnusableAuth;
pub use config::Config;
pub use listener::Listener;
pub use server::{OpenError, Server};

/// Readers of what clients send, for fuzzing.
#[doc(hidden)]
pub mod parse {
    pub use crate::{
        api::{ByteRanges, RangeError},
        upload::{ChunkRange, ChunkRangeError, Signer, State, StateError},
    };
}
