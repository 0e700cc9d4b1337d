//! Docker's schema 1, the image manifest of 2014: one document for one tag, signed.
//!
//! A layer has an entry in `history` beside it, JSON in a string, whose `id` and `parent` make a chain.
//! What is stored is the payload, the document without signatures, under its own digest; [`sign`] makes a
//! signature for each answer. [`pushed`] is the door for a push, and [`convert`] makes such a manifest of
//! a Docker image of schema 2. No I/O but for the file of the key, no HTTP.

mod base64url;
mod convert;
mod document;
mod json;
mod jws;
mod key;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use convert::{Converted, EMPTY_LAYER, convert};
pub(crate) use jws::sign;
pub(crate) use sign::OwnKey;
#[cfg(test)]
use sign::SigningKey;
pub use sign::UnusableKey;
pub(crate) use verify::{Pushed, pushed};
