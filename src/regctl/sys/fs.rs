//! Files that are there or are not.
//!
//! A write is staged beside its target, synced, moved into place, and its folder is synced, so that a
//! power cut leaves the old file or the new one. Every error names its path.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use super::{random, stage};

/// The largest file that is read whole; nothing a person edits comes near.
pub(super) const READ_BYTES_MAX: u64 = 8 << 20;

/// What happens to a file that stands where another is to be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    /// It stays, and the write fails with [`ErrorKind::AlreadyExists`].
    Keep,
    Replace,
}

/// A file operation that failed, with the path it failed on.
#[derive(Debug, thiserror::Error)]
#[error("failed to {operation} `{}`", path.display())]
pub(crate) struct Error {
    pub(crate) operation: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl Error {
    pub(crate) fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

/// Reads a whole text file; `None` when there is none.
pub(crate) fn read_to_string(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error { operation: "read", path: path.to_owned(), source };
    open(path)?.map(io::read_to_string).transpose().map_err(failed)
}

/// Reads a whole file, text or not; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error { operation: "read", path: path.to_owned(), source };
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

fn open(path: &Path) -> Result<Option<File>, Error> {
    let failed = |source| Error { operation: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.len() > READ_BYTES_MAX {
        let reason = format!("larger than {} MiB", READ_BYTES_MAX >> 20);
        return Err(failed(io::Error::new(ErrorKind::FileTooLarge, reason)));
    }
    Ok(Some(file))
}

/// Returns the names in a folder, sorted; there are none if it is not there.
pub(crate) fn names_in(folder: &Path, limit: usize) -> Result<Vec<String>, Error> {
    let failed = |source| Error { operation: "read", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let mut names = entries.take(limit).map(name).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    names.sort();
    Ok(names)
}

/// Counts what a folder holds, up to a limit; what is not there, or not to be looked into, holds nothing.
pub(crate) fn count_entries(folder: &Path, limit: usize) -> usize {
    fs::read_dir(folder).map_or(0, |entries| entries.flatten().take(limit).count())
}

/// Returns a path with every link on the way followed as far as it exists.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf, Error> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => Ok(real),
        (Err(error), Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
            Ok(real_path(parent)?.join(name))
        }
        // What is no folder has nothing below it that could be somebody else's.
        (Err(error), ..) if error.kind() == ErrorKind::NotADirectory => Ok(path.to_owned()),
        (Err(source), ..) => Err(Error { operation: "look for", path: path.to_owned(), source }),
    }
}

/// Whether two paths lead to one file, by whatever names.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error { operation: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), Error> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|source| Error { operation: "sync the folder", path: path.to_owned(), source })
}

/// Writes a file with exactly this mode, whole or not at all.
pub(crate) fn write_atomic(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    existing: Existing,
) -> Result<(), Error> {
    let failed = |source| Error { operation: "write", path: path.to_owned(), source };
    let mut staged = Staged::create(path, mode).map_err(failed)?;
    staged.file.write_all(bytes).map_err(failed)?;
    staged.commit(path, existing).map_err(failed)
}

/// Creates a folder and what is missing above it; says whether the folder was missing.
///
/// Only folders created here get a mode: `mode` for the last, 0755 for those above. What exists is never
/// changed.
pub(crate) fn create_folder(path: &Path, mode: u32) -> Result<bool, Error> {
    if path.is_dir() {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        create_folder(parent, 0o755)?;
    }
    let failed = |source| Error { operation: "create the folder", path: path.to_owned(), source };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        // Somebody else was as fast; a file in its place is still an error.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {
            return Ok(false);
        }
        Err(error) => return Err(failed(error)),
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    Ok(true)
}

/// A file that is gone if dropped and in place if committed.
struct Staged {
    file: File,
    temporary: PathBuf,
}

impl Staged {
    fn create(target: &Path, mode: u32) -> io::Result<Self> {
        let temporary = stage::path(target, &random::hex(stage::NONCE_BYTES)?);
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        let staged = Self { file, temporary };
        // The mode given to open is cut by the umask.
        staged.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(staged)
    }

    fn commit(self, target: &Path, existing: Existing) -> io::Result<()> {
        self.file.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&self.temporary, target)?,
            // A link fails where a rename would replace; dropping removes the staged name.
            Existing::Keep => fs::hard_link(&self.temporary, target)?,
        }
        match target.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing to remove, and a destructor has no one to tell.
        let _ = fs::remove_file(&self.temporary);
    }
}
