//! The storage, with a watch on it: how long each action takes, and whether it fails.

use std::{
    future::Future,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use oci::{Digest, RepositoryName};
use storage::{
    Backend, Collected, Driver, Entry, Error, Folder, Item, Key, Kind, Object, Staged, Stat,
    Strays, Tenure, UploadId, Wish, Writer,
};
use tokio::sync::watch;

use super::touched::{Thing, Touched};
use crate::metrics::{Action, Actions};

/// A backend whose actions are counted while somebody may ask for the counts.
#[derive(Debug)]
pub(super) struct Store {
    backend: Backend,
    /// Unset while nothing is counted.
    actions: OnceLock<Actions>,
    pub(super) touched: Touched,
}

impl Store {
    pub(super) fn new(backend: Backend) -> Self {
        Self { backend, actions: OnceLock::new(), touched: Touched::default() }
    }

    /// Whether it is asked over a network.
    pub(super) fn is_remote(&self) -> bool {
        self.backend.is_remote()
    }

    pub(super) fn name(&self) -> &'static str {
        self.backend.name()
    }

    /// The time in which what is found may be relied on.
    pub(super) async fn tenure(&self) -> Result<Tenure, Error> {
        self.backend.tenure().await
    }

    /// Fails if that is over.
    pub(super) fn confirm(&self, tenure: Tenure) -> Result<(), Error> {
        self.backend.confirm(tenure)
    }

    /// Has nothing written for a while, where something that was removed may not be gone yet.
    pub(super) fn settle(&self, time: Duration) {
        self.backend.settle(time);
    }

    /// The store as a collector sees it; what is done to it is not counted.
    pub(super) fn collected(&self) -> Option<Collected> {
        self.backend.collected()
    }

    /// How many bytes there is still room for, where that is known.
    pub(super) async fn room(&self) -> Result<Option<u64>, Error> {
        self.backend.room().await
    }

    /// Has writes wait until others can know of them.
    pub(super) fn expect_lease(&self) {
        self.backend.expect_lease();
    }

    /// Says to others that this process serves the store, until it wishes to leave.
    pub(super) async fn serve(
        &self,
        wish: watch::Receiver<Wish>,
        tell: impl Fn(Result<(), &Error>) + Send,
    ) {
        self.backend.serve(wish, tell).await;
    }

    /// Ends what was begun for upload sessions and is named by none of them.
    pub(super) async fn end_strays(
        &self,
        before: SystemTime,
        sessions: Option<Vec<(RepositoryName, UploadId)>>,
        strays: Strays,
    ) -> Result<u64, Error> {
        self.backend.end_strays(before, sessions, strays).await
    }

    /// A URL by which a client gets a blob itself, where there is such a thing. The storage is not asked.
    pub(super) async fn presigned(
        &self,
        digest: &Digest,
        head: bool,
        lasting: Duration,
    ) -> Result<Option<String>, Error> {
        self.backend.presigned(digest, head, lasting).await
    }

    /// Counts from now on.
    pub(super) fn count(&self) {
        self.actions.get_or_init(Actions::new);
    }

    pub(super) fn actions(&self) -> Option<&Actions> {
        self.actions.get()
    }

    async fn timed<T>(
        &self,
        action: Action,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let Some(actions) = self.actions.get() else { return call.await };
        let began = Instant::now();
        let result = call.await;
        actions.count(action, began.elapsed(), result.as_ref().is_err_and(is_failure));
        result
    }
}

/// Whether the storage did not do what it is there for.
fn is_failure(error: &Error) -> bool {
    !matches!(error.kind(), Kind::NotFound | Kind::TooLarge | Kind::Busy)
}

impl Driver for Store {
    async fn get(&self, key: Key<'_>, limit: usize) -> Result<Bytes, Error> {
        self.timed(Action::GetContent, self.backend.get(key, limit)).await
    }

    async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        self.timed(Action::Reader, self.backend.open(key)).await
    }

    async fn stat(&self, key: Key<'_>) -> Result<Stat, Error> {
        self.timed(Action::Stat, self.backend.stat(key)).await
    }

    async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        let _noted = self.noting_key(key);
        self.timed(Action::PutContent, self.backend.put(key, bytes)).await
    }

    async fn stage(&self, key: Key<'_>, bytes: Bytes) -> Result<Staged, Error> {
        let staged = self.timed(Action::PutContent, self.backend.stage(key, bytes)).await?;
        Ok(staged.making(Item::of(key).into_iter().collect()))
    }

    async fn stage_folder(
        &self,
        folder: Folder<'_>,
        objects: Vec<(Key<'_>, Bytes)>,
    ) -> Result<Staged, Error> {
        let items = objects.iter().filter_map(|(key, _)| Item::of(*key)).collect();
        let staged = self.backend.stage_folder(folder, objects);
        Ok(self.timed(Action::PutContent, staged).await?.making(items))
    }

    async fn commit(&self, staged: Staged) -> Result<(), Error> {
        let items = staged.makes().to_vec();
        let _noted = self.touched.noting(|| items.iter().cloned().map(Thing::Object).collect());
        // What it leads to was looked at by then.
        Tenure::of_this_task().map_or(Ok(()), |begun| self.confirm(begun))?;
        self.timed(Action::Move, self.backend.commit(staged)).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), Error> {
        let _noted = self.noting_key(key);
        self.timed(Action::Delete, self.backend.delete(key)).await
    }

    async fn create_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let _noted = self.noting_folder(folder);
        self.timed(Action::CreateFolder, self.backend.create_folder(folder)).await
    }

    async fn folder_exists(&self, folder: Folder<'_>) -> Result<bool, Error> {
        self.timed(Action::Stat, self.backend.folder_exists(folder)).await
    }

    async fn delete_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let _noted = self.noting_folder(folder);
        self.timed(Action::Delete, self.backend.delete_folder(folder)).await
    }

    async fn list(&self, folder: Folder<'_>) -> Result<Vec<Entry>, Error> {
        self.timed(Action::List, self.backend.list(folder)).await
    }

    async fn changed(&self, folder: Folder<'_>) -> Result<Option<SystemTime>, Error> {
        self.timed(Action::Stat, self.backend.changed(folder)).await
    }

    async fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> Result<(), Error> {
        let begun = self.backend.begin_upload(repository, id, started_at);
        self.timed(Action::PutContent, begun).await
    }

    async fn append(&self, repository: &RepositoryName, id: UploadId) -> Result<Writer, Error> {
        self.timed(Action::Writer, self.backend.append(repository, id)).await
    }

    async fn end_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        self.timed(Action::Delete, self.backend.end_upload(repository, id)).await
    }

    async fn publish(&self, upload: Writer, digest: &Digest) -> Result<(), Error> {
        let _noted = self.noting_key(Key::Blob(digest));
        self.timed(Action::Move, self.backend.publish(upload, digest)).await
    }
}
