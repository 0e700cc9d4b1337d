//! Where a registry's bytes live.

#![warn(missing_docs)]

mod backend;
mod buffer;
mod caches;
mod config;
mod driver;
mod error;
mod filesystem;
mod inmemory;
mod key;
mod object;
mod outlet;
mod reader;
mod socket;
mod staged;
mod writer;

pub use backend::Backend;
pub use config::{Config, Filesystem as FilesystemConfig};
pub use driver::{Driver, Entry, Stat};
pub use error::{Error, Kind};
pub use filesystem::Filesystem;
pub use inmemory::InMemory;
pub use key::{Folder, Key, UploadId, UploadIdError};
pub use object::{Chunks, Object};
pub use outlet::{Outlet, Unsent};
pub use socket::Socket;
pub use staged::Staged;
pub use writer::Writer;
