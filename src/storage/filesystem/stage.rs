//! A folder of this process's own, outside of what Distribution reads: files are made here before they
//! are renamed to their place, and folders go here before they are removed.
//!
//! It is `docker/registry/regctl/<uuid>`, locked for the life of the process. At start the folders
//! that nobody locks are swept: a crash leaves nothing for long, and a process that still drains
//! loses nothing.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, openat, statat, unlinkat},
    io::Errno,
};
use uuid::Uuid;

use super::store::Store;
use crate::{Error, error::Context};

const STAGES: &str = "docker/registry/regctl";

/// The folder, locked.
#[derive(Debug)]
pub(super) struct Stage {
    path: String,
    next: AtomicU64,
    /// Holds the lock until the process ends.
    _lock: File,
}

impl Stage {
    /// This process's stage, made at the first use: a store that is only read is not written to.
    pub(super) fn of(store: &Store) -> Result<&Self, Error> {
        if let Some(stage) = store.stage.get() {
            return Ok(stage);
        }
        let _making = store.stage_made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = store.stage.get() {
            return Ok(stage);
        }
        let made = Self::make(store)?;
        Ok(store.stage.get_or_init(|| made))
    }

    /// A name that nobody else uses.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.path, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn make(store: &Store) -> Result<Self, Error> {
        let path = format!("{STAGES}/{}", Uuid::new_v4());
        // Nothing here has to survive a loss of power.
        let _unsynced = store.folders.make(&store.root, &path)?;
        let lock = open_folder(&store.root, &path).during("open", &path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // Some network filesystems know no locks; then nobody sweeps either.
            Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => {}
            Err(error) => return Err(Error::io("lock", &path, error.into())),
        }
        Ok(Self { path, next: AtomicU64::new(0), _lock: lock })
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
                for entry in Dir::read_from(open_folder(root, &at)?)? {
                    let name = entry?.file_name().to_owned();
                    let name = name.to_str().map_err(io::Error::other)?;
                    if name != "." && name != ".." {
                        open.push(format!("{at}/{name}"));
                    }
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
