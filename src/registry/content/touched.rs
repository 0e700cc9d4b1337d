//! What has changed since a migration began to copy: its last pass looks at that, and not at everything.
//!
//! It is written down where the storage is written to, after each action and whatever came of it: what ended before the
//! beginning is seen by whoever looks from then on, and all else stands here. Memory is bounded; what does not fit, and what a
//! successor of this process does not know, is said.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use oci::RepositoryName;
use storage::{Folder, Item, Key, Part};

use super::{Content, store::Store};

/// As many objects and folders are known.
const MOST: usize = 100_000;

/// As many are told at once: an answer on the admin socket has 256 KiB.
const PAGE: usize = 300;

/// The journal, if somebody wants one.
#[derive(Debug, Default)]
pub(super) struct Touched {
    is_on: AtomicBool,
    journal: Mutex<Option<Journal>>,
}

#[derive(Debug)]
struct Journal {
    /// Who wants it.
    run: String,
    things: HashSet<Thing>,
    is_complete: bool,
}

/// What was changed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Thing {
    Object(Item),
    /// A folder was made.
    Folder(RepositoryName, Part),
}

/// A part of a journal.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) things: Vec<Thing>,
    /// Whether nothing is missing from the journal.
    pub(crate) is_complete: bool,
    /// Where the next part begins; none after the last.
    pub(crate) next: Option<usize>,
}

/// Writes down what an action has changed, when it has ended.
pub(super) struct Noted<'a, F: Fn() -> Vec<Thing>> {
    touched: &'a Touched,
    things: F,
}

impl Content {
    /// Begins a journal for a run; one that somebody began before ends.
    pub(crate) async fn begin_journal(&self, run: String) {
        let is_complete = self.is_alone().await;
        *self.backend().touched.lock() = Some(Journal { run, things: HashSet::new(), is_complete });
        self.backend().touched.is_on.store(true, Ordering::SeqCst);
    }

    /// Reads a run's journal, from a place in it; none if this process has no such journal.
    pub(crate) async fn read_journal(&self, run: &str, from: usize) -> Option<Page> {
        let is_alone = from > 0 || self.is_alone().await;
        let mut held = self.backend().touched.lock();
        let journal = held.as_mut().filter(|journal| journal.run == run)?;
        journal.is_complete &= is_alone;
        let things: Vec<_> = journal.things.iter().skip(from).take(PAGE).cloned().collect();
        let next = from + things.len();
        let next = (next < journal.things.len()).then_some(next);
        Some(Page { things, is_complete: journal.is_complete, next })
    }

    /// Ends a run's journal.
    pub(crate) fn end_journal(&self, run: &str) {
        let mut held = self.backend().touched.lock();
        if held.as_ref().is_some_and(|journal| journal.run == run) {
            *held = None;
            self.backend().touched.is_on.store(false, Ordering::SeqCst);
        }
    }

    /// Whether no other process can write what this one does not know.
    async fn is_alone(&self) -> bool {
        match self.backend().collected() {
            Some(store) => store.is_used_by_others().await.is_ok_and(|is_used| !is_used),
            None => true,
        }
    }
}

impl Touched {
    /// Has an action written down that begins now.
    pub(super) fn noting<F: Fn() -> Vec<Thing>>(&self, things: F) -> Noted<'_, F> {
        Noted { touched: self, things }
    }

    /// Something was changed that is not written down.
    pub(super) fn give_up(&self) {
        if let Some(journal) = self.lock().as_mut() {
            journal.give_up();
        }
    }

    fn add(&self, things: Vec<Thing>) {
        let mut held = self.lock();
        let Some(journal) = held.as_mut().filter(|journal| journal.is_complete) else { return };
        journal.things.extend(things);
        if journal.things.len() > MOST {
            journal.give_up();
        }
    }

    /// A set is changed as a whole, so a thread that panicked has left it as it was.
    fn lock(&self) -> MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    fn give_up(&mut self) {
        self.is_complete = false;
        self.things = HashSet::new();
    }
}

impl<F: Fn() -> Vec<Thing>> Drop for Noted<'_, F> {
    fn drop(&mut self) {
        if self.touched.is_on.load(Ordering::SeqCst) {
            self.touched.add((self.things)());
        }
    }
}

