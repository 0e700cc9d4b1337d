//! The closed set of drivers, behind one type.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use oci::{Digest, RepositoryName};

use crate::{
    Config, Driver, Entry, Error, Folder, Key, Object, Staged, Stat, UploadId, Writer,
    filesystem::Filesystem, inmemory::InMemory,
};

/// The driver that a configuration names. Clones share one store.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A folder.
    Filesystem(Filesystem),
    /// The memory of this process.
    InMemory(Arc<InMemory>),
}

impl Backend {
    /// Opens the store.
    ///
    /// # Errors
    /// The folder cannot be made or opened.
    pub fn open(config: &Config) -> Result<Self, Error> {
        match config {
            Config::Filesystem(options) => Filesystem::open(options).map(Self::Filesystem),
            Config::InMemory => Ok(Self::InMemory(Arc::default())),
            Config::S3(_) => {
                let what = "s3 with a program that was built without it";
                Err(Error::new(crate::Kind::Other, "use", what))
            }
        }
    }

    /// The store as a collector sees it; none where nothing outlives the process.
    #[must_use]
    pub fn collected(&self) -> Option<&Filesystem> {
        match self {
            Self::Filesystem(filesystem) => Some(filesystem),
            Self::InMemory(_) => None,
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
        }
    }

    /// What the driver is called in a configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Filesystem(_) => "filesystem",
            Self::InMemory(_) => "inmemory",
        }
    }
}

macro_rules! each {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Backend::Filesystem($driver) => $call.await,
            Backend::InMemory($driver) => $call.await,
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
