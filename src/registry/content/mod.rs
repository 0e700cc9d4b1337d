//! The door: every act that makes a digest reachable, or promises that it exists, passes through here.
//!
//! [`Content`] alone holds the storage. Upload commits, mounts, a `200` for a blob, manifest and tag
//! writes and all deletes take the locks of what they touch, in one order, and do their writes in the
//! order that leaves only garbage behind when the power goes: blob, link, revision, tag. What has begun
//! to write runs to its end, whether or not the client is still there.

mod blob;
mod catalog;
mod condition;
mod error;
mod kept;
mod leases;
mod link;
mod locks;
mod manifest;
mod purge;
mod referrers;
mod session;
mod tag;
mod upload;
mod writes;

use std::{sync::Arc, time::Duration};

use oci::RepositoryName;
use storage::{Backend, Driver, Folder};
use tokio::sync::Semaphore;

pub(crate) use blob::{Blob, Sources, blob_path};
pub(crate) use condition::{Condition, Versions};
pub(crate) use error::{BodyError, Error};
pub(crate) use leases::Held;
pub(crate) use manifest::{Needs, Push, Pushed, StoredManifest};
pub(crate) use purge::{Purge, before};
pub(crate) use referrers::Listing;
pub(crate) use storage::{Chunks, Kind as StorageKind, Object, UploadId};
pub(crate) use upload::{Position, Session};
pub(crate) use writes::{Quiet, Writing};

use leases::Leases;
use locks::Locks;
use referrers::LISTS;
use session::Sessions;
use writes::Writes;

/// The content of a registry. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    backend: Backend,
    locks: Locks,
    leases: Leases,
    /// Whose referrers are being changed; taken before any of `locks`.
    subjects: Locks,
    /// Permits to have a list of referrers in memory.
    lists: Semaphore,
    sessions: Sessions,
    writes: Writes,
}

impl Content {
    /// Opens the storage. Promises hold for a `lease`.
    pub(crate) fn open(config: &storage::Config, lease: Duration) -> Result<Self, storage::Error> {
        let backend = Backend::open(config)?;
        let (locks, subjects, sessions, writes) = Default::default();
        let leases = Leases::new(lease);
        let lists = Semaphore::new(LISTS);
        let shared = Shared { backend, locks, subjects, leases, lists, sessions, writes };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What was promised lately.
    pub(crate) fn leases(&self) -> Held {
        self.shared.leases.held()
    }

    fn backend(&self) -> &Backend {
        &self.shared.backend
    }

    /// Whether there is such a repository.
    async fn has_repository(&self, repository: &RepositoryName) -> Result<bool, Error> {
        let backend = self.backend();
        Ok(backend.folder_exists(Folder::Manifests(repository)).await?
            || backend.folder_exists(Folder::Layers(repository)).await?)
    }

    /// Makes the folders that upstream's catalog and collector take for granted.
    ///
    /// Distribution 2.8 finds repositories by `_layers`, 3 by `_manifests`; 2.8's collector gives up
    /// on a repository without `tags`, 3's on one without `_layers`.
    async fn make_repository(&self, repository: &RepositoryName) -> Result<(), Error> {
        self.backend().create_folder(Folder::Layers(repository)).await?;
        self.backend().create_folder(Folder::Tags(repository)).await?;
        Ok(())
    }
}
