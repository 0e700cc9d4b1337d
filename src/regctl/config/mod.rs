//! `instance.toml`: the one file a person edits, from text to a typed [`Instance`].
//!
//! Three passes. The text becomes a tree with spans ([`source`]); the tree is walked against the key table
//! ([`table`], [`walk`]) into checked settings; settings that agree with each other become an [`Instance`]
//! ([`parse`]). Each pass adds its [`Problem`]s to one list, so that all of them are reported at once.

mod duplicate;
pub(crate) mod instance;
mod kind;
pub(crate) mod load;
mod nearest;
mod parse;
mod problem;
mod settings;
mod source;
pub mod table;
mod values;
mod walk;

pub(crate) use instance::Instance;
pub(crate) use parse::{Parsed, parse};
pub(crate) use problem::{Invalid, Problem};
