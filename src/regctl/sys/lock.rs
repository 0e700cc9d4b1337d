//! A file lock: held by an open file, so that it ends with the process, however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use nix::fcntl::OFlag;

use super::fs::Error;

/// A lock that this process holds.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

/// A lock file that is open and not yet locked.
#[derive(Debug)]
pub(crate) struct Unlocked {
    file: File,
    path: PathBuf,
}

impl Unlocked {
    /// Opens the lock file, which is created when missing and never removed: two processes that each lock a
    /// file of that name must lock the same one.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
            .map_err(|source| Error { operation: "open", path: path.to_owned(), source })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Takes the lock if nobody holds it, else gives the file back.
    pub(crate) fn try_lock(self) -> Result<Result<FileLock, Self>, Error> {
        let Self { file, path } = self;
        match file.try_lock() {
            Ok(()) => Ok(Ok(FileLock { file, path })),
            Err(TryLockError::WouldBlock) => Ok(Err(Self { file, path })),
            Err(TryLockError::Error(source)) => Err(failed(&path, source)),
        }
    }

    /// Takes the lock, waiting at most this long; `None` when somebody else still holds it.
    pub(crate) fn lock_within(self, patience: Duration) -> Result<Option<FileLock>, Error> {
        let Self { file, path } = self;
        let (sender, receiver) = mpsc::sync_channel(1);
        // The kernel waits without end: a thread waits for it. A lock that comes too late is dropped with the
        // channel.
        thread::spawn(move || {
            let locked = file.lock().map(|()| file);
            let _ = sender.send(locked);
        });
        match receiver.recv_timeout(patience) {
            Ok(Ok(file)) => Ok(Some(FileLock { file, path })),
            Ok(Err(source)) => Err(failed(&path, source)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

impl FileLock {
    /// The same open file: whoever has it holds the lock, too.
    pub(crate) fn share(&self) -> Result<OwnedFd, Error> {
        let shared = self.file.try_clone().map(OwnedFd::from);
        shared.map_err(|source| failed(&self.path, source))
    }

    /// Replaces the text in the lock file, by which others learn who holds it.
    pub(crate) fn record(&mut self, text: &str) -> Result<(), Error> {
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(text.as_bytes()));
        written.map_err(|source| Error { operation: "write", path: self.path.clone(), source })
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error { operation: "lock", path: path.to_owned(), source }
}
