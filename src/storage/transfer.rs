//! What moves content from one store to another: whole stores are listed with sizes, and objects are put at their keys.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use oci::{Digest, Digester, RepositoryName};
use tokio::task::spawn_blocking;

#[cfg(feature = "s3")]
use crate::s3::S3;
use crate::{
    Access, Bulk, Chunks, Collected, Config, Driver, Error, Filesystem, Folder, Key, Kind, Object,
    Part, Survey, UploadId, collected::each,
};

/// A blob that is no longer than this is put by one call, and held in memory for it.
const SMALL_BYTES: u64 = 2 << 20;

/// When a session began whose process is gone: it is purged by the first who looks.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";

/// Why a blob was not put.
#[derive(Debug)]
pub enum NotPut {
    /// It cannot be read, or its bytes are not those that its name says.
    Unread(Error),
    /// It cannot be written.
    Unwritten(Error),
}

/// Where the parts of a large blob wait until it is whole: a repository's name that nobody else uses.
#[derive(Clone, Debug)]
pub struct Workplace(RepositoryName);

impl Workplace {
    /// A place of its own.
    #[must_use]
    pub fn random() -> Self {
        let name = format!("regctl-migration-{}", UploadId::random());
        Self(name.parse().expect("letters, digits and hyphens are a repository's name"))
    }
}

impl Workplace {
    #[cfg(feature = "s3")]
    pub(crate) fn name(&self) -> &RepositoryName {
        &self.0
    }
}

impl Collected {
    /// Opens a store for this process alone, and makes its folder where that is missing.
    ///
    /// None where nothing outlives the process.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody else uses it; a bucket must be there.
    pub async fn open_or_create(config: &Config) -> Result<Option<Self>, Error> {
        match config {
            Config::Filesystem(options) => {
                // Makes the folder, and sweeps what a crash has left.
                drop(Filesystem::open(options)?);
                Filesystem::open_existing(options, Access::Alone)
                    .map(|it| Some(Self::Filesystem(it)))
            }
            #[cfg(feature = "s3")]
            Config::S3(options) => {
                let bucket = S3::open(options)?;
                // Says what is wrong with the bucket or the credentials before anything is written.
                bucket.holds_any().await?;
                Ok(Some(Self::S3(bucket.claimed_to_fill().await?)))
            }
            Config::InMemory => Ok(None),
            #[cfg(not(feature = "s3"))]
            Config::S3(_) => crate::Backend::open(config).map(|_| None),
        }
    }

    /// Lists the whole store, with what the lists themselves say of objects: [`Page::Objects`](crate::Page::Objects) on a
    /// bucket. On a folder that is nothing: asking for sizes is cheap there.
    #[must_use]
    pub fn survey_in_detail(&self) -> Survey {
        match self {
            Self::Filesystem(folder) => folder.survey(),
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.survey_in_detail(),
        }
    }

