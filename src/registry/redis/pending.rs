//! What Redis is still to be told: a set of bounded size.

use std::collections::HashSet;

use oci::{Digest, RepositoryName};

/// Deletes that are remembered: a few megabytes with the longest names.
const MOST: usize = 10_000;

/// Deletes that are told at once.
const BATCH: usize = 100;

/// A digest that a repository may not have any more.
pub(super) type Entry = (RepositoryName, Digest);

/// What waits.
#[derive(Debug)]
pub(super) struct Pending {
    entries: HashSet<Entry>,
    /// More has gone than is remembered.
    everything: bool,
    /// Some of it is being told.
    is_telling: bool,
}

/// What is told at once.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Work {
    These(Vec<Entry>),
    Everything,
}

impl Work {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::These(entries) => entries.len() as u64,
            Self::Everything => 0,
        }
    }
}

impl Pending {
    /// Nobody knows what went before.
    pub(super) fn at_start() -> Self {
        Self { entries: HashSet::new(), everything: true, is_telling: false }
    }

    /// Remembers a delete. True: there are too many now, and from here on everything has gone.
    pub(super) fn add(&mut self, repository: &RepositoryName, digest: &Digest) -> bool {
        // Also what waits for everything to be removed: that may be half done.
        let was_full = self.entries.len() >= MOST;
        if was_full {
            self.entries.clear();
            self.everything = true;
        }
        self.entries.insert((repository.clone(), *digest));
        was_full
    }

    /// Remembers that anything may have gone.
    pub(super) fn add_everything(&mut self) {
        self.everything = true;
    }

    /// What to tell next; none if there is nothing.
    pub(super) fn take(&mut self) -> Option<Work> {
        let work = if self.everything {
            self.everything = false;
            Work::Everything
        } else {
            let batch: Vec<Entry> = self.entries.iter().take(BATCH).cloned().collect();
            for entry in &batch {
                self.entries.remove(entry);
            }
            Work::These(batch)
        };
        self.is_telling = work != Work::These(Vec::new());
        self.is_telling.then_some(work)
    }

    /// What was taken was told.
    pub(super) fn done(&mut self) {
        self.is_telling = false;
    }

    /// What was taken could not be told, or not all of it.
    pub(super) fn put_back(&mut self, work: Work) {
        self.is_telling = false;
        match work {
            Work::Everything => self.everything = true,
            Work::These(entries) => {
                for (repository, digest) in entries {
                    self.add(&repository, &digest);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.everything
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_empty() && !self.is_telling
    }

    pub(super) fn waiting(&self) -> u64 {
        self.entries.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    fn entry(number: usize) -> Entry {
        let digest = Digest::of(Algorithm::Sha256, number.to_string().as_bytes());
        ("group/app".parse().unwrap(), digest)
    }

    /// One that has told everything.
    fn settled() -> Pending {
        let mut pending = Pending::at_start();
        assert_eq!(pending.take(), Some(Work::Everything));
        assert!(pending.is_empty() && !pending.is_settled());
        pending.done();
        assert!(pending.is_settled());
        pending
    }

    #[test]
    fn a_delete_waits_once_and_until_it_is_told() {
        let mut pending = settled();
        let (name, digest) = entry(1);
        assert!(!pending.add(&name, &digest));
        assert!(!pending.add(&name, &digest));
        let work = pending.take().unwrap();
        assert_eq!(work, Work::These(vec![entry(1)]));
        assert_eq!((work.len(), pending.waiting()), (1, 0));
        pending.put_back(work);
        assert_eq!(pending.take(), Some(Work::These(vec![entry(1)])));
        pending.done();
        assert_eq!(pending.take(), None);
        assert!(pending.is_settled());
    }

    #[test]
    fn too_many_deletes_become_everything_once() {
        let mut pending = settled();
        let full = (0..=MOST).filter(|number| pending.add(&entry(*number).0, &entry(*number).1));
        assert_eq!(full.count(), 1);
        assert_eq!(pending.waiting(), 1);
        assert_eq!(pending.take(), Some(Work::Everything));
        pending.put_back(Work::Everything);
        assert_eq!(pending.take(), Some(Work::Everything));
        pending.done();
        assert_eq!(pending.take(), Some(Work::These(vec![entry(MOST)])));
    }
}