impl Store {
    pub(super) fn noting_key<'a>(&'a self, key: Key<'a>) -> Noted<'a, impl Fn() -> Vec<Thing>> {
        self.touched.noting(move || Item::of(key).map(Thing::Object).into_iter().collect())
    }

    pub(super) fn noting_folder<'a>(
        &'a self,
        folder: Folder<'a>,
    ) -> Noted<'a, impl Fn() -> Vec<Thing>> {
        self.touched.noting(move || of_folder(folder).into_iter().collect())
    }
}

/// What it means that a folder was made, or has gone.
fn of_folder(folder: Folder<'_>) -> Option<Thing> {
    Some(match folder {
        Folder::Layers(name) => Thing::Folder(name.clone(), Part::Layers),
        Folder::Manifests(name) => Thing::Folder(name.clone(), Part::Manifests),
        Folder::Tags(name) => Thing::Folder(name.clone(), Part::Tags),
        Folder::Tag(name, tag) => Thing::Object(Item::Tag(name.clone(), tag.clone())),
        Folder::Repository(name) => Thing::Object(Item::Repository(name.clone())),
        Folder::Repositories
        | Folder::LayersOf(..)
        | Folder::RevisionsOf(..)
        | Folder::Uploads(_)
        | Folder::Upload(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use oci::{Algorithm, Digest, Tag};

    use super::*;
    use crate::content::Condition;

    fn open(folder: &tempfile::TempDir) -> Content {
        let root_directory = folder.path().to_owned();
        let options = storage::FilesystemConfig { root_directory, max_threads: 25 };
        let config = storage::Config::Filesystem(options);
        Content::open(&config, Duration::ZERO, None, None).unwrap()
    }

    async fn put(content: &Content, text: &str) -> Digest {
        let (name, digest) =
            ("app".parse().unwrap(), Digest::of(Algorithm::Sha256, text.as_bytes()));
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        content.begin_write().unwrap().put_blob(&name, &digest, bytes).await.unwrap();
        digest
    }

    #[tokio::test]
    async fn what_was_changed_since_it_began_is_told_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let content = open(&folder);
        let (name, tag): (RepositoryName, Tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        put(&content, "before").await;
        content.begin_journal("1".to_owned()).await;
        let digest = put(&content, "after").await;
        let writing = content.begin_write().unwrap();
        writing.delete_tag(&name, &tag, Condition::default()).await.unwrap_err();
        let page = content.read_journal("1", 0).await.unwrap();
        let told: HashSet<_> = page.things.into_iter().collect();
        let expected = [
            Thing::Object(Item::Blob(digest)),
            Thing::Object(Item::Layer(name.clone(), digest)),
            Thing::Object(Item::Tag(name.clone(), tag)),
            Thing::Folder(name.clone(), Part::Layers),
            Thing::Folder(name, Part::Tags),
        ];
        assert_eq!((told, page.is_complete, page.next), (expected.into(), true, None));
        for number in 0..PAGE {
            put(&content, &number.to_string()).await;
        }
        let (mut from, mut told) = (Some(0), HashSet::new());
        while let Some(place) = from {
            let page = content.read_journal("1", place).await.unwrap();
            assert!(page.is_complete);
            told.extend(page.things);
            from = page.next;
        }
        assert_eq!(told.len(), 5 + 2 * PAGE);
        assert!(content.read_journal("2", 0).await.is_none());
        content.end_journal("2");
        content.end_journal("1");
        assert!(content.read_journal("1", 0).await.is_none());
    }

    #[tokio::test]
    async fn a_journal_that_does_not_have_all_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let content = open(&folder);
        let other = open(&folder);
        content.begin_journal("2".to_owned()).await;
        drop(other);
        assert!(!content.read_journal("2", 0).await.unwrap().is_complete);
        content.begin_journal("3".to_owned()).await;
        assert!(content.read_journal("3", 0).await.unwrap().is_complete);
        // It has come since.
        let other = open(&folder);
        assert!(!content.read_journal("3", 0).await.unwrap().is_complete);
        drop(other);
        content.begin_journal("3".to_owned()).await;
        let many = (0..=MOST).map(|number| Digest::of(Algorithm::Sha256, &number.to_le_bytes()));
        let many = many.map(|digest| Thing::Object(Item::Blob(digest))).collect();
        content.backend().touched.add(many);
        let page = content.read_journal("3", 0).await.unwrap();
        assert_eq!((page.is_complete, page.things.len(), page.next), (false, 0, None));
    }
}
