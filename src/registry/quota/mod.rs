//! Quotas: how much groups of repositories may hold, and how far that is used.
//!
//! What a quota is of are the blobs and manifests that its repositories have links to, each once, and their bytes. Which these are stands in
//! a record on the local disk (`record` the file, `entry` its bytes, `book` their sum), so that nobody walks the store to
//! know it. A digest is written down before its link is made, and synced: what was acknowledged counts, whatever ends this process. What
//! is written down and not linked after all is given back, or counts too much until somebody counts (`count`): whoever has
//! read all links anyway replaces the record.
//!
//! Deletes are not followed: a link that goes counts until then.

mod book;
mod count;
mod entry;
mod ledger;
mod record;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{config, size::size};
pub use count::Count;
pub(crate) use ledger::Limit;
use ledger::{Hold, Ledger};

/// The quotas that are in force.
#[derive(Debug, Default)]
pub(crate) struct Quotas(RwLock<Vec<Arc<Ledger>>>);

/// Those of them that are for one repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applying(Vec<Arc<Ledger>>);

/// What a link takes of all quotas that it is for. Dropped before it is settled, it is given back.
#[derive(Debug, Default)]
pub(crate) struct Reserved(Vec<Hold>);

/// How far a quota is used.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fill {
    /// The wildcards of the repositories that it is for.
    pub repositories: String,
    /// The limit, in bytes.
    pub max_size: u64,
    /// Bytes that count.
    pub used: u64,
    /// When all links were counted last, in seconds since 1970; null: never, or the record is damaged, so that it may be more.
    pub counted: Option<u64>,
    /// What is wrong with its record.
    pub problem: Option<String>,
}

/// Why a link is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Full(Full),
    #[error("the record of a quota, {path}, cannot be used", path = path.display())]
    Record { path: PathBuf, source: io::Error },
}

/// A quota has no room.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the quota of `{repositories}` has no room: {} of {} are used, and this needs {} more",
    size(*used), size(*max_size), size(*asked)
)]
pub(crate) struct Full {
    pub(crate) repositories: String,
    pub(crate) max_size: u64,
    pub(crate) used: u64,
    pub(crate) asked: u64,
}

impl Quotas {
    /// Has these quotas from now on. Records of others are removed: they would miss what is linked from now on.
    pub(crate) fn set(&self, quotas: Option<&config::Quotas>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *held);
        let ledger = |folder: &PathBuf, quota: &config::Quota| {
            let is_it = |ledger: &&Arc<Ledger>| ledger.is_of(folder, quota);
            let ledger = before.iter().find(is_it).map(Arc::clone);
            let ledger = ledger.unwrap_or_else(|| Arc::new(Ledger::open(folder, quota)));
            ledger.set_limit(quota.max_size);
            ledger
        };
        let next: Vec<_> = quotas.map_or_else(Vec::new, |config::Quotas { folder, limits }| {
            limits.iter().map(|quota| ledger(folder, quota)).collect()
        });
        for gone in before.iter().filter(|ledger| !next.iter().any(|it| Arc::ptr_eq(it, ledger))) {
            gone.close();
        }
        if let Some(quotas) = quotas
            && let Err(error) = record::remove_others(&quotas.folder, &quotas.limits)
        {
            let folder = quotas.folder.display();
            tracing::warn!(%folder, %error, "records of former quotas could not be removed");
        }
        *held = next;
    }

    /// The quotas that are for a repository.
    pub(crate) fn of(&self, repository: &str) -> Applying {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let applying = held.iter().filter(|ledger| ledger.quota().is_for(repository));
        Applying(applying.map(Arc::clone).collect())
    }

    /// How far they are used.
    pub(crate) fn fills(&self) -> Vec<Fill> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.iter().map(|ledger| ledger.fill()).collect()
    }
}

impl Applying {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes down that a digest is to be linked, in all of them or none. It may block.
    pub(crate) fn reserve(
        &self,
        digest: &Digest,
        bytes: u64,
        limit: Limit,
    ) -> Result<Reserved, Refused> {
        let mut reserved = Reserved::default();
        for ledger in &self.0 {
            reserved.0.push(ledger.reserve(digest, bytes, limit)?);
        }
        Ok(reserved)
    }
}

impl Reserved {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The link is there, or may be. It may block.
    pub(crate) fn settle(self) {
        self.0.into_iter().for_each(Hold::settle);
    }
}
