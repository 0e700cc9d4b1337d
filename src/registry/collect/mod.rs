//! Garbage collection: removes from a store what nothing in it needs.
//!
//! A collection is two steps with a value between them. [`Store::plan`] surveys the store, reads the links and manifests that decide
//! something, and marks; the [`Plan`] says what would go and can be printed. [`Store::sweep`] carries it out. Nothing serves the
//! store meanwhile, or what does is read-only.
//!
//! `survey` composes; `snapshot` is the store in memory, `references` what manifests refer to (`cache` remembers that), `mark` decides and
//! does no I/O, `plan` is what goes, `sweep` removes it, `quarantine` keeps it for a while.

mod begun;
mod cache;

mod leads;
mod line;
mod linked;
mod links;
mod mark;
mod note;
mod plan;
mod progress;
mod quarantine;
mod references;
mod served;
mod snapshot;
mod strangers;
mod survey;
mod sweep;
mod tagged;
#[cfg(test)]
mod tests;
mod usage;
mod wire;
pub(crate) mod words;

use std::{
    collections::HashSet,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use oci::Digest;
pub use oci::{RepositoryName, Tag};
use storage::{Bulk as _, Collected, Kind};

use crate::{
    config::Quota,
    quota::{Count, Fill},
};

pub use line::{Line, LineError};
pub use linked::Linked;
pub use mark::{Beside, Untagged};
pub use note::{Note, Notes};
pub use plan::{Counts, Empty, FoundCounts, Plan, Step};
pub use progress::{Phase, Progress};
pub(crate) use quarantine::index as quarantine_index;
pub use quarantine::{Expired, Quarantine};
use served::Served;
pub use storage::{Access, Disposal, Item, Restored, RunId, RunIdError};
use strangers::Strangers;
pub use sweep::Swept;
pub use tagged::{Inventory, Remembered, Repository as TaggedRepository, Tagged, Target};
pub use usage::{By, Row, Usage};
pub(crate) use wire::{Humming, Wire};

/// What is asked of a collection.
#[derive(Clone, Debug)]
pub struct Options {
    /// What becomes of manifests that no tag leads to.
    pub untagged: Untagged,
    /// What becomes of repositories that are empty then.
    pub empty: Empty,
    /// Who else changes the store.
    pub beside: Beside,
    /// Content that is younger than this stays; none while nobody can write.
    pub grace: Option<Duration>,
    /// Where to remember what manifests refer to.
    pub cache: Option<PathBuf>,
    /// Whose links are to be known when the collection ends.
    pub quotas: Vec<Quota>,
}

/// Where a storage on a filesystem itself has what manifests refer to, for collections without an instance.
#[must_use]
pub fn cache_in(root_directory: &Path) -> PathBuf {
    root_directory.join("docker/registry/v2/regctl/references")
}

/// A store that can be collected.
#[derive(Clone, Debug)]
pub struct Store {
    collected: Collected,
    /// Who serves it, and since when what is written stays; none where nobody does.
    served: Option<(Arc<Line>, SystemTime)>,
}

/// Why there is no collection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no storage.
    #[error("there is no storage at {0}: nothing was ever pushed, or the path is wrong")]
    Missing(String),
    /// Somebody uses it.
    #[error("{0} is in use: stop the registry that serves it, or the collection that is at work")]
    Busy(String, #[source] Option<storage::Error>),
    /// It ends with its process.
    #[error("the storage driver `inmemory` keeps nothing that could be collected")]
    Memory,
    /// Links are not the truth.
    #[error(
        "{0} belongs to a registry that keeps its metadata in a database (`lockfiles/database-in-use` is there): \
         only that registry knows what it needs"
    )]
    Database(String),
    /// Nothing says what the blobs are for.
    #[error(
        "the storage has {0} blobs and no repositories: all of them would go, so nothing is removed; look whether \
         `docker/registry/v2/repositories` was moved or is not mounted"
    )]
    NoRepositories(usize),
    /// There is no such quarantine.
    #[error("there is no quarantine of a run `{0}`")]
    NoRun(RunId),
    /// It was told to stop before it had removed, or brought back, anything.
    #[error("stopped before anything was changed; the next run does it")]
    Stopped,
    /// It was told to stop while quarantines were emptied, or one was brought back.
    #[error("stopped in the middle; the storage is whole, and the same command does the rest")]
    StoppedWithin,
    /// The registry lets no collection begin beside it.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The storage fails.
    #[error("the storage failed")]
    Storage(#[from] storage::Error),
}

impl Store {
    /// Opens the storage of a configuration.
    ///
    /// # Errors
    /// There is none, somebody else uses it, or its folders are not the truth about it.
    pub async fn open(config: &storage::Config, access: Access) -> Result<Self, Error> {
        let opened = Collected::open_existing(config, access).await;
        let opened = opened.map_err(|error| match error.kind() {
            Kind::NotFound => Error::Missing(config.to_string()),
            Kind::Busy => {
                // Of a folder nobody knows who.
                let who = matches!(config, storage::Config::S3(_)).then_some(error);
                Error::Busy(config.to_string(), who)
            }
            _ => error.into(),
        })?;
        let collected = opened.ok_or(Error::Memory)?;
        match collected.has_database().await? {
            true => Err(Error::Database(config.to_string())),
            false => Ok(Self { collected, served: None }),
        }
    }

