//! Verifies a store: every blob is hashed again, every link followed, and every tag looked at as if it were pulled; what can be
//! repaired without a loss is.
//!
//! [`Reader::read`] changes nothing, and may be at work while the store is served: `inventory` is what it holds, `manifests` what
//! those need, `hash` reads blobs, `decide` says what is wrong and is pure, and `again` looks at that once more, since the store
//! may have changed while it was read. `state` is what a run has read, so that one that was cut off goes on. A [`Mender`] has the
//! registry that serves make the repairs, or makes them by the same door where none does: [`Report::repair`].

mod again;
mod blame;
mod decide;
mod finding;
mod hash;
mod inventory;
mod manifests;
mod mender;
mod progress;
mod repair;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use storage::{Access, Bulk as _, Collected};

use crate::config::{Children, Config};
pub use crate::migrate::Pace;
use decide::{Bad, Rules, Seen, decide};
pub use finding::{Finding, Outcome, Verified, What};
use inventory::Inventory;
use manifests::Manifest;
pub use mender::{Mender, MenderError};
pub use progress::{Phase, Progress};
pub use state::{Sample, State, StateError};
pub(crate) use words::{Batch, BatchAnswer, PATH, mend};

/// Blobs that are read at once, where nobody says otherwise.
pub const AT_ONCE: usize = 4;

/// Most blobs that are read at once.
pub const MOST_AT_ONCE: usize = 64;

/// How a store is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Blobs that are read at once.
    pub at_once: NonZeroUsize,
    children: Children,
    is_cache: bool,
}

impl Options {
    /// As the registry of a configuration takes manifests.
    #[must_use]
    pub fn of(config: &Config, at_once: NonZeroUsize) -> Self {
        Self {
            at_once,
            children: config.validation.children.clone(),
            is_cache: config.proxy.is_some(),
        }
    }
}

/// Why nothing is known of a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ends with its process.
    #[error("the storage driver `inmemory` keeps nothing that could be verified")]
    Memory,
    /// Links are not the truth.
    #[error(
        "{0} belongs to a registry that keeps its metadata in a database (`lockfiles/database-in-use` is there): \
         only that registry knows what it needs"
    )]
    Database(String),
    /// It was told to stop.
    #[error("stopped before the end; the next run goes on from here")]
    Stopped,
    /// What was read cannot be written down.
    #[error(transparent)]
    State(#[from] StateError),
    /// The storage fails.
    #[error("the storage failed")]
    Storage(#[from] storage::Error),
}

/// What is known of a store.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Its repositories, sorted; blobs that none has stand at the end.
    pub repositories: Vec<Verified>,
    /// How many blobs it has.
    pub blobs: u64,
    /// How many of them this run has hashed.
    pub hashed: u64,
    /// How many bytes those have.
    pub hashed_bytes: u64,
    /// How many of them were hashed before, by a run that was cut off.
    pub hashed_before: u64,
    /// What could not be looked at.
    pub problems: Vec<String>,
    /// What no registry has put there; nothing is wrong with that.
    pub strangers: Vec<String>,
}

impl Report {
    /// Everything that is wrong.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.repositories.iter().flat_map(|repository| &repository.findings)
    }

    /// Whether something is wrong, still.
    #[must_use]
    pub fn is_left(&self) -> bool {
        !self.problems.is_empty() || self.findings().any(Finding::is_left)
    }

    /// Whether there is something that could be repaired.
    #[must_use]
    pub fn is_repairable(&self) -> bool {
        self.findings().any(|finding| finding.repairable)
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug)]
struct Stop<'a>(&'a AtomicBool);

impl Stop<'_> {
    fn check(self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Reads a store.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Collected,
}

impl Reader {
    /// Opens the storage of a configuration, beside whoever serves it; none if nothing was ever pushed.
    ///
    /// # Errors
    /// It cannot be opened, or its folders are not the truth about it.
    pub async fn open(config: &storage::Config) -> Result<Option<Self>, Error> {
        let store = match Collected::open_existing(config, Access::Look).await {
            Err(error) if error.is_not_found() => return Ok(None),
            opened => opened?.ok_or(Error::Memory)?,
        };
        match store.has_database().await? {
            true => Err(Error::Database(config.to_string())),
            false => Ok(Some(Self { store })),
        }
    }

    /// What tells the store from every other, as long as it is where it is.
    #[must_use]
    pub fn identity(&self) -> String {
        self.store.identity()
    }

    /// Reads it all, blobs as `state` says.
    ///
    /// # Errors
    /// The store cannot be listed at all, or it was told to stop.
    pub async fn read(
        &self,
        options: &Options,
        (state, pace): (&mut State, &Arc<Pace>),
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, Error> {
        let stop = Stop(stop);
        let mut inventory = Inventory::read(&self.store, stop, watch).await?;
        let manifests =
            manifests::read(&self.store, &mut inventory, &options.children, stop, watch).await?;
        let mut report = Report { blobs: inventory.sizes.len() as u64, ..Report::default() };
        let how = (options, pace, stop);
        let mut bad =
            hash::read(&self.store, (&inventory, &manifests), state, how, &mut report, watch)
                .await?;
        for (id, manifest) in &manifests {
            if *manifest == Manifest::Corrupt {
                bad.insert(*id, Bad::Corrupt);
            }
        }
        let rules =
            Rules { is_cache: options.is_cache, has_folders: self.store.folder().is_some() };
        let seen = Seen { inventory: &inventory, manifests: &manifests, bad: &bad, rules };
        report.repositories = decide(seen);
        (report.problems, report.strangers) = (inventory.problems, inventory.strangers);
        again::look(&self.store, &mut report, (pace, stop), watch).await?;
        Ok(report)
    }
}

type BadBlobs = HashMap<crate::digests::DigestId, Bad>;
