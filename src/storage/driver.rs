//! The seam between a registry and the place where its bytes live.

use std::{future::Future, time::SystemTime};

use bytes::Bytes;
use oci::{Digest, RepositoryName};

use crate::{Error, Folder, Key, Object, Staged, UploadId, Writer};

/// A store of objects under Distribution's keys.
///
/// What each method promises is the contract; one suite (`tests/conformance.rs`) asks every driver
/// for all of it. In every method a missing object is [`Kind::NotFound`](crate::Kind::NotFound), and
/// a future that is dropped leaves the object as it was or as it should become, never in between.
pub trait Driver: Send + Sync {
    /// Reads a whole object of at most `limit` bytes.
    ///
    /// A larger one is [`Kind::TooLarge`](crate::Kind::TooLarge), found before it is read.
    fn get(&self, key: Key<'_>, limit: usize) -> impl Future<Output = Result<Bytes, Error>> + Send;

    /// Opens an object for reading in pieces. What is opened stays readable when it is deleted; on a store over a
    /// network reading it may end with [`Kind::Truncated`](crate::Kind::Truncated) then, and never with other bytes.
    fn open(&self, key: Key<'_>) -> impl Future<Output = Result<Object, Error>> + Send;

    /// Size and time of an object.
    fn stat(&self, key: Key<'_>) -> impl Future<Output = Result<Stat, Error>> + Send;

    /// Stores an object, replacing what was there.
    ///
    /// Readers see the old bytes or the new ones, never a part. On return the object, and every
    /// folder on the way to it, survives a loss of power.
    fn put(&self, key: Key<'_>, bytes: Bytes) -> impl Future<Output = Result<(), Error>> + Send;

    /// Does of a [`put`](Driver::put) all that needs space, and shows nothing of it yet.
    ///
    /// Several objects that belong together are staged first and then committed in order: a store
    /// that is full says so before the first one is there. What is not committed leaves no trace
    /// but folders.
    fn stage(
        &self,
        key: Key<'_>,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Staged, Error>> + Send;

    /// Stages a folder that is not there, with all its objects.
    ///
    /// Where the store can, the folder appears whole; elsewhere its objects appear in the order given.
    fn stage_folder(
        &self,
        folder: Folder<'_>,
        objects: Vec<(Key<'_>, Bytes)>,
    ) -> impl Future<Output = Result<Staged, Error>> + Send;

    /// Makes what was staged appear, as durably as [`put`](Driver::put).
    fn commit(&self, staged: Staged) -> impl Future<Output = Result<(), Error>> + Send;

    /// Deletes one object, durably. Folders stay.
    fn delete(&self, key: Key<'_>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes an empty folder, durably; one that is there is left alone.
    ///
    /// A store without folders does nothing: there it is a folder once it holds an object.
    fn create_folder(&self, folder: Folder<'_>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Whether the folder is there: on a store without folders, whether it holds an object.
    fn folder_exists(&self, folder: Folder<'_>)
    -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes a folder and all that is in it, durably.
    ///
    /// Where the store can, readers see the folder whole or not at all.
    fn delete_folder(&self, folder: Folder<'_>) -> impl Future<Output = Result<(), Error>> + Send;

    /// The children of a folder, sorted by the bytes of their names.
    fn list(&self, folder: Folder<'_>) -> impl Future<Output = Result<Vec<Entry>, Error>> + Send;

    /// When the children of a folder last changed, by the store's clock; none where that is not known.
    ///
    /// Two lists that were made at the same time of change, and not within a second of it, are the same.
    fn changed(
        &self,
        folder: Folder<'_>,
    ) -> impl Future<Output = Result<Option<SystemTime>, Error>> + Send;

    /// Begins an upload session: its data is empty, `started_at` is kept beside it.
    ///
    /// It survives the end of the process, but need not survive a loss of power.
    fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Opens an upload session for appending.
    ///
    /// There is one writer at a time, over all processes: a second is [`Kind::Busy`](crate::Kind::Busy).
    fn append(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> impl Future<Output = Result<Writer, Error>> + Send;

    /// Forgets an upload session and its bytes.
    ///
    /// A loss of power may bring it back, to be purged when it is old.
    fn end_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes the bytes of a finished upload session the blob `digest`, durably.
    ///
    /// The caller has compared the digest. A blob that is there is kept if it has the same size and
    /// replaced otherwise: a torn older write does not win. The session's folder remains.
    fn publish(
        &self,
        upload: Writer,
        digest: &Digest,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Size and time of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// Length in bytes.
    pub size: u64,
    /// When the store last wrote it, by the store's clock.
    pub modified: SystemTime,
}

/// A child of a folder.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// The last component of its path.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}
