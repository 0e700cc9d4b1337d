//! A folder of this process's own, outside of what Distribution reads: files are made here before they
//! are renamed to their place, and folders go here before they are removed.
//!
//! It is `docker/registry/v2/regctl/<uuid>`, on the filesystem that holds the rest, locked for the life of the process. At start the folders
//! that nobody locks are swept: a crash leaves nothing for long, and a process that still drains
//! loses nothing.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, openat, statat, unlinkat},
    io::Errno,
};
use uuid::Uuid;

use super::store::Store;
use crate::{Error, Kind, error::Context};

const STAGES: &str = "docker/registry/v2/regctl";

/// Being swept while starting is rare, twice in a row nearly impossible.
const ATTEMPTS: usize = 8;

/// The folder, locked.
#[derive(Debug)]
pub(super) struct Stage {
    path: String,
    next: AtomicU64,
    /// Holds the lock until the process ends.
    _lock: File,
}

impl Stage {
    /// This process's stage, made at the first use: a store that is only read is not written to. When
    /// somebody has removed it, another one is made.
    pub(super) fn of(store: &Store) -> Result<Arc<Self>, Error> {
        let mut stage = store.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stage.as_ref().filter(|stage| stage.is_there(store)) {
            return Ok(Arc::clone(stage));
        }
        let made = Arc::new(Self::make(store)?);
        *stage = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Whether the folder still has its name.
    pub(super) fn is_there(&self, store: &Store) -> bool {
        statat(&store.root, &self.path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// A name that nobody else uses.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.path, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn make(store: &Store) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            let path = format!("{STAGES}/{}", Uuid::new_v4());
            // Nothing here has to survive a loss of power.
            let _unsynced = store.folders.make(&store.root, &path)?;
            let lock = open_folder(&store.root, &path).during("open", &path)?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                // Some network filesystems know no locks; then nobody sweeps either.
                Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => {}
                Err(Errno::AGAIN) => continue,
                Err(error) => return Err(Error::io("lock", &path, error.into())),
            }
            // Another process may have swept it before it was locked.
            let stage = Self { path, next: AtomicU64::new(0), _lock: lock };
            if stage.is_there(store) {
                return Ok(stage);
            }
        }
        Err(Error::new(Kind::Busy, "make a stage in", STAGES))
    }
}

/// Removes the stages of processes that are gone.
///
/// A stage that cannot be removed is left: it costs space, nothing else.
pub(super) fn sweep(store: &Store) -> Result<(), Error> {
    let stages = match open_folder(&store.root, STAGES) {
        Ok(stages) => stages,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", STAGES, error)),
    };
    for entry in Dir::read_from(&stages).during("list", STAGES)? {
        let entry = entry.during("list", STAGES)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if Uuid::try_parse(name).is_err() {
            continue;
        }
        let path = format!("{STAGES}/{name}");
        let Ok(folder) = open_folder(&store.root, &path) else { continue };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = remove_tree(&store.root, &path);
        }
    }
    Ok(())
}

/// Removes a file, or a folder with all that is in it, without following links.
pub(super) fn remove_tree(root: &OwnedFd, path: &str) -> io::Result<()> {
    let mut open = vec![path.to_owned()];
    while let Some(at) = open.last().cloned() {
        let stat = statat(root, &at, AtFlags::SYMLINK_NOFOLLOW)?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            unlinkat(root, &at, AtFlags::empty())?;
            open.pop();
            continue;
        }
        match unlinkat(root, &at, AtFlags::REMOVEDIR) {
            Ok(()) => {
                open.pop();
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let before = open.len();
                for entry in Dir::read_from(open_folder(root, &at)?)? {
                    let name = entry?.file_name().to_owned();
                    let name = name.to_str().map_err(io::Error::other)?;
                    if name != "." && name != ".." {
                        open.push(format!("{at}/{name}"));
                    }
                }
                if open.len() == before {
                    return Err(Errno::NOTEMPTY.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn open_folder(root: &OwnedFd, path: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(openat(root, path, flags, Mode::empty())?))
}
