//! The data file of an upload session.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use oci::{Algorithm, Digester};
use rustix::{
    fs::{
        AtFlags, FlockOperation, Mode, OFlags, fdatasync, flock, fstat, openat, statat, unlinkat,
    },
    io::Errno,
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    folders::parent,
    stage::remove_tree,
    store::{FILE_MODE, Store},
};
use crate::{Error, Kind, buffer::BUFFER_BYTES, error::Context};

/// How much may be dirty before the disk is set to work: the last sync is short then.
const WRITE_BACK_BYTES: u64 = 32 * 1024 * 1024;

/// The data of one session, open and locked: no other process or request appends to it.
#[derive(Debug)]
pub(crate) struct UploadFile {
    store: Arc<Store>,
    file: Arc<File>,
    key: String,
    /// Up to where the file is known to be durable.
    durable: u64,
    write_back: WriteBack,
}

/// The sync that runs beside the writing.
#[derive(Debug, Default)]
struct WriteBack {
    running: Option<JoinHandle<()>>,
    /// The kernel reports a failed write-back once, to whoever asks first: it must not be lost.
    failed: Arc<OnceLock<io::Error>>,
}

/// Begins a session; what a full disk has cut short leaves nothing that nobody could name.
pub(super) fn begin(store: &Store, data: &str, started: &str, text: &str) -> Result<(), Error> {
    let begun = begin_files(store, data, started, text);
    if begun.is_err() {
        let _ = remove_tree(&store.root, parent(data));
    }
    begun
}

fn begin_files(store: &Store, data: &str, started: &str, text: &str) -> Result<(), Error> {
    // A session that a loss of power takes was never promised.
    let _unsynced = store.folders.make(&store.root, parent(data))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = File::from(openat(&store.root, started, flags, FILE_MODE).during("write", started)?);
    file.write_all_at(text.as_bytes(), 0).during("write", started)?;
    openat(&store.root, data, flags, FILE_MODE).during("write", data).map(drop)
}

impl UploadFile {
    /// Opens and locks the file; also returns its length.
    pub(super) fn open(store: &Arc<Store>, key: String) -> Result<(Self, u64), Error> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let file =
            File::from(openat(&store.root, &key, flags, Mode::empty()).during("open", &key)?);
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => {}
            Err(error) => return Err(Error::io("lock", &key, error.into())),
        }
        // Who held the lock before may have made the file a blob meanwhile.
        let named = statat(&store.root, &key, AtFlags::empty()).during("open", &key)?;
        let opened = fstat(&file).during("open", &key)?;
        if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino) {
            return Err(Error::new(Kind::NotFound, "open", &key));
        }
        let length = u64::try_from(opened.st_size).unwrap_or(0);
        let (store, file) = (Arc::clone(store), Arc::new(file));
        let write_back = WriteBack::default();
        Ok((Self { store, file, key, durable: 0, write_back }, length))
    }

    pub(crate) fn write(&mut self, at: u64, bytes: &Bytes) -> Result<(), Error> {
        self.file.write_all_at(bytes, at).during("write", &self.key)?;
        let end = at + bytes.len() as u64;
        if end / WRITE_BACK_BYTES != at / WRITE_BACK_BYTES {
            self.write_back.begin(&self.file);
        }
        Ok(())
    }

    /// Waits for the sync that runs beside the writing: only then is the session free for others.
    pub(crate) async fn rest(&mut self) -> Result<(), Error> {
        if let Some(running) = self.write_back.running.take() {
            running.await.map_err(io::Error::other).during("sync", &self.key)?;
        }
        match self.write_back.failed.get() {
            None => Ok(()),
            Some(error) => {
                let error = io::Error::new(error.kind(), error.to_string());
                Err(self.distrust(error))
            }
        }
    }

    /// Syncs the first `length` bytes.
    pub(crate) fn sync(&mut self, length: u64) -> Result<(), Error> {
        if self.durable < length {
            if let Err(error) = fdatasync(&self.file) {
                return Err(self.distrust(error.into()));
            }
            self.durable = length;
        }
        Ok(())
    }

    /// Ends the session: after a failed sync the page cache and the disk may differ, and a second sync
    /// would say that all is well.
    fn distrust(&self, error: io::Error) -> Error {
        // Whoever sees the error starts again; what stays is purged when it is old.
        let _ = unlinkat(&self.store.root, &self.key, AtFlags::empty());
        Error::io("sync", &self.key, error)
    }

    /// Hashes the first `length` bytes.
    pub(crate) fn rehash(&self, algorithm: Algorithm, length: u64) -> Result<Digester, Error> {
        let mut digester = Digester::new(algorithm);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut at = 0;
        while at < length {
            let wanted = usize::try_from(length - at).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            match self.file.read_at(&mut buffer[..wanted], at) {
                Ok(0) => return Err(Error::new(Kind::Truncated, "read", &self.key)),
                Ok(read) => {
                    digester.update(&buffer[..read]);
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).during("read", &self.key),
            }
        }
        Ok(digester)
    }

    /// Gives the `length` bytes the blob's name, synced.
    pub(super) fn publish(mut self, target: &str, length: u64) -> Result<(), Error> {
        // Somebody who takes no lock has appended: the digest does not speak for that.
        if self.file.metadata().during("stat", &self.key)?.len() != length {
            return Err(Error::new(Kind::Busy, "publish", &self.key));
        }
        let store = Arc::clone(&self.store);
        match store.stat(target) {
            Ok(stat) if stat.size == length => return store.make_durable(target),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        self.sync(length)?;
        store.rename_into(&self.key, target)
    }
}

impl WriteBack {
    /// Begins a sync unless one is running.
    fn begin(&mut self, file: &Arc<File>) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let (file, failed) = (Arc::clone(file), Arc::clone(&self.failed));
        self.running = Some(spawn_blocking(move || {
            if let Err(error) = fdatasync(&file) {
                // The first one is enough.
                let _ = failed.set(error.into());
            }
        }));
    }
}
