//! The door: every act that makes a digest reachable, or promises that it exists, passes through here.
//!
//! [`Content`] alone holds the storage. Upload commits, mounts, a `200` for a blob, manifest and tag
//! writes and all deletes take the locks of what they touch, in one order, and do their writes in the
//! order that leaves only garbage behind when the power goes: blob, link, revision, tag. What has begun
//! to write runs to its end, whether or not the client is still there.

mod blob;
mod catalog;
mod change;
mod collection;
mod condition;
mod error;
mod immutable;
mod kept;
mod leases;
mod link;
mod lists;
mod locks;
mod manifest;
mod mend;
mod presence;
mod purge;
mod quota;
mod recent;
mod referrers;
mod session;
mod store;
mod tag;
mod touched;
mod upload;
mod writes;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use oci::{Digest, RepositoryName};
use storage::{Backend, Driver, Folder};
use tokio::sync::{Semaphore, watch};

pub(crate) use blob::{Blob, Sources, blob_path};
pub(crate) use change::TagChange;
pub(crate) use collection::{Collection, Ended, NotBegun, Terms};
pub(crate) use condition::{Condition, Versions};
pub(crate) use error::{BodyError, Error};
pub(crate) use kept::Question;
pub(crate) use leases::Held;
pub(crate) use manifest::{Needs, Push, Pushed, StoredManifest};
pub(crate) use mend::{Mend, Mended, leads_right};
pub(crate) use purge::{Purge, before};
pub(crate) use referrers::{Listing, read as read_referrers};
pub(crate) use storage::{
    Alone, Chunks, Disposal, Item, Kind as StorageKind, Object, Outlet, RunId, Socket, Unsent,
    UploadId,
};
pub(crate) use touched::Thing;
pub(crate) use upload::{Position, Session};
pub(crate) use writes::{Quiet, WriteNotBegun, Writing};

use crate::{
    metrics::{Actions, Collections},
    quota::Quotas,
    redis::Redis,
};
use leases::Leases;
use lists::Lists;
use locks::Locks;
use recent::Recent;
use referrers::LISTS;
use session::Sessions;
use store::Store;
use writes::Writes;

/// How many tags are read at once where the configuration does not say: enough to keep a bucket busy.
const TAG_READS: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

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
    /// How many tags are read at once to find those of a manifest.
    tag_reads: NonZeroUsize,
    sessions: Sessions,
    writes: Writes,
    lists: Lists,
    /// Which tags are set once.
    immutable: immutable::Rules,
    quotas: Quotas,
    /// None where the kernel keeps what was read.
    recent: Option<Recent>,
    /// Whether a collection runs beside this.
    is_collected: AtomicBool,
    collections: Collections,
    /// What other registries believe of this storage.
    redis: Option<Redis>,
    /// Whether the process is to end soon.
    is_ending: watch::Sender<bool>,
}

impl Content {
    /// Opens the storage. Promises hold for a `lease`; So many tags are read at once; `redis` is told what goes.
    pub(crate) fn open(
        config: &storage::Config,
        lease: Duration,
        tag_reads: Option<NonZeroUsize>,
        redis: Option<Redis>,
    ) -> Result<Self, storage::Error> {
        let store = Store::new(Backend::open(config)?);
        let (locks, subjects, sessions, writes, lists) = Default::default();
        let leases = Leases::new(lease);
        let recent = store.is_remote().then(Recent::default);
        let referrer_lists = Semaphore::new(LISTS);
        let is_ending = watch::Sender::new(false);
        let shared = Shared {
            store,
            locks,
            subjects,
            leases,
            referrer_lists,
            tag_reads: tag_reads.unwrap_or(TAG_READS),
            lists,
            immutable: immutable::Rules::default(),
            quotas: Quotas::default(),
            recent,
            sessions,
            writes,
            is_collected: AtomicBool::new(false),
            collections: Collections::default(),
            redis,
            is_ending,
        };
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

    /// What collections beside this registry did, and whether one runs.
    pub(crate) fn collections(&self) -> (&Collections, bool) {
        (&self.shared.collections, self.shared.is_collected.load(Ordering::Acquire))
    }

    /// What is told of deletes.
    pub(crate) fn redis(&self) -> Option<&Redis> {
        self.shared.redis.as_ref()
    }

    /// Has others forget what a repository may not have any more. The caller has deleted it, or found that it is gone.
    fn forget_elsewhere(&self, repository: &RepositoryName, digest: &Digest) {
        if let Some(redis) = self.redis() {
            redis.forget(repository, digest);
        }
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

    /// From now on nobody who sends nothing is waited for: the process is to end, and the next one to begin.
    pub(crate) fn end_soon(&self) {
        self.shared.is_ending.send_replace(true);
    }

    /// Waits until the process is to end soon.
    async fn is_ending(&self) {
        // The sender is alive as long as this.
        let _ = self.shared.is_ending.subscribe().wait_for(|is_ending| *is_ending).await;
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
