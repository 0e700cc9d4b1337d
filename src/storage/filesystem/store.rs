//! The operations themselves, on a blocking thread, relative to the open root folder.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat},
    io::retry_on_intr,
};

use super::{
    folders::{Folders, parent},
    stage::{Stage, remove_tree},
    syncs::Syncs,
};
use crate::{
    Entry, Error, Kind, Object, Stat, buffer::Pool, caches::Caches, error::Context, reader::Reader,
};

/// As Distribution: readable by the group and others where the umask lets them.
pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// Links and most manifests are not longer.
const FRONT_BYTES: usize = 4096;

/// The open root folder and what is known about it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) root: OwnedFd,
    pub(super) folders: Folders,
    /// What many deletes share.
    syncs: Syncs,
    pub(super) buffers: Arc<Pool>,
    /// Where files are made before they are renamed; there once something was written.
    pub(super) stage: Mutex<Option<Arc<Stage>>>,
    /// What the kernel's caches can answer here.
    pub(super) caches: Arc<Caches>,
}

impl Store {
    pub(super) fn new(root: OwnedFd) -> Self {
        let caches = Caches::of(&root);
        Self {
            root,
            folders: Folders::default(),
            syncs: Syncs::default(),
            buffers: Arc::default(),
            stage: Mutex::new(None),
            caches: Arc::new(caches),
        }
    }

    pub(super) fn get(&self, key: &str, limit: usize) -> Result<Bytes, Error> {
        read_whole(self.open_file(key).during("read", key)?, key, limit)
    }

    pub(super) fn open(&self, key: &str) -> Result<Object, Error> {
        let file = self.open_file(key).during("open", key)?;
        object(self, file, key)
    }

    pub(super) fn stat(&self, key: &str) -> Result<Stat, Error> {
        let stat = statat(&self.root, key, AtFlags::empty()).during("stat", key)?;
        Ok(to_stat(&stat))
    }

    /// Renames a durable file to its place and makes the place durable.
    pub(super) fn rename_into(&self, from: &str, key: &str) -> Result<(), Error> {
        let folder = parent(key);
        let unsynced = self.folders.make(&self.root, folder)?;
        renameat(&self.root, from, &self.root, key).during("rename", key)?;
        self.sync_folder(folder)?;
        self.folders.sync(&self.root, unsynced)
    }

    /// Makes an object durable that another request, or a process that was killed, has put there.
    pub(super) fn make_durable(&self, key: &str) -> Result<(), Error> {
        let file = self.open_file(key).during("open", key)?;
        file.sync_data().during("sync", key)?;
        let folder = parent(key);
        let unsynced = self.folders.make(&self.root, folder)?;
        self.sync_folder(folder)?;
        self.folders.sync(&self.root, unsynced)
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Error> {
        unlinkat(&self.root, key, AtFlags::empty()).during("delete", key)?;
        self.sync_folder_once(parent(key))
    }

    pub(super) fn create_folder(&self, folder: &str) -> Result<(), Error> {
        let unsynced = self.folders.make(&self.root, folder)?;
        self.folders.sync(&self.root, unsynced)
    }

    /// Renames the folder out of sight, then removes what is in it.
    pub(super) fn delete_folder(&self, folder: &str) -> Result<(), Error> {
        // Not there: nothing to stage for.
        statat(&self.root, folder, AtFlags::SYMLINK_NOFOLLOW).during("delete", folder)?;
        self.folders.forget(folder);
        let trash = match Stage::of(self) {
            Ok(stage) => stage.name(),
            // Deleting is what a full disk needs: then in place, which others may see happen.
            Err(error) if error.kind() == Kind::NoSpace => {
                remove_tree(&self.root, folder).during("delete", folder)?;
                return self.sync_folder_once(parent(folder));
            }
            Err(error) => return Err(error),
        };
        renameat(&self.root, folder, &self.root, &trash).during("delete", folder)?;
        self.sync_folder_once(parent(folder))?;
        remove_tree(&self.root, &trash).during("delete", folder)
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let directory = self.open_folder(folder).during("list", folder)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&directory).during("list", folder)? {
            let entry = entry.during("list", folder)?;
            // Every name under the root that is one of ours is ASCII; others are nobody's.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown | FileType::Symlink => {
                    let stat = statat(&directory, name, AtFlags::empty());
                    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
                }
                _ => false,
            };
            entries.push(Entry { name: name.to_owned(), is_folder });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    pub(super) fn sync_folder(&self, folder: &str) -> Result<(), Error> {
        let directory = self.open_folder(folder).during("sync", folder)?;
        rustix::fs::fsync(&directory).during("sync", folder)
    }

    /// The same, by one sync for all who have changed the folder meanwhile.
    fn sync_folder_once(&self, folder: &str) -> Result<(), Error> {
        let sync = || Ok(rustix::fs::fsync(self.open_folder(folder)?)?);
        self.syncs.join(folder, sync).during("sync", folder)
    }

    pub(super) fn open_folder(&self, folder: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = if folder.is_empty() { "." } else { folder };
        Ok(openat(&self.root, folder, flags, Mode::empty())?)
    }

    fn open_file(&self, key: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.root, key, flags, Mode::empty())?))
    }
}

/// Reads a file of at most `limit` bytes; a small one by one call.
pub(super) fn read_whole(file: File, key: &str, limit: usize) -> Result<Bytes, Error> {
    let mut front = [0; FRONT_BYTES];
    let length = retry_on_intr(|| rustix::io::read(&file, &mut front)).during("read", key)?;
    let front = &front[..length];
    // Files give less than they are asked for at their end only.
    if length < FRONT_BYTES && length <= limit {
        return Ok(Bytes::copy_from_slice(front));
    }
    let size = file.metadata().during("read", key)?.len();
    if size > limit as u64 || length > limit {
        return Err(Error::new(Kind::TooLarge, "read", key));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(limit).max(length) + 1);
    bytes.extend_from_slice(front);
    file.take((limit - length) as u64 + 1).read_to_end(&mut bytes).during("read", key)?;
    if bytes.len() > limit {
        return Err(Error::new(Kind::TooLarge, "read", key));
    }
    Ok(bytes.into())
}

/// An open file as an object; a folder is none.
pub(super) fn object(store: &Store, file: File, key: &str) -> Result<Object, Error> {
    let stat = rustix::fs::fstat(&file).during("open", key)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Error::new(Kind::NotFound, "open", key));
    }
    let reader = Reader {
        file,
        key: key.into(),
        pool: Arc::clone(&store.buffers),
        caches: Arc::clone(&store.caches),
        asked: AtomicU64::default(),
    };
    Ok(Object::of_file(reader, to_stat(&stat)))
}

pub(super) fn to_stat(stat: &rustix::fs::Stat) -> Stat {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let nanoseconds = Duration::from_nanos(stat.st_mtime_nsec);
    Stat {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: SystemTime::UNIX_EPOCH + seconds + nanoseconds,
    }
}
