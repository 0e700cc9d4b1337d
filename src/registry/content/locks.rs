//! Locks by digest, by tag and by repository.
//!
//! A request takes all its locks at once and in one order, so no two can wait for each other. The
//! locks are striped: names that share a stripe wait for each other without need, and the memory is
//! bounded whatever is pushed.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, RandomState},
};

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

const STRIPES: usize = 4096;

/// What can be locked.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Subject<'a> {
    /// Whether the blob is there. Shared by all who rely on it.
    Digest(&'a Digest),
    /// What a tag points to.
    Tag(&'a RepositoryName, &'a Tag),
    /// Which tags point to which manifests. Shared by writers of single tags.
    Tags(&'a RepositoryName),
}

/// How a subject is locked. Exclusive wins where one request asks for both.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

pub(super) struct Locks {
    stripes: Box<[RwLock<()>]>,
    hasher: RandomState,
}

/// Held until dropped.
#[derive(Debug)]
pub(super) enum Guard<'a> {
    Shared { _guard: RwLockReadGuard<'a, ()> },
    Exclusive { _guard: RwLockWriteGuard<'a, ()> },
}

impl Default for Locks {
    fn default() -> Self {
        let stripes = (0..STRIPES).map(|_| RwLock::new(())).collect();
        Self { stripes, hasher: RandomState::new() }
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks").finish_non_exhaustive()
    }
}

impl Locks {
    /// One subject.
    pub(super) async fn acquire(&self, subject: Subject<'_>, mode: Mode) -> Guard<'_> {
        self.stripe(self.index(subject), mode).await
    }

    /// Several subjects, in the one order.
    pub(super) async fn acquire_all<'a>(
        &self,
        subjects: impl IntoIterator<Item = (Subject<'a>, Mode)>,
    ) -> Vec<Guard<'_>> {
        let mut wanted = BTreeMap::new();
        for (subject, mode) in subjects {
            let strongest = wanted.entry(self.index(subject)).or_insert(mode);
            *strongest = mode.max(*strongest);
        }
        let mut guards = Vec::with_capacity(wanted.len());
        for (index, mode) in wanted {
            guards.push(self.stripe(index, mode).await);
        }
        guards
    }

    async fn stripe(&self, index: usize, mode: Mode) -> Guard<'_> {
        match mode {
            Mode::Shared => Guard::Shared { _guard: self.stripes[index].read().await },
            Mode::Exclusive => Guard::Exclusive { _guard: self.stripes[index].write().await },
        }
    }

    fn index(&self, subject: Subject<'_>) -> usize {
        let hash = self.hasher.hash_one(subject);
        usize::try_from(hash % STRIPES as u64).expect("a stripe's number is small")
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Poll};

    use oci::Algorithm;

    use super::*;

    /// Whether the future is done when it is asked once.
    async fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        let mut future = pin!(future);
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn shared_locks_share_and_an_exclusive_one_excludes() {
        let locks = Locks::default();
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let subject = Subject::Digest(&digest);
        let shared = locks.acquire(subject, Mode::Shared).await;
        assert!(is_ready(locks.acquire(subject, Mode::Shared)).await);
        assert!(!is_ready(locks.acquire(subject, Mode::Exclusive)).await);
        drop(shared);
        let exclusive = locks.acquire(subject, Mode::Exclusive).await;
        assert!(!is_ready(locks.acquire(subject, Mode::Shared)).await);
        drop(exclusive);
    }

    #[tokio::test]
    async fn one_request_may_name_a_subject_twice() {
        let locks = Locks::default();
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let subject = Subject::Digest(&digest);
        let guards = locks.acquire_all([(subject, Mode::Shared), (subject, Mode::Exclusive)]).await;
        assert_eq!(guards.len(), 1);
        assert!(!is_ready(locks.acquire(subject, Mode::Shared)).await);
    }
}
