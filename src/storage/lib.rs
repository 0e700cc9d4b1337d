//! Where a registry's bytes live.

#![warn(missing_docs)]

mod backend;
mod batches;
mod buffer;
mod bulk;
mod caches;
mod collected;
mod config;
mod driver;
mod error;
mod filesystem;
mod inmemory;
mod key;
mod names;
mod object;
mod outlet;
mod probe;
mod quarantine;
mod reader;
#[cfg(feature = "s3")]
mod remote;
#[cfg(feature = "s3")]
mod s3;
#[path = "s3/options.rs"]
mod s3_options;
mod socket;
mod staged;
mod survey;
mod tenure;
mod transfer;
mod writer;

pub use backend::{Backend, Strays, Wish};
pub use bulk::{Bulk, Disposal, Item, KeptRun, Reason, Removed, Restored};
pub use collected::{Alone, Collected};
pub use config::{Config, Filesystem as FilesystemConfig};
pub use driver::{Driver, Entry, Stat};
pub use error::{Error, Kind};
pub use filesystem::{Access, Filesystem};
pub use inmemory::InMemory;
pub use key::{Folder, Key, UploadId, UploadIdError};
pub use object::{Chunks, Object};
pub use outlet::{Outlet, Unsent};
pub use probe::{Probe, Refused, Step as ProbeStep, probe};
pub use quarantine::{RunId, RunIdError};
#[cfg(feature = "s3")]
pub use s3::S3;
pub use s3_options::{S3Config, S3Credentials, S3Encryption};
pub use socket::Socket;
pub use staged::Staged;
pub use survey::{Found, Listed, Page, Part, Place, Survey};
pub use tenure::Tenure;
pub use transfer::{NotPut, Workplace};
pub use writer::Writer;
