//! Which folders are known to survive a loss of power.
//!
//! A folder's name is durable once its parent was synced. Finding a folder there proves nothing:
//! another request may have made it a moment ago and not synced it yet. So every folder on the way to
//! a new file is synced once by this process, and remembered. The memory is bounded; forgetting
//! costs a sync.

use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::{
    fs::{Mode, OFlags, fsync, mkdirat, openat},
    io::Errno,
};

use crate::{Error, error::Context};

const REMEMBERED: usize = 4096;

/// As Distribution, less what the umask takes away.
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);

/// The folders whose names, and whose parents' names, are durable.
#[derive(Debug, Default)]
pub(super) struct Folders {
    durable: Mutex<BTreeSet<String>>,
}

/// Folders whose names are not known to be durable, deepest first.
#[derive(Debug)]
pub(super) struct Unsynced(Vec<String>);

impl Folders {
    /// Makes `folder` and what is missing on the way to it.
    pub(super) fn make(&self, root: &OwnedFd, folder: &str) -> Result<Unsynced, Error> {
        // The root was there before the store.
        if folder.is_empty() {
            return Ok(Unsynced(Vec::new()));
        }
        let mut missing = Vec::new();
        let mut at = folder;
        while !self.make_one(root, at)? {
            missing.push(at);
            at = parent(at);
        }
        for folder in missing.into_iter().rev() {
            if !self.make_one(root, folder)? {
                return Err(Error::io("create folder", folder, Errno::NOENT.into()));
            }
        }
        let mut unsynced = Vec::new();
        let mut at = folder;
        while !at.is_empty() && !self.is_durable(at) {
            unsynced.push(at.to_owned());
            at = parent(at);
        }
        Ok(Unsynced(unsynced))
    }

    /// Makes one folder unless it is there; says no when the one above is missing.
    fn make_one(&self, root: &OwnedFd, folder: &str) -> Result<bool, Error> {
        match mkdirat(root, folder, FOLDER_MODE) {
            Ok(()) => {
                // Somebody may have removed what this process had made durable.
                if self.is_durable(folder) {
                    self.forget(folder);
                }
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(true),
            Err(Errno::NOENT) if !parent(folder).is_empty() => Ok(false),
            Err(error) => Err(Error::io("create folder", folder, error.into())),
        }
    }

    /// Makes the folders' names durable.
    pub(super) fn sync(&self, root: &OwnedFd, unsynced: Unsynced) -> Result<(), Error> {
        for folder in unsynced.0.into_iter().rev() {
            let above = match parent(&folder) {
                "" => ".",
                above => above,
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = openat(root, above, flags, Mode::empty()).during("sync", above)?;
            fsync(&directory).during("sync", above)?;
            self.remember(folder);
        }
        Ok(())
    }

    pub(super) fn is_durable(&self, folder: &str) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    fn remember(&self, folder: String) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.len() >= REMEMBERED {
            durable.clear();
        }
        durable.insert(folder);
    }

    /// Forgets a folder that is about to go, and everything in it.
    pub(super) fn forget(&self, folder: &str) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = format!("{folder}/");
        durable.retain(|known| known != folder && !known.starts_with(&inside));
    }
}

/// The folder that holds `path`; empty at the top.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_synced_once_and_again_after_it_was_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let root: OwnedFd = fs::File::open(scratch.path()).unwrap().into();
        let folders = Folders::default();

        let unsynced = folders.make(&root, "a/b/c").unwrap();
        assert_eq!(unsynced.0, ["a/b/c", "a/b", "a"]);
        // Another request finds the folders, but they are not durable yet.
        assert_eq!(folders.make(&root, "a/b/d").unwrap().0, ["a/b/d", "a/b", "a"]);
        folders.sync(&root, unsynced).unwrap();
        assert_eq!(folders.make(&root, "a/b/d").unwrap().0, ["a/b/d"]);

        fs::remove_dir_all(scratch.path().join("a")).unwrap();
        assert_eq!(folders.make(&root, "a/b").unwrap().0, ["a/b", "a"]);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        fs::File::create(scratch.path().join("a")).unwrap();
        let root: OwnedFd = fs::File::open(scratch.path()).unwrap().into();
        assert!(Folders::default().make(&root, "a/b").is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let folders = Folders::default();
        for index in 0..=REMEMBERED {
            folders.remember(index.to_string());
        }
        assert!(folders.durable.lock().unwrap().len() <= REMEMBERED);
    }
}
