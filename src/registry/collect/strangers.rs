//! Signs that another program's registry writes to a store which is collected beside this one: it knows nothing of the
//! collection, and would lose what it takes.
//!
//! It is a fuse and no proof. What is seen is an upload session with a hash of its first bytes (`hashstates`), which Distribution
//! writes when it has received a part and this registry never does, begun since this registry began. Not seen are sessions whose
//! first part still arrives, what is over before anybody looks, and a registry to which nobody pushes.
//! (Another registry of this kind is seen for certain where the filesystem knows locks: it shares the store's.)

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use oci::RepositoryName;
use storage::{Driver, Error, Folder, UploadId};

/// What Distribution leaves in a session.
const HASHES: &str = "hashstates";

/// How often it is looked, at most: before a batch is removed.
const PACE: Duration = Duration::from_secs(2);

/// Where to look, and since when.
#[derive(Debug)]
pub(crate) struct Strangers {
    names: Vec<RepositoryName>,
    since: SystemTime,
    last: Mutex<Option<Instant>>,
}

/// Why a collection does not go on.
#[derive(Debug, thiserror::Error)]
#[error(
    "another program's registry writes to this storage (`{0}` is an upload of its): stop it, or collect with the registry stopped"
)]
pub(crate) struct Seen(String);

impl Strangers {
    /// Looks into these repositories for what was written since.
    pub(crate) fn new(names: Vec<RepositoryName>, since: SystemTime) -> Self {
        Self { names, since, last: Mutex::new(None) }
    }

    /// Looks, unless that was done a moment ago; says what it has seen.
    pub(crate) async fn look<D: Driver>(&self, store: &D) -> Result<Option<Seen>, Error> {
        if !self.is_due() {
            return Ok(None);
        }
        for name in &self.names {
            for id in children(store, Folder::Uploads(name)).await? {
                let Ok(id) = id.parse::<UploadId>() else { continue };
                let session = Folder::Upload(name, &id);
                let has_hashes = children(store, session).await?.iter().any(|it| it == HASHES);
                if has_hashes && self.is_new(store, session).await? {
                    return Ok(Some(Seen(session.to_string())));
                }
            }
        }
        Ok(None)
    }

    fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= PACE);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }

    /// Whether it was made since; one that is gone by now proves nothing.
    async fn is_new<D: Driver>(&self, store: &D, session: Folder<'_>) -> Result<bool, Error> {
        match store.changed(session).await {
            Ok(time) => Ok(time.is_some_and(|time| time >= self.since)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

async fn children<D: Driver>(store: &D, folder: Folder<'_>) -> Result<Vec<String>, Error> {
    match store.list(folder).await {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