    /// Opens the storage of the registry at the other end of a connection to an admin socket: nothing goes but by it, and
    /// nothing that is younger than the grace.
    ///
    /// # Errors
    /// As [`Store::open`]'s, or the registry lets no collection begin.
    pub async fn open_beside(
        config: &storage::Config,
        socket: UnixStream,
        grace: Duration,
    ) -> Result<Self, Error> {
        let store = Self::open(config, Access::Guest).await?;
        let line = Line::begin(socket, store.collected.identity(), config.to_string()).await?;
        let before = SystemTime::now().checked_sub(grace).unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self { served: Some((Arc::new(line), before)), ..store })
    }

    /// Lets others use what was opened for this process alone. Nothing is to be removed after that.
    pub async fn close(self) {
        self.collected.release().await;
    }

    /// Plans a collection; `leased` are digests that clients were promised.
    ///
    /// # Errors
    /// The store cannot be listed at all. What of it cannot be is in the plan's notes, and kept.
    pub async fn plan(
        &self,
        options: &Options,
        leased: &(dyn Fn(&Digest) -> bool + Sync),
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Plan, Error> {
        survey::plan(&self.collected, options, leased, watch).await
    }

    /// Reads the tags of the repositories that are wanted, with what they lead to and how old that is.
    ///
    /// # Errors
    /// The store cannot be listed at all.
    pub async fn tagged(
        &self,
        wanted: &(dyn Fn(&RepositoryName) -> bool + Sync),
        remembered: Remembered<'_>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Inventory, Error> {
        Ok(tagged::read(&self.collected, wanted, remembered, watch).await?)
    }

    /// Corrects the records of quotas by what a collection has left.
    pub async fn end_count(&self, count: Count, linked: &Linked) -> Vec<Fill> {
        linked::end(&self.collected, count, linked).await
    }

    /// Tells what takes the space, and what a collection would free; the records of quotas are corrected.
    ///
    /// # Errors
    /// The store cannot be listed at all.
    pub async fn usage(
        &self,
        by: By,
        remembered: Remembered<'_>,
        count: Count,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Usage, Error> {
        Ok(usage::read(&self.collected, by, remembered, count, watch).await?)
    }

    /// How many bytes a collection of untagged manifests would free if these tags were gone.
    ///
    /// # Errors
    /// The store fails.
    pub async fn freed(
        &self,
        inventory: Inventory,
        gone: &HashSet<(RepositoryName, Tag)>,
    ) -> Result<u64, Error> {
        Ok(tagged::freed(&self.collected, inventory, gone).await?)
    }

    /// Carries a plan out, until `stop` is set: the batch in hand is ended then, and the next collection does the rest.
    ///
    /// # Errors
    /// The store can no longer be used at all.
    pub async fn sweep(
        &self,
        plan: &Plan,
        disposal: &Disposal,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Swept, Error> {
        let store = self.collected.clone();
        let swept = match &self.served {
            None => sweep::sweep(&store, plan, disposal, stop, watch).await,
            Some((line, before)) => {
                let strangers = Strangers::new(plan.names().to_vec(), line.since());
                let line = Arc::clone(line);
                let served = Served { store, line, before: *before, strangers: strangers.into() };
                sweep::sweep(&served, plan, disposal, stop, watch).await
            }
        };
        Ok(swept?)
    }

    /// Makes a quarantine for what is swept next; it is kept for `age`.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn quarantine(&self, age: Duration) -> Result<RunId, Error> {
        Ok(quarantine::begin(&self.collected, SystemTime::now(), age).await?)
    }

    /// Empties the quarantines whose time is over.
    ///
    /// # Errors
    /// They cannot be listed or emptied.
    pub async fn expire(&self) -> Result<Expired, Error> {
        Ok(quarantine::expire(&self.collected, SystemTime::now()).await?)
    }

    /// Looks for the quarantine of a run.
    ///
    /// # Errors
    /// There is none, or they cannot be listed.
    pub async fn has_quarantine(&self, run: &RunId) -> Result<(), Error> {
        let is_there = quarantine::is_there(&self.collected, run).await?;
        if is_there { Ok(()) } else { Err(Error::NoRun(run.clone())) }
    }

    /// Brings back what a run has put into quarantine.
    ///
    /// # Errors
    /// There is no such run, or it cannot be brought back.
    pub async fn undo(&self, run: &RunId) -> Result<Restored, Error> {
        let restored = quarantine::undo(&self.collected, run).await?;
        restored.ok_or_else(|| Error::NoRun(run.clone()))
    }
}
