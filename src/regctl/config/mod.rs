//! `instance.toml`: the one file a person edits, from text to a typed [`Instance`].
//!
//! Four passes. The text becomes a tree with spans ([`source`]); the tree is walked against the key table
//! ([`table`], [`walk`]) into checked settings; what follows from them is filled in ([`derive`]); settings
//! that agree with each other ([`checks`]) become an [`Instance`] ([`build`]). Each pass adds its [`Problem`]s to one list, so that all of them are reported at once.

mod build;
mod checks;
mod composite;
mod derive;
mod duplicate;
pub(crate) mod edit;
mod effective;
pub(crate) mod health;
pub(crate) mod instance;
mod kind;
pub(crate) mod load;
pub(crate) mod middleware;
mod nearest;
pub(crate) mod notifications;
mod parse;
pub(crate) mod policy;
mod problem;
mod quota;
pub(crate) mod redis;
mod reference;
pub(crate) mod s3;
mod secret_files;
mod settings;
mod source;
pub mod table;
mod tables;
pub(crate) mod values;
pub(crate) mod vhost;
mod walk;
pub(crate) mod web_url;

pub(crate) use derive::default_settings;
pub(crate) use edit::SwapError;
pub(crate) use effective::{Effective, Secrets as ShownSecrets, effective, toml};
pub(crate) use instance::Instance;
pub(crate) use nearest::nearest;
pub(crate) use parse::{Parsed, parse};
pub(crate) use problem::{Invalid, Problem};
pub(crate) use reference::{KeyReference, SupportReference, TableReference, reference};
pub(crate) use settings::{Named, Origin};
