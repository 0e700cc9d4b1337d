//! The stores that a collector can work on: those that outlive their process.

use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "s3")]
use crate::s3::S3;
use crate::{
    Access, Bulk, Config, Disposal, Driver, Error, Filesystem, Item, KeptRun, Key, Kind, Removed,
    Restored, RunId, Stat, Survey, filesystem,
};

/// A store as a collector sees it, behind one type. Clones share it.
#[derive(Clone, Debug)]
pub enum Collected {
    /// A folder.
    Filesystem(Filesystem),
    /// A bucket.
    #[cfg(feature = "s3")]
    S3(S3),
}

macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Collected::Filesystem($store) => $call,
            #[cfg(feature = "s3")]
            Collected::S3($store) => $call,
        }
    };
}
pub(crate) use each;

impl Collected {
    /// Opens a store that is there; none where nothing outlives the process.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is none, [`Kind::Busy`] while somebody else uses it in a way that this excludes: a bucket is
    /// known to be used by who keeps a lease there.
    pub async fn open_existing(config: &Config, access: Access) -> Result<Option<Self>, Error> {
        match config {
            Config::Filesystem(options) => {
                Filesystem::open_existing(options, access).map(|it| Some(Self::Filesystem(it)))
            }
            Config::InMemory => Ok(None),
            #[cfg(feature = "s3")]
            Config::S3(options) => {
                let bucket = S3::open(options)?;
                match bucket.holds_any().await? {
                    true => Ok(Some(Self::S3(bucket.claimed(access).await?))),
                    false => Err(Error::new(Kind::NotFound, "open", config)),
                }
            }
            #[cfg(not(feature = "s3"))]
            Config::S3(_) => crate::Backend::open(config).map(|_| None),
        }
    }

    /// The folder, if it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Filesystem> {
        match self {
            Self::Filesystem(filesystem) => Some(filesystem),
            #[cfg(feature = "s3")]
            Self::S3(_) => None,
        }
    }

    /// Whether a registry of GitLab's keeps its metadata in a database: then links are not the truth.
    ///
    /// # Errors
    /// The store does not say.
    pub async fn has_database(&self) -> Result<bool, Error> {
        match each!(self, store => Driver::stat(store, Key::DatabaseInUse).await) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps other processes from changing the store that this one serves.
    ///
    /// # Errors
    /// [`Kind::Busy`] while another one may; [`Kind::Denied`] where nobody can say so.
    pub async fn exclude_others(&self) -> Result<Alone, Error> {
        match self {
            Self::Filesystem(filesystem) => {
                let lock = filesystem.exclude_others()?;
                Ok(Alone(Exclusion::Folder { _lock: lock, folder: filesystem.clone() }))
            }
            #[cfg(feature = "s3")]
            Self::S3(bucket) => Ok(Alone(Exclusion::Bucket(bucket.claimed_to_sweep().await?))),
        }
    }

    /// Whether another process may use the store beside this one, which serves it.
    ///
    /// # Errors
    /// The store does not say.
    pub async fn is_used_by_others(&self) -> Result<bool, Error> {
        match self {
            Self::Filesystem(filesystem) => match filesystem.exclude_others() {
                Ok(_alone) => Ok(false),
                Err(error) if matches!(error.kind(), Kind::Busy | Kind::Denied) => Ok(true),
                Err(error) => Err(error),
            },
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.is_used_by_others().await,
        }
    }

    /// Has the store alone, which this process does not serve.
    ///
    /// # Errors
    /// [`Kind::Busy`] while another one uses it; [`Kind::Denied`] where nobody can say so.
    pub async fn alone(&self) -> Result<Alone, Error> {
        match self {
            Self::Filesystem(_) => self.exclude_others().await,
            #[cfg(feature = "s3")]
            Self::S3(bucket) => {
                Ok(Alone(Exclusion::Bucket(bucket.clone().claimed(Access::Alone).await?)))
            }
        }
    }

    /// Lets others use what was opened for this process alone.
    pub async fn release(&self) {
        match self {
            Self::Filesystem(_) => {}
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.release().await,
        }
    }
}

/// A store without others. Dropped, it is given back, a bucket if there is time for that.
#[derive(Debug)]
pub struct Alone(Exclusion);

#[derive(Debug)]
enum Exclusion {
    Folder {
        _lock: filesystem::Alone,
        folder: Filesystem,
    },
    #[cfg(feature = "s3")]
    Bucket(S3),
}

impl Alone {
    /// The store, to be changed as long as nobody else does.
    #[must_use]
    pub fn store(&self) -> Collected {
        match &self.0 {
            Exclusion::Folder { folder, .. } => Collected::Filesystem(folder.clone()),
            #[cfg(feature = "s3")]
            Exclusion::Bucket(bucket) => Collected::S3(bucket.clone()),
        }
    }

    /// For how long something may still go that was to be removed, though nobody has said so; none where all was answered.
    #[must_use]
    pub fn doubt(&self) -> Option<Duration> {
        match &self.0 {
            Exclusion::Folder { .. } => None,
            #[cfg(feature = "s3")]
            Exclusion::Bucket(bucket) => bucket.doubt(),
        }
    }

    /// Lets others use it now.
    pub async fn release(self) {
        match self.0 {
            Exclusion::Folder { .. } => {}
            #[cfg(feature = "s3")]
            Exclusion::Bucket(bucket) => bucket.release().await,
        }
    }
}

impl Bulk for Collected {
    fn identity(&self) -> String {
        each!(self, store => store.identity())
    }

    fn has_repositories(&self) -> bool {
        each!(self, store => store.has_repositories())
    }

    fn survey(&self) -> Survey {
        each!(self, store => store.survey())
    }

    async fn read<T, F>(&self, items: Vec<Item>, limit: usize, map: F) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static,
    {
        each!(self, store => store.read(items, limit, map).await)
    }

    async fn stat(&self, items: Vec<Item>) -> Result<Vec<Result<Stat, Error>>, Error> {
        each!(self, store => Bulk::stat(store, items).await)
    }

    async fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        each!(self, store => store.remove(items, disposal).await)
    }

    async fn sync(&self) -> Result<(), Error> {
        each!(self, store => store.sync().await)
    }

    async fn begin_quarantine(&self, run: &RunId, index: Bytes) -> Result<(), Error> {
        each!(self, store => store.begin_quarantine(run, index).await)
    }

    async fn quarantines(&self) -> Result<Vec<KeptRun>, Error> {
        each!(self, store => store.quarantines().await)
    }

    async fn restore(&self, run: &RunId) -> Result<Restored, Error> {
        each!(self, store => store.restore(run).await)
    }

    async fn discard(&self, run: &RunId) -> Result<(), Error> {
        each!(self, store => store.discard(run).await)
    }
}