    /// Opens an object for reading in pieces.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if it is not there.
    pub async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        each!(self, store => Driver::open(store, key).await)
    }

    /// Puts an object, durably, replacing what was there.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        each!(self, store => Driver::put(store, key, bytes).await)
    }

    /// Has a repository's folder stay that nothing is in.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn keep_folder(&self, name: &RepositoryName, part: Part) -> Result<(), Error> {
        let folder = match part {
            Part::Layers => Folder::Layers(name),
            Part::Manifests => Folder::Manifests(name),
            Part::Tags => Folder::Tags(name),
        };
        match self {
            Self::Filesystem(store) => Driver::create_folder(store, folder).await,
            #[cfg(feature = "s3")]
            Self::S3(bucket) => bucket.keep_folder(folder).await,
        }
    }

    /// Whether a folder is there; on a bucket: whether something is in it.
    ///
    /// # Errors
    /// The store does not say.
    pub async fn has_folder(&self, folder: Folder<'_>) -> Result<bool, Error> {
        each!(self, store => Driver::folder_exists(store, folder).await)
    }

    /// Puts a blob, durably, if the object's bytes are what its name says: else nothing of it is ever seen.
    ///
    /// `heard` hears of the bytes that came, as they come, and may keep the next ones waiting.
    ///
    /// # Errors
    /// Says which of both stores has failed.
    pub async fn put_blob<F: Future<Output = ()> + Send>(
        &self,
        digest: &Digest,
        (object, place): (&Object, &Workplace),
        heard: impl Fn(u64) -> F + Sync,
    ) -> Result<(), NotPut> {
        let size = object.size();
        let mut chunks = object.chunks(0..size);
        if size > SMALL_BYTES {
            return self.put_large(digest, chunks, place, heard).await;
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(size).unwrap_or(0));
        while let Some(chunk) = next(&mut chunks).await.map_err(NotPut::Unread)? {
            heard(chunk.len() as u64).await;
            bytes.extend_from_slice(&chunk);
        }
        let bytes = bytes.freeze();
        let (whole, algorithm) = (bytes.clone(), digest.algorithm());
        let hashed = spawn_blocking(move || Digest::of(algorithm, &whole)).await;
        match hashed.is_ok_and(|hashed| hashed == *digest) {
            true => self.put(Key::Blob(digest), bytes).await.map_err(NotPut::Unwritten),
            false => Err(not_it(digest)),
        }
    }

    async fn put_large<F: Future<Output = ()> + Send>(
        &self,
        digest: &Digest,
        mut chunks: Chunks,
        Workplace(name): &Workplace,
        heard: impl Fn(u64) -> F + Sync,
    ) -> Result<(), NotPut> {
        let (id, unwritten) = (UploadId::random(), NotPut::Unwritten);
        let begun = each!(self, store => Driver::begin_upload(store, name, id, LONG_AGO).await);
        begun.map_err(unwritten)?;
        let put = async {
            let writer = each!(self, store => Driver::append(store, name, id).await);
            let mut writer = writer.map_err(unwritten)?;
            writer.become_blob(digest).await.map_err(unwritten)?;
            writer.hash_with(digest.algorithm()).await.map_err(unwritten)?;
            while let Some(chunk) = next(&mut chunks).await.map_err(NotPut::Unread)? {
                heard(chunk.len() as u64).await;
                writer.write(chunk).await.map_err(unwritten)?;
            }
            if writer.digest(digest.algorithm()).await.map_err(unwritten)? != *digest {
                return Err(not_it(digest));
            }
            writer.sync().await.map_err(unwritten)?;
            let published = each!(self, store => Driver::publish(store, writer, digest).await);
            published.map_err(unwritten)
        };
        let put = put.await;
        let ended = each!(self, store => Driver::end_upload(store, name, id).await);
        // What is left of a session is purged by whoever serves the store; the first failure says more.
        put?;
        match ended {
            Err(error) if !error.is_not_found() => Err(unwritten(error)),
            _ => Ok(()),
        }
    }

    /// Reads a blob and hashes it, by the algorithm of its name.
    ///
    /// `heard` hears of the bytes that came, as they come, and may keep the next ones waiting.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub async fn hash<F: Future<Output = ()> + Send>(
        &self,
        digest: &Digest,
        heard: impl Fn(u64) -> F + Sync,
    ) -> Result<Digest, Error> {
        let object = self.open(Key::Blob(digest)).await?;
        let mut chunks = object.chunks(0..object.size());
        let mut digester = Digester::new(digest.algorithm());
        while let Some(chunk) = next(&mut chunks).await? {
            heard(chunk.len() as u64).await;
            let hashed = spawn_blocking(move || {
                digester.update(&chunk);
                digester
            });
            let failed = |_| Error::new(Kind::Other, "hash", Key::Blob(digest));
            digester = hashed.await.map_err(failed)?;
        }
        Ok(digester.finish())
    }

    /// Removes what the large blobs of a workplace have left.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn clear(&self, Workplace(name): &Workplace) -> Result<(), Error> {
        let folder = Folder::Repository(name);
        match each!(self, store => Driver::delete_folder(store, folder).await) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

async fn next(chunks: &mut Chunks) -> Result<Option<Bytes>, Error> {
    poll_fn(|context| chunks.poll_next(context)).await.transpose()
}

fn not_it(digest: &Digest) -> NotPut {
    NotPut::Unread(Error::answered(Kind::Truncated, "copy", Key::Blob(digest), NotIt))
}

/// Why bytes do not become a blob.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "its bytes are not those that its name says: the object is damaged where it is copied from"
)]
struct NotIt;
