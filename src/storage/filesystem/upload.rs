//! The data file of an upload session.

use std::{
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    sync::Arc,
};

use bytes::Bytes;
use oci::{Algorithm, Digester};
use rustix::{
    fs::{FlockOperation, Mode, OFlags, fdatasync, flock, openat},
    io::Errno,
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    folders::parent,
    store::{FILE_MODE, Store},
};
use crate::{Error, Kind, buffer::BUFFER_BYTES, error::Context};

/// How much may be dirty before the disk is set to work: the last sync is short then.
const WRITE_BACK_BYTES: u64 = 32 * 1024 * 1024;

/// The data of one session, open and locked: no other process or request appends to it.
#[derive(Debug)]
pub(crate) struct UploadFile {
    file: Arc<File>,
    key: String,
    /// Up to where a sync was begun.
    synced: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

pub(super) fn begin(store: &Store, data: &str, started: &str, text: &str) -> Result<(), Error> {
    // A session that a loss of power takes was never promised.
    let _unsynced = store.folders.make(&store.root, parent(data))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = File::from(openat(&store.root, started, flags, FILE_MODE).during("write", started)?);
    file.write_all_at(text.as_bytes(), 0).during("write", started)?;
    openat(&store.root, data, flags, FILE_MODE).during("write", data).map(drop)
}

impl UploadFile {
    /// Opens and locks the file; also returns its length.
    pub(super) fn open(store: &Store, key: String) -> Result<(Self, u64), Error> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let file =
            File::from(openat(&store.root, &key, flags, Mode::empty()).during("open", &key)?);
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => {}
            Err(error) => return Err(Error::io("lock", &key, error.into())),
        }
        let length = file.metadata().during("open", &key)?.len();
        Ok((Self { file: Arc::new(file), key, synced: length, syncing: None }, length))
    }

    pub(crate) fn write(&mut self, at: u64, bytes: &Bytes) -> Result<(), Error> {
        self.file.write_all_at(bytes, at).during("write", &self.key)?;
        self.write_back(at + bytes.len() as u64);
        Ok(())
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

    /// Syncs the data and gives it the blob's name.
    pub(super) fn publish(self, store: &Store, target: &str) -> Result<(), Error> {
        fdatasync(&self.file).during("sync", &self.key)?;
        let size = self.file.metadata().during("stat", &self.key)?.len();
        match store.stat(target) {
            Ok(stat) if stat.size == size => return store.settle(target),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        store.rename_into(&self.key, target)
    }

    /// Sets the disk to work on what was written, beside the writing.
    fn write_back(&mut self, end: u64) {
        if end - self.synced < WRITE_BACK_BYTES {
            return;
        }
        if self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished()) {
            return;
        }
        let file = Arc::clone(&self.file);
        self.synced = end;
        // An error shows again in the sync at the end.
        self.syncing = Some(spawn_blocking(move || Ok(fdatasync(file.as_fd())?)));
    }
}
