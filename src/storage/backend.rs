//! The closed set of drivers, behind one type.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use oci::{Digest, RepositoryName};
use tokio::sync::watch;

#[cfg(feature = "s3")]
use crate::s3::S3;
use crate::{
    Collected, Config, Driver, Entry, Error, Folder, Key, Object, Staged, Stat, Tenure, UploadId,
    Writer, filesystem::Filesystem, inmemory::InMemory,
};

/// What becomes of what nobody names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strays {
    /// It is counted.
    Count,
    /// It goes.
    End,
}

/// What a registry wants of its lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// It serves, and may write.
    Write,
    /// It serves, and has ended its last write.
    Read,
    /// It ends.
    Leave,
}

/// The driver that a configuration names. Clones share one store.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A folder.
    Filesystem(Filesystem),
    /// The memory of this process.
    InMemory(Arc<InMemory>),
    /// A bucket.
    #[cfg(feature = "s3")]
    S3(S3),
}

impl Backend {
    /// Opens the store. A store over a network is not asked for anything yet.
    ///
    /// # Errors
    /// The folder cannot be made or opened, or this program was built without the driver.
    pub fn open(config: &Config) -> Result<Self, Error> {
        match config {
            Config::Filesystem(options) => Filesystem::open(options).map(Self::Filesystem),
            Config::InMemory => Ok(Self::InMemory(Arc::default())),
            #[cfg(feature = "s3")]
            Config::S3(options) => S3::open(options).map(Self::S3),
            #[cfg(not(feature = "s3"))]
            Config::S3(_) => {
                let what = "s3 with a program that was built without it";
                Err(Error::new(crate::Kind::Other, "use", what))
            }
        }
    }

    /// A URL by which a client gets a blob itself for so long; `head` where it asks only for what is said of it. None
    /// where only this process can read blobs.
    ///
    /// # Errors
    /// There is nothing to sign it with.
    #[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "nobody signs anything"))]
    pub async fn presigned(
        &self,
        digest: &Digest,
        head: bool,
        lasting: Duration,
    ) -> Result<Option<String>, Error> {
        match self {
            Self::Filesystem(_) | Self::InMemory(_) => Ok(None),
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.presigned(digest, head, lasting).await.map(Some),
        }
    }

    /// The store as a collector sees it; none where nothing outlives the process.
    #[must_use]
    pub fn collected(&self) -> Option<Collected> {
        match self {
            Self::Filesystem(filesystem) => Some(Collected::Filesystem(filesystem.clone())),
            Self::InMemory(_) => None,
            #[cfg(feature = "s3")]
            Self::S3(bucket) => Some(Collected::S3(bucket.clone())),
        }
    }

    /// The time in which this process may rely on what it finds, as soon as that has begun.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](crate::Kind::Unavailable) while somebody else may change the store.
    pub async fn tenure(&self) -> Result<Tenure, Error> {
        match self {
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.tenure().await,
            Self::Filesystem(filesystem) => filesystem.tenure(),
            Self::InMemory(_) => Ok(Tenure::default()),
        }
    }

    /// Looks whether that lasts, and so did all that was found.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](crate::Kind::Unavailable) if somebody else can have changed the store since.
    pub fn confirm(&self, tenure: Tenure) -> Result<(), Error> {
        match self {
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.confirm(tenure),
            Self::Filesystem(filesystem) => filesystem.confirm(tenure),
            Self::InMemory(_) => Ok(()),
        }
    }

    /// Has nothing written for a while, where something that was removed may not be gone yet.
    pub fn settle(&self, time: Duration) {
        match (self, time) {
            #[cfg(feature = "s3")]
            (Self::S3(bucket), time) => bucket.settle(time),
            // What these have answered is so.
            (Self::Filesystem(_) | Self::InMemory(_), _) => {}
        }
    }

    /// How many bytes there is still room for; none where nobody knows. Others may take it at any time.
    ///
    /// # Errors
    /// The filesystem does not say.
    pub async fn room(&self) -> Result<Option<u64>, Error> {
        match self {
            Self::Filesystem(filesystem) => filesystem.room().await.map(Some),
            Self::InMemory(_) => Ok(None),
            #[cfg(feature = "s3")]
            Self::S3(_) => Ok(None),
        }
    }

