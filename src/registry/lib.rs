//! A container registry on Docker Distribution's storage layout, as a library.
//!
//! It knows nothing of regctl. [`Config`] is Distribution's `config.yml`; [`Server`] serves it on a
//! listener until told to stop.

#![warn(missing_docs)]

pub mod config;
pub mod log;

pub use config::Config;
