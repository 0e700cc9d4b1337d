//! The `s3` driver: a bucket of Amazon's, or of whatever speaks its language.
//!
//! Objects have the names that Distribution gives them, below `rootdirectory`. A bucket has no folders: they are there
//! while something is in them. A write is there for everybody when its request is answered, whole or not at all.

mod attributes;
mod bulk;
mod client;
mod ending;
mod failure;
mod folders;
mod gate;
mod holder;
mod lease;
mod multipart;
mod pace;
mod parts;
mod pending;
mod publish;
mod reading;
mod record;
mod room;
mod sessions;
mod store;
mod survey;
mod teller;
#[cfg(test)]
mod tests;
mod trash;
mod upload;
mod wire;

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use oci::{Digest, RepositoryName};
use tokio::sync::watch;

use crate::{
    Access, Driver, Entry, Error, Folder, Key, Kind, Object, Staged, Stat, Strays, Survey, Tenure,
    UploadId, Wish, Writer, staged::Place,
};
use holder::Using;
use lease::Claim;
pub(crate) use parts::Parts;
use store::{Presigned, Store};

/// A bucket. Clones share its connections.
#[derive(Clone, Debug)]
pub struct S3 {
    store: Arc<Store>,
    /// That nobody else changes it, for those who need that.
    claim: Option<Arc<Claim>>,
}

impl S3 {
    /// Prepares to use a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// An option cannot be used, or no request could ever leave.
    pub fn open(options: &crate::S3Config) -> Result<Self, Error> {
        Ok(Self { store: Arc::new(client::open(options)?), claim: None })
    }

    /// Whether a registry has ever put anything there.
    pub(crate) async fn holds_any(&self) -> Result<bool, Error> {
        match boxed(self.store.children(&self.store.path("docker/registry/v2"))).await {
            // Leases are there as soon as it is served.
            Ok(children) => Ok(children.iter().any(|child| child.name != "regctl")),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has writes wait for the lease of this process, which is about to serve the bucket.
    pub(crate) fn expect_lease(&self) {
        self.store.gate.shut();
    }

    /// Says by a lease that this process serves the bucket, until it wishes to leave. `tell` hears of each renewal.
    pub(crate) async fn serve(
        &self,
        wish: watch::Receiver<Wish>,
        tell: impl Fn(Result<(), &Error>) + Send,
    ) {
        boxed(lease::serve(&self.store, wish, tell)).await;
    }

    /// Whether another process may use the bucket beside this one, which serves it.
    pub(crate) async fn is_used_by_others(&self) -> Result<bool, Error> {
        boxed(self.store.is_used_by_others()).await
    }

    /// Puts an object by a multipart upload, however small it is.
    pub(crate) async fn put_in_parts(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        boxed(self.store.put_in_parts(&self.store.path(key), bytes)).await
    }

    /// Lists the whole bucket, with what the lists say of each object.
    pub(crate) fn survey_in_detail(&self) -> Survey {
        let (pages, sink) = Survey::new();
        survey::spawn(Arc::clone(&self.store), sink, survey::Detail::Objects);
        pages
    }

    /// Has a folder stay that nothing is in: an object of no bytes stands for it, under its name and a slash.
    pub(crate) async fn keep_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let path = format!("{}/", self.store.path(folder));
        boxed(self.store.put(&path, Bytes::new())).await
    }

    /// The bucket, as long as nobody else uses it otherwise than by this access.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody does.
    pub(crate) async fn claimed(mut self, access: Access) -> Result<Self, Error> {
        let using = match access {
            Access::Alone => Using::Alone,
            Access::Shared => Using::Collects,
            Access::Look | Access::Guest => return Ok(self),
        };
        self.claim = Some(Arc::new(boxed(Claim::take(&self.store, using)).await?));
        Ok(self)
    }

    /// The bucket, to copy a registry into it.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody else uses it.
    pub(crate) async fn claimed_to_fill(mut self) -> Result<Self, Error> {
        self.claim = Some(Arc::new(boxed(Claim::take(&self.store, Using::Fills)).await?));
        Ok(self)
    }

    /// The bucket that this process serves, to remove from it while nobody else may write.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody else does.
    pub(crate) async fn claimed_to_sweep(&self) -> Result<Self, Error> {
        let store = Arc::new(client::beside(&self.store));
        let claim = boxed(Claim::take(&store, Using::Sweeps)).await?;
        Ok(Self { store, claim: Some(Arc::new(claim)) })
    }

    /// The time in which this process has the bucket, as soon as that has begun.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] while it does not, and nothing may be written.
    pub(crate) async fn tenure(&self) -> Result<Tenure, Error> {
        boxed(self.store.tenure()).await
    }

    /// Looks whether that lasts.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if somebody else can have had the bucket since.
    pub(crate) fn confirm(&self, tenure: Tenure) -> Result<(), Error> {
        self.store.confirm(tenure)
    }

    /// For how long a delete that was not answered may still be carried out; none where all were.
    pub(crate) fn doubt(&self) -> Option<Duration> {
        self.store.doubt()
    }

    /// Has nothing written for a while; who asks for it is told to come again.
    pub(crate) fn settle(&self, time: Duration) {
        self.store.gate.settle(time);
    }

    /// Lets others use the bucket again.
    pub(crate) async fn release(&self) {
        if let Some(claim) = &self.claim {
            claim.release().await;
        }
    }

    /// Ends, or counts, the multipart uploads that nobody names and to which nothing has come since `before`.
    pub(crate) async fn end_strays(
        &self,
        before: SystemTime,
        sessions: Option<Vec<(RepositoryName, UploadId)>>,
        strays: Strays,
    ) -> Result<u64, Error> {
        boxed(self.store.end_strays(before, sessions, strays)).await
    }

    /// A URL by which a client gets a blob from the bucket for a while; `head` where it asks only for what is said of it.
    ///
    /// # Errors
    /// There are no credentials to sign it with.
    pub async fn presigned(
        &self,
        digest: &Digest,
        head: bool,
        lasting: Duration,
    ) -> Result<String, Error> {
        let path = self.store.path(Key::Blob(digest));
        let method = if head { Presigned::Head } else { Presigned::Get };
        boxed(self.store.presign(&path, method, lasting)).await
    }
}

/// Ends the types of futures here: those of the SDK's requests are too deep for whoever awaits them.
pub(crate) fn boxed<'a, T>(
    future: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

impl Driver for S3 {
    async fn get(&self, key: Key<'_>, limit: usize) -> Result<Bytes, Error> {
        boxed(self.store.get(&self.store.path(key), limit)).await
    }

