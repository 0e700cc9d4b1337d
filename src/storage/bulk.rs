//! What a collection asks of a store: everything there is, and much of it at a time.
//!
//! The server's [`Driver`](crate::Driver) answers one request; a collector looks at a hundred thousand
//! objects. How many of them are looked at side by side is the store's affair: threads on a disk,
//! requests on an object store.

use std::{fmt, future::Future};

use bytes::Bytes;
use oci::{Digest, RepositoryName, Tag};

use crate::{Error, Folder, Key, RunId, Stat, Survey, UploadId};

/// A store as a collector sees it. Clones share it.
///
/// Answers stand in the order of the questions.
pub trait Bulk: Clone + Send + Sync + 'static {
    /// What tells this store from every other, as long as it is where it is.
    fn identity(&self) -> String;

    /// Whether there is a folder of repositories, be it empty. A bucket has no empty folders.
    fn has_repositories(&self) -> bool {
        false
    }

    /// Lists the whole store. What was there all the while is listed, once.
    fn survey(&self) -> Survey;

    /// Reads small objects whole, each of at most `limit` bytes, and makes of them what `map` says.
    ///
    /// No more of them are in memory than are read side by side.
    fn read<T, F>(
        &self,
        items: Vec<Item>,
        limit: usize,
        map: F,
    ) -> impl Future<Output = Result<Vec<T>, Error>> + Send
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static;

    /// Sizes and times.
    fn stat(
        &self,
        items: Vec<Item>,
    ) -> impl Future<Output = Result<Vec<Result<Stat, Error>>, Error>> + Send;

    /// Removes objects, each with what stands beside it in its own folder, and the folder.
    ///
    /// What an object is known by goes first. It need not be durable before [`sync`](Bulk::sync).
    fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> impl Future<Output = Result<Vec<Result<Removed, Error>>, Error>> + Send;

    /// Makes all that was removed or brought back durable.
    fn sync(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes a quarantine for what a run removes; `index` is kept with it.
    fn begin_quarantine(
        &self,
        run: &RunId,
        index: Bytes,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The quarantines, each with its index, in the order of their names.
    fn quarantines(&self) -> impl Future<Output = Result<Vec<KeptRun>, Error>> + Send;

    /// Brings back what a run has moved, in the order that makes nothing reachable before it is whole,
    /// and forgets the run when nothing of it is left. What is there by then stays as it is.
    fn restore(&self, run: &RunId) -> impl Future<Output = Result<Restored, Error>> + Send;

    /// Empties a quarantine for good. One that this was begun with is known as such, wherever it was cut short.
    fn discard(&self, run: &RunId) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A run's quarantine.
#[derive(Debug)]
pub struct KeptRun {
    /// Its name.
    pub run: RunId,
    /// What was kept with it, as far as that can be read.
    pub index: Result<Bytes, Error>,
    /// Whether it is being emptied: part of it may be gone, so nothing of it comes back.
    pub is_going: bool,
}

/// Something that a collection reads or removes: a [`Key`] that owns its parts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Item {
    /// A tag with its history; it is read as what it points to now.
    Tag(RepositoryName, Tag),
    /// An entry of a tag's history.
    TagIndex(RepositoryName, Tag, Digest),
    /// A manifest of a repository.
    Revision(RepositoryName, Digest),
    /// A blob of a repository.
    Layer(RepositoryName, Digest),
    /// The bytes.
    Blob(Digest),
    /// When an upload session began.
    UploadStartedAt(RepositoryName, UploadId),
    /// A repository that is to go whole. Nothing else in its folder makes it stay.
    Repository(RepositoryName),
}

impl Item {
    /// What an object is known as; none for what belongs to an upload, or to no registry's content.
    #[must_use]
    pub fn of(key: Key<'_>) -> Option<Self> {
        Some(match key {
            Key::Blob(digest) => Self::Blob(*digest),
            Key::LayerLink(name, digest) => Self::Layer(name.clone(), *digest),
            Key::RevisionLink(name, digest) => Self::Revision(name.clone(), *digest),
            Key::TagLink(name, tag) => Self::Tag(name.clone(), tag.clone()),
            Key::TagIndexLink(name, tag, digest) => {
                Self::TagIndex(name.clone(), tag.clone(), *digest)
            }
            Key::UploadData(..)
            | Key::UploadStartedAt(..)
            | Key::UploadTail(..)
            | Key::UploadHash(..)
            | Key::Fetched
            | Key::DatabaseInUse => return None,
        })
    }

    /// The object by which it is known; a repository has none.
    #[must_use]
    pub fn key(&self) -> Option<Key<'_>> {
        Some(match self {
            Self::Tag(name, tag) => Key::TagLink(name, tag),
            Self::TagIndex(name, tag, digest) => Key::TagIndexLink(name, tag, digest),
            Self::Revision(name, digest) => Key::RevisionLink(name, digest),
            Self::Layer(name, digest) => Key::LayerLink(name, digest),
            Self::Blob(digest) => Key::Blob(digest),
            Self::UploadStartedAt(name, id) => Key::UploadStartedAt(name, id),
            Self::Repository(_) => return None,
        })
    }
}

impl fmt::Display for Item {
    /// Its path in the store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.key()) {
            (Self::Repository(name), _) => Folder::Repository(name).fmt(f),
            (_, Some(key)) => key.fmt(f),
            (_, None) => Ok(()),
        }
    }
}

/// What becomes of what is removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Disposal {
    /// It is gone.
    Delete,
    /// It is moved to where no registry looks, until it is brought back or discarded.
    Quarantine(RunId),
}

/// What became of one item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removed {
    /// It went.
    Gone,
    /// It was gone already; what was left of its folder went.
    Vanished,
    /// It stays: who serves the store has looked at it again.
    Kept(Reason),
}

/// Why something stays that was to be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Somebody was told that it is there.
    Promised,
    /// It was written lately.
    Young,
    /// It may not be removed while the store is served.
    Served,
}

/// What came back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// How many objects.
    pub objects: u64,
    /// Paths of what was there by then, and was left alone; what was moved stays in the quarantine.
    pub kept: Vec<String>,
}
