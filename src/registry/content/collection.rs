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
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use oci::Digest;
use storage::{Alone, Bulk, Collected, Disposal, Item, Reason, Removed};

use super::{
    Content, Error, Writing,
    locks::{Mode, Subject},
};
use crate::{log::told, metrics::Outcome};

/// How many objects of a bucket are removed at once, with the locks of all of them held: for as long as two requests take,
/// and these have a bound. Others wait for those few, and for what happens to share a lock with one of them.
const IN_A_BUCKET: usize = 64;

/// The one collection that runs beside a registry, from its beginning until it is dropped.
#[derive(Debug)]
pub(crate) struct Collection {
    content: Content,
    alone: Arc<Alone>,
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
    pub(crate) async fn begin_collection(
        &self,
        identity: &str,
        place: &str,
    ) -> Result<Collection, NotBegun> {
        let store = self.backend().collected().ok_or(NotBegun::InMemory)?;
        if store.identity() != identity {
            return Err(NotBegun::Elsewhere(place.to_owned()));
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
        let alone = Arc::new(store.exclude_others().await.map_err(NotBegun::Shared)?);
        only.has_begun = true;
        self.shared.collections.begins();
        Ok(Collection { content: self.clone(), alone, _only: only })
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
        let at_once = if self.content.backend().is_remote() { IN_A_BUCKET } else { 1 };
        for items in items.chunks(at_once) {
            let (some, terms) = (items.to_vec(), terms.clone());
            let alone = Arc::clone(&self.alone);
            let taken = writing.shielded(|content| async move {
                let taken = content.take(some, &terms, &alone).await;
                Ok(taken)
            });
            let taken = taken.await.unwrap_or_else(|error| all_failed(items, &error));
            for removed in &taken {
                self.content.shared.collections.ends(match removed {
                    Ok(Removed::Gone | Removed::Vanished) => Outcome::Removed,
                    Ok(Removed::Kept(_)) => Outcome::Kept,
                    Err(_) => Outcome::Failed,
                });
            }
            answers.extend(taken);
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

/// What is answered where nobody knows how far it came.
fn all_failed(
    items: &[Item],
    error: &(dyn std::error::Error + 'static),
) -> Vec<Result<Removed, Error>> {
    items.iter().map(|item| Err(failed(item, error))).collect()
}

/// The same failure for one of several objects, with its causes.
fn failed(item: &Item, error: &(dyn std::error::Error + 'static)) -> Error {
    storage::Error::io("remove", item, std::io::Error::other(told(error))).into()
}

/// By which digest an object is told of, and under which tag.
///
/// None: it makes a repository, or is still being made, and is not garbage as long as somebody may push.
fn named(item: &Item) -> Option<(&Digest, Option<Subject<'_>>)> {
    match item {
        Item::TagIndex(repository, tag, digest) => {
            Some((digest, Some(Subject::Tag(repository, tag))))
        }
        Item::Revision(_, digest) | Item::Layer(_, digest) | Item::Blob(digest) => {
            Some((digest, None))
        }
        Item::Tag(..) | Item::UploadStartedAt(..) | Item::Repository(_) => None,
    }
}

impl Writing {
    /// Removes those of some objects that nobody was told of, with the locks of all of them held. The answers stand in the
    /// order of the objects.
    async fn take(
        &self,
        items: Vec<Item>,
        terms: &Terms,
        alone: &Alone,
    ) -> Vec<Result<Removed, Error>> {
        self.backend().touched.give_up();
        let mut subjects = Vec::with_capacity(items.len());
        for (digest, tag) in items.iter().filter_map(named) {
            subjects.push((Subject::Digest(digest), Mode::Exclusive));
            subjects.extend(tag.map(|tag| (tag, Mode::Exclusive)));
        }
        let locks = self.shared.locks.acquire_all(subjects).await;
        let mut answers: Vec<Option<Result<Removed, Error>>> = items
            .iter()
            .map(|item| self.promised(item).map(|reason| Ok(Removed::Kept(reason))))
            .collect();
        let store = alone.store();
        self.keep_young(&store, &items, terms, &mut answers).await;
        let open = open(&items, &answers);
        let removed = store
            .remove(open.iter().map(|(_, item)| item.clone()).collect(), terms.disposal.clone());
        fill(&mut answers, &open, removed.await);
        if let Some(left) = alone.doubt() {
            // Before anybody else gets the locks: what may go at any time must not be relied on.
            self.backend().settle(left);
        }
        for (_, item) in &open {
            if let Item::Revision(repository, digest) | Item::Layer(repository, digest) = item {
                self.forget_elsewhere(repository, digest);
            }
        }
        drop(locks);
        answers.into_iter().map(|answer| answer.unwrap_or(Err(Error::Panicked))).collect()
    }

    /// Why an object stays, whatever the store says of it.
    fn promised(&self, item: &Item) -> Option<Reason> {
        let Some((digest, _)) = named(item) else { return Some(Reason::Served) };
        self.shared.leases.holds(digest).then_some(Reason::Promised)
    }

    /// Answers for those that were written lately, and those of which nobody knows.
    async fn keep_young(
        &self,
        store: &Collected,
        items: &[Item],
        terms: &Terms,
        answers: &mut [Option<Result<Removed, Error>>],
    ) {
        let open = open(items, answers);
        let asked = store.stat(open.iter().map(|(_, item)| item.clone()).collect()).await;
        let stats = match asked {
            Ok(stats) => stats,
            Err(error) => return fill(answers, &open, Err(error)),
        };
        for ((index, _), stat) in open.into_iter().zip(stats) {
            answers[index] = match stat {
                Ok(stat) if stat.modified >= terms.before => Some(Ok(Removed::Kept(Reason::Young))),
                Ok(_) => None,
                // Its folder is still to go.
                Err(error) if error.is_not_found() => None,
                Err(error) => Some(Err(error.into())),
            };
        }
    }
}

/// The objects without an answer, with their places.
fn open(items: &[Item], answers: &[Option<Result<Removed, Error>>]) -> Vec<(usize, Item)> {
    let all = items.iter().enumerate().zip(answers);
    let open = all.filter(|(_, answer)| answer.is_none());
    open.map(|((index, item), _)| (index, item.clone())).collect()
}

/// Answers for objects in what the store has said of them, or of all.
fn fill(
    answers: &mut [Option<Result<Removed, Error>>],
    open: &[(usize, Item)],
    said: Result<Vec<Result<Removed, storage::Error>>, storage::Error>,
) {
    match said {
        Ok(said) => {
            for ((index, _), removed) in open.iter().zip(said) {
                answers[*index] = Some(removed.map_err(Error::from));
            }
        }
        Err(error) => {
            for (index, item) in open {
                answers[*index] = Some(Err(failed(item, &error)));
            }
        }
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
