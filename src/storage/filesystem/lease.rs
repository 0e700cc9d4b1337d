//! Who uses the folder: a lock on `docker/registry/v2/regctl/lease`, held as long as a store is open.
//!
//! Every process that serves the folder shares it; a collection that may not be disturbed has it alone. The
//! lock ends with the process, however that ends. Registries of others hold none, and some network
//! filesystems know no locks: there nobody is told.

use std::{fs::File, io};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, openat},
    io::Errno,
};

use super::{folders::parent, store::Store};
use crate::{Error, Kind, error::Context};

const LEASE: &str = "docker/registry/v2/regctl/lease";
/// Whoever may read the folder may say that he does.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// The lock.
#[derive(Debug)]
pub(super) struct Lease(#[expect(dead_code, reason = "held until it is dropped")] File);

impl Lease {
    /// Shares the folder; none where it cannot be written to, so that nothing can be collected either.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody has it alone.
    pub(super) fn shared(store: &Store) -> Result<Option<Self>, Error> {
        match open(store) {
            Ok(file) => lock(file, FlockOperation::NonBlockingLockShared),
            Err(error) if error.kind() == Kind::Denied || error.kind() == Kind::NoSpace => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the folder alone; none on a filesystem without locks.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody uses it.
    pub(super) fn alone(store: &Store) -> Result<Option<Self>, Error> {
        lock(open(store)?, FlockOperation::NonBlockingLockExclusive)
    }
}

fn open(store: &Store) -> Result<File, Error> {
    // Nothing here has to survive a loss of power.
    let _unsynced = store.folders.make(&store.root, parent(LEASE))?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(&store.root, LEASE, flags, MODE).map(File::from).during("open", LEASE)
}

fn lock(file: File, operation: FlockOperation) -> Result<Option<Lease>, Error> {
    match flock(&file, operation) {
        Ok(()) => Ok(Some(Lease(file))),
        Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => Ok(None),
        Err(Errno::AGAIN) => {
            let held = io::Error::from(io::ErrorKind::WouldBlock);
            Err(Error::io("lease", LEASE, held))
        }
        Err(error) => Err(Error::io("lease", LEASE, error.into())),
    }
}
