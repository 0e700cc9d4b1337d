//! The `filesystem` driver: Distribution's folder on a local disk.
//!
//! What the caches of the kernel can answer is answered on the calling thread (`RESOLVE_CACHED`,
//! `RWF_NOWAIT`); everything else runs on a blocking thread, of which `maxthreads` bounds the number.
//! Every file appears by a rename of a durable file, every folder on the way to it is durable before
//! the call returns.

mod bulk;
mod cached;
mod folders;
mod lease;
mod near;
mod stage;
mod staged;
mod store;
mod survey;
mod syncs;
mod trash;
mod upload;

use std::{fs, io, path::Path, sync::Arc, time::SystemTime};

use bytes::Bytes;
use oci::{Digest, RepositoryName};
use rustix::fs::{Mode, OFlags};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    Driver, Entry, Error, FilesystemConfig, Folder, Key, Kind, Object, Staged, Stat, Tenure,
    UploadId, Writer,
    batches::{Sink, Stored},
    error::Context,
    staged::Place,
};
use lease::Lease;
pub(crate) use staged::StagedFile;
use store::Store;
pub(crate) use upload::UploadFile;

/// A folder that holds `docker/registry/v2`. Clones share it.
#[derive(Clone, Debug)]
pub struct Filesystem {
    store: Arc<Store>,
    /// As many blocking operations at once as `maxthreads` says.
    permits: Arc<Semaphore>,
    /// Says to other processes that this one uses the folder.
    lease: Option<Arc<Lease>>,
}

/// The folder without others: who opens it meanwhile is refused. Dropped, it is shared again.
#[derive(Debug)]
pub struct Alone {
    /// There until it is dropped.
    lease: Option<Arc<Lease>>,
}

/// How a process uses a store beside others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// As a server does, or who changes what nobody else changes meanwhile.
    Shared,
    /// As who changes nothing.
    Look,
    /// Nobody else may have it open.
    Alone,
    /// By leave of another process that has it open, and is asked before anything is changed.
    Guest,
}

impl Filesystem {
    /// Opens the folder, making it where it is missing, and sweeps what a crash has left staged.
    ///
    /// # Errors
    /// The folder cannot be made or opened.
    pub fn open(options: &FilesystemConfig) -> Result<Self, Error> {
        let path = &options.root_directory;
        fs::create_dir_all(path).during("create folder", path.display())?;
        let root = fs::File::open(path).during("open folder", path.display())?;
        if !root.metadata().during("open folder", path.display())?.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(Error::io("open folder", path.display(), error));
        }
        let store = Store::new(root.into());
        if !path.join("docker").exists() {
            sync_above(path);
        }
        let lease = Lease::shared(&store)?;
        stage::sweep(&store)?;
        Ok(Self::of(store, options, lease))
    }

    /// Opens a folder that is there, without changing anything in it but the lease.
    ///
    /// # Errors
    /// The folder cannot be opened; [`Kind::Busy`] when others have it in a way that excludes this.
    pub fn open_existing(options: &FilesystemConfig, access: Access) -> Result<Self, Error> {
        let path = &options.root_directory;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty());
        let store = Store::new(root.during("open folder", path.display())?);
        let lease = match access {
            Access::Shared | Access::Look => Lease::shared(&store)?,
            Access::Alone => Lease::alone(&store)?,
            Access::Guest => None,
        };
        Ok(Self::of(store, options, lease))
    }

    fn of(store: Store, options: &FilesystemConfig, lease: Option<Lease>) -> Self {
        let permits = Semaphore::new(options.max_threads.clamp(1, Semaphore::MAX_PERMITS));
        Self { store: Arc::new(store), permits: Arc::new(permits), lease: lease.map(Arc::new) }
    }

    /// Keeps other processes from using the folder.
    ///
    /// # Errors
    /// [`Kind::Busy`] while another one does; [`Kind::Denied`] where nobody can say so.
    pub fn exclude_others(&self) -> Result<Alone, Error> {
        let no_locks = || Error::new(Kind::Denied, "lease", "a filesystem without locks");
        let lease = Arc::clone(self.lease.as_ref().ok_or_else(no_locks)?);
        // Dropped, it is shared again, whatever came of this.
        let alone = Alone { lease: Some(Arc::clone(&lease)) };
        lease.exclude_others()?;
        Ok(alone)
    }

    /// The share of the folder under which a write begins; none where nobody can say so.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] while another process has the folder alone.
    pub(crate) fn tenure(&self) -> Result<Tenure, Error> {
        let number = self.lease.as_ref().map(Lease::number).transpose()?;
        Ok(number.map_or_else(Tenure::default, Tenure))
    }

    /// # Errors
    /// [`Kind::Unavailable`] if another process may have had the folder alone since then.
    pub(crate) fn confirm(&self, Tenure(number): Tenure) -> Result<(), Error> {
        self.lease.as_ref().map_or(Ok(()), |lease| lease.has_still(number))
    }

    /// How many bytes whoever is not root may still write.
    pub(crate) async fn room(&self) -> Result<u64, Error> {
        self.blocking(|store| {
            let said = rustix::fs::fstatvfs(&store.root).during("look at", "the filesystem")?;
            Ok(said.f_bavail.saturating_mul(said.f_frsize))
        })
        .await
    }

    /// Runs `work` on a blocking thread; once begun, it ends even if the caller goes away.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Store>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(Kind::Other, "use", "closed store"))?;
        let store = Arc::clone(&self.store);
        let joined = spawn_blocking(move || {
            let result = work(&store);
            drop(permit);
            result
        });
        joined.await.map_err(|error| Error::io("use", "store", io::Error::other(error)))?
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Where nobody else in this process uses the folder the file is closed, and the lock is gone with it.
        if let Some(Err(lease)) = self.lease.take().map(Arc::try_unwrap) {
            lease.give_back();
        }
    }
}

