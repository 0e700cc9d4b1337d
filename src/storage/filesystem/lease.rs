//! Who uses the folder: a lock on the folder itself, held as long as a store is open. Nothing is written for it.
//!
//! Every process that serves the folder shares it; a collection that may not be disturbed has it alone. The
//! lock ends with the process, however that ends. Registries of others hold none, and some network
//! filesystems know no locks: there nobody is told.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, openat},
    io::Errno,
};

use super::store::Store;
use crate::{Error, error::Context};

/// How the folder is called in errors; they name its path elsewhere.
const ROOT: &str = "the root folder";

/// The lock.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
    /// Whether a thread waits to share it again.
    is_coming_back: AtomicBool,
}

impl Lease {
    /// Shares the folder; none on a filesystem without locks.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::Kind::Busy) while somebody has it alone.
    pub(super) fn shared(store: &Store) -> Result<Option<Self>, Error> {
        lock(open(store)?, FlockOperation::NonBlockingLockShared)
    }

    /// Takes the folder alone; none on a filesystem without locks.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::Kind::Busy) while somebody uses it.
    pub(super) fn alone(store: &Store) -> Result<Option<Self>, Error> {
        lock(open(store)?, FlockOperation::NonBlockingLockExclusive)
    }

    /// Has alone what was shared; [`Lease::give_back`] is to follow, also when others use it.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::Kind::Busy) while somebody else uses the folder.
    pub(super) fn exclude_others(&self) -> Result<(), Error> {
        if self.is_coming_back.load(Ordering::Acquire) {
            // Whoever waits for it would share what this one has alone.
            return held(Err(Errno::AGAIN));
        }
        take(&self.file, FlockOperation::NonBlockingLockExclusive)
    }

    /// Shares it again: at once, or as soon as whoever has come between has gone, who is waited for by a thread.
    pub(super) fn give_back(self: Arc<Self>) {
        if self.is_coming_back.swap(true, Ordering::AcqRel) {
            // Somebody waits for it already.
            return;
        }
        if take(&self.file, FlockOperation::NonBlockingLockShared).is_ok() {
            self.is_coming_back.store(false, Ordering::Release);
            return;
        }
        let waiting = Arc::clone(&self);
        let wait = move || {
            // What cannot be said to others is all that is lost.
            let _ = take(&waiting.file, FlockOperation::LockShared);
            waiting.is_coming_back.store(false, Ordering::Release);
        };
        if thread::Builder::new().spawn(wait).is_err() {
            self.is_coming_back.store(false, Ordering::Release);
        }
    }
}

/// The folder once more: the lock is this file's, and not the store's own.
fn open(store: &Store) -> Result<File, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&store.root, ".", flags, Mode::empty()).map(File::from).during("lease", ROOT)
}

fn lock(file: File, operation: FlockOperation) -> Result<Option<Lease>, Error> {
    match flock(&file, operation) {
        Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => Ok(None),
        result => {
            held(result).map(|()| Some(Lease { file, is_coming_back: AtomicBool::new(false) }))
        }
    }
}

fn take(file: &File, operation: FlockOperation) -> Result<(), Error> {
    held(flock(file, operation))
}

fn held(result: Result<(), Errno>) -> Result<(), Error> {
    result.map_err(|error| match error {
        Errno::AGAIN => Error::io("lease", ROOT, io::Error::from(io::ErrorKind::WouldBlock)),
        error => Error::io("lease", ROOT, error.into()),
    })
}
