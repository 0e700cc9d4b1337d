//! The vocabulary of the OCI image and distribution specifications 1.1.
//!
//! Everything here is a value: a string from outside becomes one of these types once, at the door,
//! and nothing behind the door checks again. No I/O, no async, no knowledge of storage or HTTP
//! beyond the status numbers of the error codes.

#![warn(missing_docs)]

mod descriptor;
mod digest;
mod digester;
mod document;
mod error_code;
pub mod fields;
mod manifest;
mod manifest_error;
mod media_type;
mod name;
mod push;
mod reference;
mod referred;
mod referrers;
#[cfg(test)]
mod samples;
mod saved;
mod spelling;
mod tag;
mod text;

pub use descriptor::{Descriptor, Platform};
pub use digest::{Algorithm, Digest, DigestError, Hex};
pub use digester::Digester;
pub use error_code::ErrorCode;
pub use manifest::{Manifest, Role};
pub use manifest_error::ManifestError;
pub use media_type::ManifestType;
pub use name::{NameError, RepositoryName};
pub use reference::{Reference, ReferenceError};
pub use referred::Referred;
pub use referrers::{Referrer, Referrers};
pub use tag::{Tag, TagError};