impl Driver for Filesystem {
    async fn get(&self, key: Key<'_>, limit: usize) -> Result<Bytes, Error> {
        let key = key.to_string();
        if let Some(result) = cached::get(&self.store, &key, limit) {
            return result;
        }
        self.blocking(move |store| store.get(&key, limit)).await
    }

    async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        let key = key.to_string();
        if let Some(result) = cached::open(&self.store, &key) {
            return result;
        }
        self.blocking(move |store| store.open(&key)).await
    }

    async fn stat(&self, key: Key<'_>) -> Result<Stat, Error> {
        let key = key.to_string();
        if let Some(result) = cached::stat(&self.store, &key) {
            return result;
        }
        self.blocking(move |store| store.stat(&key)).await
    }

    async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        let key = key.to_string();
        self.blocking(move |store| StagedFile::write(store, key, &bytes)?.commit()).await
    }

    async fn stage(&self, key: Key<'_>, bytes: Bytes) -> Result<Staged, Error> {
        let key = key.to_string();
        let file = self.blocking(move |store| StagedFile::write(store, key, &bytes)).await?;
        Ok(Staged::at(Place::File(file)))
    }

    async fn stage_folder(
        &self,
        folder: Folder<'_>,
        objects: Vec<(Key<'_>, Bytes)>,
    ) -> Result<Staged, Error> {
        let folder = folder.to_string();
        let objects: Vec<_> =
            objects.into_iter().map(|(key, bytes)| (key.to_string(), bytes)).collect();
        let work = move |store: &Arc<Store>| StagedFile::write_folder(store, folder, &objects);
        Ok(Staged::at(Place::File(self.blocking(work).await?)))
    }

    async fn commit(&self, staged: Staged) -> Result<(), Error> {
        match staged.place {
            Place::File(file) => self.blocking(move |_| file.commit()).await,
            Place::Memory(_) => Err(Error::new(Kind::Other, "commit", "object of another store")),
        }
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), Error> {
        let key = key.to_string();
        self.blocking(move |store| store.delete(&key)).await
    }

    async fn create_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let folder = folder.to_string();
        if store_knows(&self.store, &folder) {
            return Ok(());
        }
        self.blocking(move |store| store.create_folder(&folder)).await
    }

    async fn folder_exists(&self, folder: Folder<'_>) -> Result<bool, Error> {
        let folder = folder.to_string();
        let result = match cached::stat(&self.store, &folder) {
            Some(result) => result,
            None => self.blocking(move |store| store.stat(&folder)).await,
        };
        match result {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn delete_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let folder = folder.to_string();
        self.blocking(move |store| store.delete_folder(&folder)).await
    }

    async fn list(&self, folder: Folder<'_>) -> Result<Vec<Entry>, Error> {
        let folder = folder.to_string();
        self.blocking(move |store| store.list(&folder)).await
    }

    async fn changed(&self, folder: Folder<'_>) -> Result<Option<SystemTime>, Error> {
        let folder = folder.to_string();
        let stat = match cached::stat(&self.store, &folder) {
            Some(stat) => stat,
            None => self.blocking(move |store| store.stat(&folder)).await,
        };
        Ok(Some(stat?.modified))
    }

    async fn begin_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        started_at: &str,
    ) -> Result<(), Error> {
        let data = Key::UploadData(repository, &id).to_string();
        let started = Key::UploadStartedAt(repository, &id).to_string();
        let text = started_at.to_owned();
        self.blocking(move |store| upload::begin(store, &data, &started, &text)).await
    }

    async fn append(&self, repository: &RepositoryName, id: UploadId) -> Result<Writer, Error> {
        let data = Key::UploadData(repository, &id).to_string();
        let (file, offset) = self.blocking(move |store| UploadFile::open(store, data)).await?;
        Ok(Writer::new(Sink::File(file), offset))
    }

    async fn end_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        let folder = Folder::Upload(repository, &id).to_string();
        self.blocking(move |store| {
            stage::remove_tree(&store.root, &folder).during("delete", &folder)
        })
        .await
    }

    async fn publish(&self, upload: Writer, digest: &Digest) -> Result<(), Error> {
        let target = Key::Blob(digest).to_string();
        let Stored { sink, offset } = upload.finish().await?;
        match sink {
            Sink::File(file) => self.blocking(move |_| file.publish(&target, offset)).await,
            Sink::Memory(_) => Err(Error::new(Kind::Other, "publish", target)),
        }
    }
}

/// Makes the name of a new root, and of the folders above it, durable.
///
/// Folders that this process may not open were not made by it.
fn sync_above(path: &Path) {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for folder in path.ancestors().skip(1) {
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Whether the folder was made, or found and made durable, by this process.
fn store_knows(store: &Store, folder: &str) -> bool {
    store.folders.is_durable(folder) && matches!(cached::stat(store, folder), Some(Ok(_)))
}
