//! A collection beside the registry: it says what it takes for garbage, and here that is looked at again and removed.
//!
//! Each object is looked at while its digest's lock is held alone. Whoever was told of the digest has leased it before, or
//! comes later and finds it gone: nobody relies on something that goes. The protocol is a model in `tests/barrier`, which
//! looks at every interleaving. What the collection has to do with it: it asks for manifests before what they refer
//! to, and what a manifest refers to that is kept is kept, too.
//!
//! It needs that every promise is remembered: so it begins when this process is as old as a lease, nobody else uses the
//! store meanwhile, and no promise ends before it does.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use oci::Digest;
use storage::{Alone, Bulk, Disposal, Item, Reason, Removed};

use super::{
    Content, Error, Writing,
    locks::{Mode, Subject},
};
use crate::metrics::Outcome;

/// The one collection that runs beside a registry, from its beginning until it is dropped.
#[derive(Debug)]
pub(crate) struct Collection {
    content: Content,
    _alone: Alone,
    _only: Only,
}

/// Lets the next collection begin when dropped, and has others forget what went, if this one has begun.
#[derive(Debug)]
struct Only {
    content: Content,
    has_begun: bool,
}

/// How objects are removed.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) disposal: Disposal,
    /// What was written since stays.
    pub(crate) before: SystemTime,
}

/// Why no collection begins.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    #[error("another collection runs beside this registry")]
    Another,
    #[error(
        "this registry has been up for {} s, and who came before it was promised content for {} s: begin in {} s",
        up.as_secs(), lease.as_secs(), (*lease - *up).as_secs() + 1
    )]
    Young { up: Duration, lease: Duration },
    #[error("this registry is about to stop")]
    Ending,
    #[error(
        "this registry has another storage open than {0}, which is to be collected: run `regctl reconfigure`, or `regctl restart registry`, first"
    )]
    Elsewhere(String),
    #[error("the storage of this registry ends with it: there is nothing to collect")]
    InMemory,
    #[error(
        "others may use the bucket, and know nothing of a collection: run it without --online, or with --read-only"
    )]
    Bucket,
    #[error("another process uses the storage, and knows nothing of this collection")]
    Shared(#[source] storage::Error),
}

/// Why a collection cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Ended {
    #[error(
        "this registry is about to stop; run the collection again when its successor is as old as a lease"
    )]
    Ending,
    #[error("this registry has become read-only")]
    ReadOnly,
}

impl Content {
    /// Begins a collection beside this registry, of the store with this identity, which is called `place`.
    ///
    /// What one store's manifests need says nothing of another's: all that was to go there would go here.
    pub(crate) fn begin_collection(
        &self,
        identity: &str,
        place: &str,
    ) -> Result<Collection, NotBegun> {
        let store = self.backend().collected().ok_or(NotBegun::InMemory)?;
        if store.identity() != identity {
            return Err(NotBegun::Elsewhere(place.to_owned()));
        }
        if store.is_shared() {
            return Err(NotBegun::Bucket);
        }
        if *self.shared.is_ending.borrow() {
            return Err(NotBegun::Ending);
        }
        let (lease, up) = self.shared.leases.ages();
        if up < lease {
            return Err(NotBegun::Young { up, lease });
        }
        if self.shared.is_collected.swap(true, Ordering::AcqRel) {
            return Err(NotBegun::Another);
        }
        self.shared.leases.keep();
        let mut only = Only { content: self.clone(), has_begun: false };
        let alone = store.exclude_others().map_err(NotBegun::Shared)?;
        only.has_begun = true;
        self.shared.collections.begins();
        Ok(Collection { content: self.clone(), _alone: alone, _only: only })
    }
}

impl Collection {
    /// How long this registry has made promises.
    pub(crate) fn up(&self) -> Duration {
        self.content.shared.leases.ages().1
    }

    /// Which of these were promised to somebody.
    pub(crate) fn promised(&self, digests: &[Digest]) -> Vec<bool> {
        digests.iter().map(|digest| self.content.shared.leases.holds(digest)).collect()
    }

    /// Removes those objects that nobody was told of; the answers stand in the order of the objects.
    pub(crate) async fn remove(
        &self,
        items: Vec<Item>,
        terms: Terms,
    ) -> Result<Vec<Result<Removed, Error>>, Ended> {
        if *self.content.shared.is_ending.borrow() {
            return Err(Ended::Ending);
        }
        let writing = self.content.begin_write().ok_or(Ended::ReadOnly)?;
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            let terms = terms.clone();
            let removed =
                writing.shielded(|content| async move { content.take(item, &terms).await });
            let removed = removed.await;
            self.content.shared.collections.ends(match &removed {
                Ok(Removed::Gone | Removed::Vanished) => Outcome::Removed,
                Ok(Removed::Kept(_)) => Outcome::Kept,
                Err(_) => Outcome::Failed,
            });
            answers.push(removed);
        }
        Ok(answers)
    }

    /// Makes durable what was removed.
    pub(crate) async fn sync(&self) -> Result<(), Error> {
        match self.content.backend().collected() {
            Some(store) => Ok(store.sync().await?),
            None => Ok(()),
        }
    }
}

impl Writing {
    async fn take(&self, item: Item, terms: &Terms) -> Result<Removed, Error> {
        let Some(store) = self.backend().collected() else {
            return Ok(Removed::Kept(Reason::Served));
        };
        self.backend().touched.give_up();
        let (digest, tag) = match &item {
            Item::TagIndex(repository, tag, digest) => (*digest, Some((repository, tag))),
            Item::Revision(_, digest) | Item::Layer(_, digest) | Item::Blob(digest) => {
                (*digest, None)
            }
            // What makes a repository, or is still being made, is not garbage as long as somebody may push.
            Item::Tag(..) | Item::UploadStartedAt(..) | Item::Repository(_) => {
                return Ok(Removed::Kept(Reason::Served));
            }
        };
        let tag = tag.map(|(repository, tag)| (Subject::Tag(repository, tag), Mode::Exclusive));
        let subjects = [(Subject::Digest(&digest), Mode::Exclusive)].into_iter().chain(tag);
        let _locks = self.shared.locks.acquire_all(subjects).await;
        if self.shared.leases.holds(&digest) {
            return Ok(Removed::Kept(Reason::Promised));
        }
        for stat in store.stat(vec![item.clone()]).await? {
            match stat {
                Ok(stat) if stat.modified >= terms.before => {
                    return Ok(Removed::Kept(Reason::Young));
                }
                Ok(_) => {}
                // Its folder is still to go.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut removed = Removed::Vanished;
        for answer in store.remove(vec![item.clone()], terms.disposal.clone()).await? {
            removed = answer?;
        }
        if let Item::Revision(repository, digest) | Item::Layer(repository, digest) = &item {
            self.forget_elsewhere(repository, digest);
        }
        Ok(removed)
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        // Blobs have no repository by which they could be named.
        if let Some(redis) = self.content.redis().filter(|_| self.has_begun) {
            redis.forget_all();
        }
        self.content.shared.leases.let_go();
        self.content.shared.is_collected.store(false, Ordering::Release);
    }
}
