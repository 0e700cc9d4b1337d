//! Managed files are those that regctl writes and nobody else should: a link, a folder or a pipe in the
//! place of one is refused, because following it would write, or read, somewhere else.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{fcntl::OFlag, unistd::geteuid};

use super::fs::{Error, READ_BYTES_MAX};

/// A managed file as it is on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// The content; what is no text has replacement characters.
    pub(crate) text: String,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Reads a managed file; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Found>, Error> {
    let failed = |source| Error { operation: "read", path: path.to_owned(), source };
    match open(path) {
        Ok(Some((file, metadata))) => {
            let mut bytes = Vec::new();
            file.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (uid, gid) = (metadata.uid(), metadata.gid());
            Ok(Some(Found { text, mode: metadata.mode() & 0o7777, uid, gid }))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn open(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => refuse_unless_file(&metadata)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    // Between the look and this a link or a pipe may have taken its place: neither is followed or waited for.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    refuse_unless_file(&metadata)?;
    if metadata.len() > READ_BYTES_MAX {
        let reason = format!("larger than {} MiB", READ_BYTES_MAX >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(Some((file, metadata)))
}

fn refuse_unless_file(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let reason = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_symlink() => "it is a symbolic link, where regctl keeps a file: remove it",
        () if kind.is_dir() => "it is a folder, where regctl keeps a file: move it away",
        () => "it is neither a file nor a folder, where regctl keeps a file: remove it",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, reason))
}

/// Why something cannot be trusted: the end of the sentence "it may be written by …".
///
/// Somebody else who may write a template decides what a process of the administrator's does.
pub(crate) fn other_writers(path: &Path) -> Result<Option<&'static str>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error { operation: "look at", path: path.to_owned(), source });
        }
    };
    let is_root = geteuid().is_root();
    // A folder with the sticky bit lets others add and not replace.
    let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    Ok(match metadata.mode() {
        mode if mode & 0o002 != 0 && !is_sticky => Some("everybody"),
        mode if mode & 0o020 != 0 && !is_sticky && is_root && metadata.gid() != 0 => {
            Some("its group")
        }
        _ if metadata.uid() != 0 && metadata.uid() != geteuid().as_raw() => {
            Some("its owner, another user")
        }
        _ => None,
    })
}
