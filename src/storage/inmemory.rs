//! The `inmemory` driver: for tests and trials; everything is gone with the process.
//!
//! A sorted map of paths to bytes, as an object store is; folders exist while something is in them,
//! or once they were made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};
use oci::{Algorithm, Digest, Digester, RepositoryName};

use crate::{
    Driver, Entry, Error, Folder, Key, Kind, Object, Staged, Stat, UploadId, Writer,
    batches::{Sink, Stored},
    staged::Place,
};

/// A store in the memory of this process.
#[derive(Debug, Default)]
pub struct InMemory {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, (Bytes, SystemTime)>,
    folders: BTreeSet<String>,
    uploads: BTreeMap<String, UploadBytes>,
}

/// The bytes of one upload session, shared between the store and the writer that holds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct UploadBytes(Arc<Mutex<BytesMut>>);

impl UploadBytes {
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.lock().extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn rehash(&self, algorithm: Algorithm) -> Result<Digester, Error> {
        let mut digester = Digester::new(algorithm);
        digester.update(&self.lock());
        Ok(digester)
    }

    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: Key<'_>, operation: &'static str) -> Result<(Bytes, Stat), Error> {
        let contents = self.lock();
        let (bytes, modified) = contents
            .objects
            .get(&key.to_string())
            .ok_or_else(|| Error::new(Kind::NotFound, operation, key))?;
        Ok((bytes.clone(), Stat { size: bytes.len() as u64, modified: *modified }))
    }
}

impl Contents {
    fn paths(&self) -> impl Iterator<Item = &String> {
        self.objects.keys().chain(&self.folders).chain(self.uploads.keys())
    }

    fn has_folder(&self, folder: &str) -> bool {
        let inside = format!("{folder}/");
        self.folders.contains(folder) || self.paths().any(|path| path.starts_with(&inside))
    }
}

impl Driver for InMemory {
    async fn get(&self, key: Key<'_>, limit: usize) -> Result<Bytes, Error> {
        let (bytes, _) = self.find(key, "read")?;
        if bytes.len() > limit { Err(Error::new(Kind::TooLarge, "read", key)) } else { Ok(bytes) }
    }

    async fn open(&self, key: Key<'_>) -> Result<Object, Error> {
        self.find(key, "open").map(|(bytes, stat)| Object::of_bytes(bytes, stat))
    }

    async fn stat(&self, key: Key<'_>) -> Result<Stat, Error> {
        if let Key::UploadData(..) = key {
            let contents = self.lock();
            let upload = contents.uploads.get(&key.to_string());
            let upload = upload.ok_or_else(|| Error::new(Kind::NotFound, "stat", key))?;
            let size = upload.lock().len() as u64;
            return Ok(Stat { size, modified: SystemTime::now() });
        }
        self.find(key, "stat").map(|(_, stat)| stat)
    }

    async fn put(&self, key: Key<'_>, bytes: Bytes) -> Result<(), Error> {
        self.lock().objects.insert(key.to_string(), (bytes, SystemTime::now()));
        Ok(())
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
        let objects = objects.into_iter().map(|(key, bytes)| (key, (bytes, SystemTime::now())));
        self.lock().objects.extend(objects);
        Ok(())
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), Error> {
        let removed = self.lock().objects.remove(&key.to_string());
        removed.map(drop).ok_or_else(|| Error::new(Kind::NotFound, "delete", key))
    }

    async fn create_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        self.lock().folders.insert(folder.to_string());
        Ok(())
    }

    async fn folder_exists(&self, folder: Folder<'_>) -> Result<bool, Error> {
        Ok(self.lock().has_folder(&folder.to_string()))
    }

    async fn delete_folder(&self, folder: Folder<'_>) -> Result<(), Error> {
        let folder = folder.to_string();
        let mut contents = self.lock();
        if !contents.has_folder(&folder) {
            return Err(Error::new(Kind::NotFound, "delete", folder));
        }
        let inside = format!("{folder}/");
        let stays = |path: &String| *path != folder && !path.starts_with(&inside);
        contents.objects.retain(|path, _| stays(path));
        contents.uploads.retain(|path, _| stays(path));
        contents.folders.retain(stays);
        Ok(())
    }

    async fn list(&self, folder: Folder<'_>) -> Result<Vec<Entry>, Error> {
        let contents = self.lock();
        let folder = folder.to_string();
        if !contents.has_folder(&folder) {
            return Err(Error::new(Kind::NotFound, "list", folder));
        }
        let inside = format!("{folder}/");
        let mut entries = BTreeMap::new();
        for path in contents.paths() {
            let Some(rest) = path.strip_prefix(&inside) else { continue };
            let (name, is_folder) = match rest.split_once('/') {
                Some((name, _)) => (name, true),
                None => (rest, contents.folders.contains(path)),
            };
            *entries.entry(name.to_owned()).or_insert(false) |= is_folder;
        }
        Ok(entries.into_iter().map(|(name, is_folder)| Entry { name, is_folder }).collect())
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
        let started = Bytes::copy_from_slice(started_at.as_bytes());
        self.put(Key::UploadStartedAt(repository, &id), started).await?;
        let data = Key::UploadData(repository, &id).to_string();
        self.lock().uploads.insert(data, UploadBytes::default());
        Ok(())
    }

    async fn append(&self, repository: &RepositoryName, id: UploadId) -> Result<Writer, Error> {
        let key = Key::UploadData(repository, &id);
        let contents = self.lock();
        let upload = contents.uploads.get(&key.to_string());
        let upload = upload.ok_or_else(|| Error::new(Kind::NotFound, "open", key))?;
        // The store holds one, a writer the other.
        if Arc::strong_count(&upload.0) > 1 {
            return Err(Error::new(Kind::Busy, "open", key));
        }
        let offset = upload.lock().len() as u64;
        Ok(Writer::new(Sink::Memory(upload.clone()), offset))
    }

    async fn end_upload(&self, repository: &RepositoryName, id: UploadId) -> Result<(), Error> {
        self.delete_folder(Folder::Upload(repository, &id)).await
    }

    async fn publish(&self, upload: Writer, digest: &Digest) -> Result<(), Error> {
        let key = Key::Blob(digest);
        let Stored { sink, .. } = upload.finish().await?;
        let Sink::Memory(upload) = sink else {
            return Err(Error::new(Kind::Other, "publish", key));
        };
        let bytes = std::mem::take(&mut *upload.lock()).freeze();
        self.put(key, bytes).await
    }
}