    async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        let (reading, stat) = boxed(self.store.reading(&self.store.path(key))).await?;
        Ok(Object::of_remote(reading, stat))
    }

    async fn stat(&self, key: Key<'_>) -> Result<Stat, Error> {
        match key {
            Key::UploadData(repository, id) => boxed(self.store.stat_upload(repository, *id)).await,
            key => Ok(boxed(self.store.head(&self.store.path(key), "stat")).await?.stat),
        }
    }

    async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        boxed(self.store.put(&self.store.path(key), bytes)).await
    }

    async fn stage(&self, key: Key<'_>, bytes: Bytes) -> Result<Staged, Error> {
        Ok(Staged::at(Place::Memory(vec![(key.to_string(), bytes)])))
    }

    async fn stage_folder(
        &self,
        _folder: Folder<'_>,
        objects: Vec<(Key<'_>, Bytes)>,
    ) -> Result<Staged, Error> {
        let objects = objects.into_iter().map(|(key, bytes)| (key.to_string(), bytes));
        Ok(Staged::at(Place::Memory(objects.collect())))
    }

    async fn commit(&self, staged: Staged) -> Result<(), Error> {
        let Place::Memory(objects) = staged.place else {
            return Err(Error::new(Kind::Other, "commit", "object of another store"));
        };
        for (key, bytes) in objects {
            boxed(self.store.put(&self.store.path(key), bytes)).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), Error> {
        let path = self.store.path(key);
        // The store says the same of what was never there.
        boxed(self.store.head(&path, "delete")).await?;
        boxed(self.store.delete(&path)).await
    }

    async fn create_folder(&self, _folder: Folder<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn folder_exists(&self, folder: Folder<'_>) -> Result<bool, Error> {
        boxed(self.store.has_any(&self.store.path(folder))).await
    }

    async fn delete_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        boxed(self.store.delete_inside(&self.store.path(folder))).await
    }

    async fn list(&self, folder: Folder<'_>) -> Result<Vec<Entry>, Error> {
        boxed(self.store.children(&self.store.path(folder))).await
    }

    async fn changed(&self, _folder: Folder<'_>) -> Result<Option<SystemTime>, Error> {
        Ok(None)
    }

    async fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> Result<(), Error> {
        boxed(self.store.begin_upload(repository, id, started_at)).await
    }

    async fn append(&self, repository: &RepositoryName, id: UploadId) -> Result<Writer, Error> {
        Ok(Writer::of_parts(boxed(self.store.open_upload(repository, id)).await?))
    }

    async fn end_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        boxed(self.store.end_upload(repository, id)).await
    }

    async fn publish(&self, upload: Writer, digest: &Digest) -> Result<(), Error> {
        boxed(self.store.publish(upload.into_parts()?, digest)).await
    }
}
