//! What an instance's files are now, read once, so that a plan is made from a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    render::File,
    state::{Folder, Journal, Layout, journal},
    sys::{
        folder,
        managed::{self, Found},
        stage,
    },
};

/// The files and folders that a plan is about, as they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<PathBuf, Found>,
    /// The folders that exist.
    pub(crate) folders: BTreeMap<PathBuf, folder::Found>,
    /// Staged files that no change under way speaks of.
    pub(crate) stages: Vec<PathBuf>,
    /// Whether a change has begun and is not complete.
    pub(crate) interrupted: bool,
}

impl Disk {
    /// Reads what is there.
    pub(crate) fn read(
        layout: &Layout,
        files: &[File],
        folders: &[Folder],
    ) -> Result<Self, journal::Error> {
        let journal = Journal::load(layout)?;
        let mut disk = Self { interrupted: journal.is_some(), ..Self::default() };
        for file in files {
            // A link is somebody else's: nothing to remove, and an error only in the place of a file that is to be.
            if file.content.is_none() && file.path.is_symlink() {
                continue;
            }
            if let Some(found) = managed::read(&file.path)? {
                disk.files.insert(file.path.clone(), found);
            }
        }
        for Folder { path, .. } in folders {
            if let Some(found) = folder::look(path)? {
                disk.folders.insert(path.clone(), found);
            }
        }
        for folder in staging_folders(layout) {
            disk.stages.extend(stage::list(&folder)?);
        }
        if let Some(journal) = journal {
            let awaited = |target: &PathBuf| stage::path(target, &journal.nonce);
            let awaited: Vec<_> = journal.replace.iter().map(awaited).collect();
            disk.stages.retain(|stage| !awaited.contains(stage));
        }
        Ok(disk)
    }
}

/// Returns the folders in which regctl stages files.
fn staging_folders(layout: &Layout) -> BTreeSet<PathBuf> {
    let written = layout.managed().into_iter().chain([layout.journal()]);
    written.filter_map(|path| path.parent().map(Path::to_owned)).collect()
}
