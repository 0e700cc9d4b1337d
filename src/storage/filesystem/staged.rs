//! A file or a folder that is whole and durable, in this process's stage; a rename away from its place.

use std::{collections::BTreeSet, fs::File, io::Write, sync::Arc};

use bytes::Bytes;
use rustix::fs::{OFlags, openat};

use super::{
    folders::parent,
    stage::{Stage, remove_tree},
    store::{FILE_MODE, Store},
};
use crate::{Error, error::Context};

/// The file or folder; removed when dropped before it is committed.
#[derive(Debug)]
pub(crate) struct StagedFile {
    store: Arc<Store>,
    path: String,
    /// Its place.
    key: String,
    committed: bool,
}

impl StagedFile {
    /// Writes and syncs a file, and makes the folders of its place: from here on nothing needs space.
    pub(super) fn write(store: &Arc<Store>, key: String, bytes: &[u8]) -> Result<Self, Error> {
        let staged = Self::begin(store, key)?;
        write_file(store, &staged.path, bytes).during("write", &staged.key)?;
        Ok(staged)
    }

    /// The same for a folder; the keys of its objects are paths within it.
    pub(super) fn write_folder(
        store: &Arc<Store>,
        folder: String,
        objects: &[(String, Bytes)],
    ) -> Result<Self, Error> {
        let staged = Self::begin(store, folder)?;
        // A folder is synced after what is in it, so that the order does not depend on luck.
        let mut folders = BTreeSet::from([staged.path.clone()]);
        let _unsynced = store.folders.make(&store.root, &staged.path)?;
        for (key, bytes) in objects {
            let inside = key.strip_prefix(staged.key.as_str()).unwrap_or(key);
            let path = format!("{}{inside}", staged.path);
            let _unsynced = store.folders.make(&store.root, parent(&path))?;
            write_file(store, &path, bytes).during("write", key)?;
            let mut above = parent(&path);
            while above.len() > staged.path.len() {
                folders.insert(above.to_owned());
                above = parent(above);
            }
        }
        for folder in folders.iter().rev() {
            store.sync_folder(folder)?;
        }
        Ok(staged)
    }

    /// Renames it to its place, durably.
    pub(super) fn commit(mut self) -> Result<(), Error> {
        self.store.rename_into(&self.path, &self.key)?;
        self.committed = true;
        Ok(())
    }

    fn begin(store: &Arc<Store>, key: String) -> Result<Self, Error> {
        // Synced together with the name that is yet to come.
        let _unsynced = store.folders.make(&store.root, parent(&key))?;
        let path = Stage::of(store)?.name();
        Ok(Self { store: Arc::clone(store), path, key, committed: false })
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.committed {
            // What stays is swept at the next start; a destructor has no one to tell.
            let _ = remove_tree(&self.store.root, &self.path);
        }
    }
}

/// Writes and syncs a new file.
pub(super) fn write_file(store: &Store, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(&store.root, path, flags, FILE_MODE)?);
    file.write_all(bytes)?;
    file.sync_data()
}
