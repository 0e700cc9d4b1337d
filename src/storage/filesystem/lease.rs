//! Who uses the folder: a lock on the folder itself, held as long as a store is open. Nothing is written for it.
//!
//! Every process that serves the folder shares it; a collection that may not be disturbed has it alone. The
//! lock ends with the process, however that ends. Registries of others hold none, and some network
//! filesystems know no locks: there nobody is told.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, openat},
    io::Errno,
};

use super::store::Store;
use crate::{Error, Kind, error::Context};

/// How the folder is called in errors; they name its path elsewhere.
const ROOT: &str = "the root folder";

/// The lock.
///
/// The kernel lets go of a shared lock before it refuses to make it one's own alone, and somebody else may have the folder
/// alone by then. So what was shared before that is over: it is another share afterwards, with another number.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Which share of the folder it is.
    number: u64,
    /// Whether it is not shared now.
    is_away: bool,
    /// Whether a thread waits to share it again.
    is_waited_for: bool,
}

impl Lease {
    /// Shares the folder; none on a filesystem without locks.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody has it alone.
    pub(super) fn shared(store: &Store) -> Result<Option<Self>, Error> {
        lock(open(store)?, FlockOperation::NonBlockingLockShared)
    }

    /// Takes the folder alone; none on a filesystem without locks.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody uses it.
    pub(super) fn alone(store: &Store) -> Result<Option<Self>, Error> {
        lock(open(store)?, FlockOperation::NonBlockingLockExclusive)
    }

    /// The share of the folder under which a write begins.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] while somebody else has it alone.
    pub(super) fn number(self: &Arc<Self>) -> Result<u64, Error> {
        let mut state = self.state();
        if state.is_away {
            self.share_again(&mut state);
        }
        if state.is_away { Err(barred(Barred::Others)) } else { Ok(state.number) }
    }

    /// Sees that it has been the same share all the while.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if somebody else may have had the folder alone.
    pub(super) fn has_still(&self, number: u64) -> Result<(), Error> {
        let state = self.state();
        if state.is_away || state.number != number { Err(barred(Barred::Lost)) } else { Ok(()) }
    }

    /// Has alone what was shared; [`Lease::give_back`] is to follow, also when others use it.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody else uses the folder.
    pub(super) fn exclude_others(&self) -> Result<(), Error> {
        let mut state = self.state();
        if state.is_away {
            // Whoever waits for it would share what this one has alone.
            return held(Err(Errno::AGAIN));
        }
        // Where it succeeds the kernel does it in one step.
        take(&self.file, FlockOperation::NonBlockingLockExclusive).inspect_err(|_| {
            state.is_away = true;
            state.number += 1;
        })
    }

    /// Shares it again: at once, or as soon as whoever has come between has gone, who is waited for by a thread.
    pub(super) fn give_back(self: Arc<Self>) {
        let mut state = self.state();
        self.share_again(&mut state);
    }

    fn share_again(self: &Arc<Self>, state: &mut State) {
        if state.is_waited_for {
            return;
        }
        if take(&self.file, FlockOperation::NonBlockingLockShared).is_ok() {
            state.is_away = false;
            return;
        }
        if !state.is_away {
            state.is_away = true;
            state.number += 1;
        }
        let waiting = Arc::clone(self);
        let wait = move || {
            let taken = take(&waiting.file, FlockOperation::LockShared);
            let mut state = waiting.state();
            state.is_away = taken.is_err();
            state.is_waited_for = false;
        };
        // Without a thread whoever wants to write next tries again.
        state.is_waited_for = thread::Builder::new().spawn(wait).is_ok();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing may be written.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Barred {
    #[error(
        "a collection, or another change, has the storage alone: it is to be tried again when that has ended"
    )]
    Others,
    #[error(
        "another process may have had the storage alone meanwhile, and removed what the write needs: it is to be tried again"
    )]
    Lost,
}

fn barred(why: Barred) -> Error {
    Error::answered(Kind::Unavailable, "write", ROOT, why)
}

/// The folder once more: the lock is this file's, and not the store's own.
fn open(store: &Store) -> Result<File, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&store.root, ".", flags, Mode::empty()).map(File::from).during("lease", ROOT)
}

fn lock(file: File, operation: FlockOperation) -> Result<Option<Lease>, Error> {
    match flock(&file, operation) {
        Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => Ok(None),
        result => held(result).map(|()| Some(Lease { file, state: Mutex::default() })),
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn store(folder: &std::path::Path) -> Store {
        Store::new(File::open(folder).unwrap().into())
    }

    #[test]
    fn a_share_that_was_lost_is_over_though_it_comes_back() {
        let scratch = tempfile::tempdir().unwrap();
        let store = store(scratch.path());
        let ours = Arc::new(Lease::shared(&store).unwrap().unwrap());
        let first = ours.number().unwrap();
        let guest = Lease::shared(&store).unwrap();
        // The kernel has let go of our share when it says no, and somebody else is faster than the way back.
        assert_eq!(ours.exclude_others().unwrap_err().kind(), Kind::Busy);
        drop(guest);
        let other = Lease::alone(&store).unwrap().unwrap();
        Arc::clone(&ours).give_back();
        assert_eq!(ours.has_still(first).unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(ours.number().unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(ours.exclude_others().unwrap_err().kind(), Kind::Busy);
        drop(other);
        let deadline = Instant::now() + Duration::from_secs(60);
        let next = loop {
            match ours.number() {
                Ok(next) => break next,
                Err(_) => assert!(Instant::now() < deadline),
            }
            thread::yield_now();
        };
        ours.has_still(next).unwrap();
        assert_eq!(ours.has_still(first).unwrap_err().kind(), Kind::Unavailable);
        // To have it alone and to share it again takes nothing from those who write.
        ours.exclude_others().unwrap();
        Arc::clone(&ours).give_back();
        ours.has_still(next).unwrap();
        assert!(Lease::alone(&store).is_err());
    }
}
