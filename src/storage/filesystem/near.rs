//! Items of one folder, one after the other: it stays open, so that the kernel looks up two names for each and not ten.

use std::{fs::File, os::fd::OwnedFd};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, statat, unlinkat},
    io::Errno,
};

use super::{
    folders::parent,
    stage::remove_tree,
    store::{Store, read_whole, to_stat},
};
use crate::{Error, Item, Kind, Removed, Stat, error::Context};

/// A store as one thread walks through it.
pub(super) struct Near<'a> {
    pub(super) store: &'a Store,
    /// The folder of the last item's neighbours; none where it could not be opened.
    open: Option<OwnedFd>,
    path: String,
}

impl<'a> Near<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, open: None, path: String::new() }
    }

    /// Reads an object whole.
    pub(super) fn read(&mut self, item: &Item, limit: usize) -> Result<Bytes, Error> {
        if item.key().is_none() {
            return Err(Error::new(Kind::NotFound, "read", item));
        }
        let path = item.to_string();
        let (folder, name) = self.at(item, &path);
        // Nobody waits for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(folder, name, flags, Mode::empty()).during("read", &path)?;
        read_whole(File::from(file), &path, limit)
    }

    /// Looks at an object's size and time.
    pub(super) fn stat(&mut self, item: &Item) -> Result<Stat, Error> {
        let path = item.to_string();
        let (folder, name) = self.at(item, &path);
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        Ok(to_stat(&stat.during("stat", &path)?))
    }

    /// Removes a file and its folder. What others have left beside it is of no use without it.
    pub(super) fn delete(&mut self, item: &Item) -> Result<Removed, Error> {
        let path = item.to_string();
        let store = self.store;
        let (neighbours, name) = self.at(item, &path);
        let removed = match unlinkat(neighbours, name, AtFlags::empty()) {
            Ok(()) => Removed::Gone,
            Err(Errno::NOENT | Errno::NOTDIR) => Removed::Vanished,
            Err(error) => return Err(Error::io("delete", path, error.into())),
        };
        let folder = folder(item, &path);
        let name = &name[..name.len() - (path.len() - folder.len())];
        match unlinkat(neighbours, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(removed),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                remove_tree(&store.root, folder).during("delete", folder)?;
                Ok(removed)
            }
            Err(error) => Err(Error::io("delete", folder, error.into())),
        }
    }

    /// The folder of an item's neighbours, and the item's path below it.
    fn at<'p>(&mut self, item: &Item, path: &'p str) -> (&OwnedFd, &'p str) {
        let above = neighbours(item, path);
        if self.open.is_none() || self.path != above {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.open = openat(&self.store.root, above, flags, Mode::empty()).ok();
            above.clone_into(&mut self.path);
        }
        match &self.open {
            Some(folder) => (folder, &path[above.len() + 1..]),
            // The item itself says why.
            None => (&self.store.root, path),
        }
    }
}

/// The folder that an item has for itself.
pub(super) fn folder<'p>(item: &Item, path: &'p str) -> &'p str {
    match item {
        Item::Repository(_) => path,
        Item::Tag(..) => parent(parent(path)),
        Item::TagIndex(..)
        | Item::Revision(..)
        | Item::Layer(..)
        | Item::Blob(_)
        | Item::UploadStartedAt(..) => parent(path),
    }
}

/// The folder in which those stand that are looked at before and after it; one tag's history is short.
fn neighbours<'p>(item: &Item, path: &'p str) -> &'p str {
    let above = parent(folder(item, path));
    match item {
        Item::TagIndex(..) => parent(parent(parent(above))),
        _ => above,
    }
}