    /// Ends what was begun for upload sessions, got nothing since `before` and is named by none of them any more; returns how
    /// much that is, or would be. `sessions` are all that there are, if that is known.
    ///
    /// # Errors
    /// The store fails.
    #[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "nothing is begun unnamed"))]
    pub async fn end_strays(
        &self,
        before: SystemTime,
        sessions: Option<Vec<(RepositoryName, UploadId)>>,
        strays: Strays,
    ) -> Result<u64, Error> {
        match self {
            Self::Filesystem(_) | Self::InMemory(_) => Ok(0),
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.end_strays(before, sessions, strays).await,
        }
    }

    /// Has writes wait, from now on, until others can know of them: [`serve`](Self::serve) is to follow.
    pub fn expect_lease(&self) {
        match self {
            Self::Filesystem(_) | Self::InMemory(_) => {}
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.expect_lease(),
        }
    }

    /// Says to others that this process serves the store, until it wishes to leave, where that is not done already by having
    /// it open. `tell` hears of each time that it was said.
    #[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "nobody else is told"))]
    pub async fn serve(
        &self,
        wish: watch::Receiver<Wish>,
        tell: impl Fn(Result<(), &Error>) + Send,
    ) {
        match self {
            Self::Filesystem(_) | Self::InMemory(_) => {}
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.serve(wish, tell).await,
        }
    }

    /// Whether the store is asked over a network, so that each answer takes its time.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Filesystem(_) | Self::InMemory(_) => false,
            #[cfg(feature = "s3")]
            Self::S3(_) => true,
        }
    }

    /// What the driver is called in a configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Filesystem(_) => "filesystem",
            Self::InMemory(_) => "inmemory",
            #[cfg(feature = "s3")]
            Self::S3(_) => "s3",
        }
    }
}

macro_rules! each {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Backend::Filesystem($driver) => $call.await,
            Backend::InMemory($driver) => $call.await,
            #[cfg(feature = "s3")]
            Backend::S3($driver) => $call.await,
        }
    };
}

impl Driver for Backend {
    async fn get(&self, key: Key<'_>, limit: usize) -> Result<Bytes, Error> {
        each!(self, driver => driver.get(key, limit))
    }

    async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        each!(self, driver => driver.open(key))
    }

    async fn stat(&self, key: Key<'_>) -> Result<Stat, Error> {
        each!(self, driver => driver.stat(key))
    }

    async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        each!(self, driver => driver.put(key, bytes))
    }

    async fn stage(&self, key: Key<'_>, bytes: Bytes) -> Result<Staged, Error> {
        each!(self, driver => driver.stage(key, bytes))
    }

    async fn stage_folder(
        &self,
        folder: Folder<'_>,
        objects: Vec<(Key<'_>, Bytes)>,
    ) -> Result<Staged, Error> {
        each!(self, driver => driver.stage_folder(folder, objects))
    }

    async fn commit(&self, staged: Staged) -> Result<(), Error> {
        each!(self, driver => driver.commit(staged))
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), Error> {
        each!(self, driver => driver.delete(key))
    }

    async fn create_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        each!(self, driver => driver.create_folder(folder))
    }

    async fn folder_exists(&self, folder: Folder<'_>) -> Result<bool, Error> {
        each!(self, driver => driver.folder_exists(folder))
    }

    async fn delete_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        each!(self, driver => driver.delete_folder(folder))
    }

    async fn list(&self, folder: Folder<'_>) -> Result<Vec<Entry>, Error> {
        each!(self, driver => driver.list(folder))
    }

    async fn changed(&self, folder: Folder<'_>) -> Result<Option<SystemTime>, Error> {
        each!(self, driver => driver.changed(folder))
    }

    async fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> Result<(), Error> {
        each!(self, driver => driver.begin_upload(repository, id, started_at))
    }

    async fn append(&self, repository: &RepositoryName, id: UploadId) -> Result<Writer, Error> {
        each!(self, driver => driver.append(repository, id))
    }

    async fn end_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        each!(self, driver => driver.end_upload(repository, id))
    }

    async fn publish(&self, upload: Writer, digest: &Digest) -> Result<(), Error> {
        each!(self, driver => driver.publish(upload, digest))
    }
}
