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
mod lists;
mod locks;
mod manifest;
mod purge;
mod referrers;
mod session;
mod store;
mod tag;
mod upload;
mod writes;

use std::{sync::Arc, time::Duration};

use oci::RepositoryName;
use storage::{Backend, Driver, Folder};
use tokio::sync::Semaphore;

use crate::metrics::Actions;

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
use lists::Lists;
use locks::Locks;
use referrers::LISTS;
use session::Sessions;
use store::Store;
use writes::Writes;

/// The content of a registry. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    locks: Locks,
    leases: Leases,
    /// Whose referrers are being changed; taken before any of `locks`.
    subjects: Locks,
    /// Permits to have a list of referrers in memory.
    referrer_lists: Semaphore,
    sessions: Sessions,
    writes: Writes,
    lists: Lists,
}

impl Content {
    /// Opens the storage. Promises hold for a `lease`.
    pub(crate) fn open(config: &storage::Config, lease: Duration) -> Result<Self, storage::Error> {
        let store = Store::new(Backend::open(config)?);
        let (locks, subjects, sessions, writes, lists) = Default::default();
        let leases = Leases::new(lease);
        let referrer_lists = Semaphore::new(LISTS);
        let shared =
            Shared { store, locks, subjects, leases, referrer_lists, lists, sessions, writes };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What was promised lately.
    pub(crate) fn leases(&self) -> Held {
        self.shared.leases.held()
    }

    /// Counts what the storage does, from now on.
    pub(crate) fn count_actions(&self) {
        self.backend().count();
    }

    /// What the storage did; none while it is not counted.
    pub(crate) fn actions(&self) -> Option<&Actions> {
        self.backend().actions()
    }

    /// Uploads that this process is receiving, or knows how to go on with.
    pub(crate) fn uploads_open(&self) -> usize {
        self.shared.sessions.open()
    }

    /// What the driver is called in a configuration.
    pub(crate) fn driver(&self) -> &'static str {
        self.backend().name()
    }

    /// Whether the storage says anything about its content, whatever that is.
    pub(crate) async fn answers(&self) -> Result<(), Error> {
        self.backend().folder_exists(Folder::Repositories).await?;
        Ok(())
    }

    fn backend(&self) -> &Store {
        &self.shared.store
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
