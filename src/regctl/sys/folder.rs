//! Folders with an owner, and what an account may do in them.
//!
//! The last name of a path is never followed as a link when its owner or mode is set; those above are root's
//! own, which the caller has made sure of.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{errno::Errno, fcntl::OFlag, unistd::geteuid};

use super::{
    account::Identity,
    fs::{Error, create_folder},
};

/// The permission to list, to enter and to change a folder, in the lowest three bits.
pub(crate) const ALL: u32 = 0o7;

/// The permission to pass through a folder.
pub(crate) const ENTER: u32 = 0o1;

/// The permission to read a file.
const READ: u32 = 0o4;

/// A folder or a file as it is on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Returns how a folder is; `None` when there is none.
pub(crate) fn look(path: &Path) -> Result<Option<Found>, Error> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(Some(found(&metadata))),
        // What stands in its place is named by whoever creates the folder.
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(Error { operation: "look at", path: path.to_owned(), source }),
    }
}

/// Returns how a file is, behind links too; `None` when there is none.
pub(crate) fn look_at_file(path: &Path) -> Result<Option<Found>, Error> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then(|| found(&metadata))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(Error { operation: "look at", path: path.to_owned(), source }),
    }
}

/// Whether somebody may read a file that looks so.
pub(crate) fn is_readable(who: &Identity, path: &Path, found: Found) -> bool {
    allows(who, found, READ) || passes(who, Command::new("test").arg("-r").arg(path))
}

fn found(metadata: &Metadata) -> Found {
    Found { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() }
}

/// Creates a folder and what is missing above it, and gives it its mode and owner.
pub(crate) fn create(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Error> {
    let created = create_folder(path, mode)?;
    let Some(owner) = owner.filter(|_| created) else { return Ok(()) };
    let failed = |source| Error { operation: "give an owner to", path: path.to_owned(), source };
    let folder = open(path).map_err(failed)?;
    // Whoever may write above it may have put another folder in its place.
    if folder.metadata().map_err(failed)?.uid() != geteuid().as_raw() {
        return Err(failed(io::Error::other("it is not the folder that was created")));
    }
    give_open(&folder, mode, Some(owner)).map_err(failed)
}

/// Gives a folder that exists its mode and owner.
pub(crate) fn give(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Error> {
    let failed = |source| Error { operation: "give an owner to", path: path.to_owned(), source };
    let folder = open(path).map_err(failed)?;
    give_open(&folder, mode, owner).map_err(failed)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::ENOTDIR) => {
            io::Error::new(ErrorKind::InvalidInput, "it is a symbolic link, which is not followed")
        }
        _ => error,
    })
}

fn give_open(folder: &File, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((uid, gid)) = owner {
        fchown(folder, Some(uid), Some(gid))?;
    }
    folder.set_permissions(Permissions::from_mode(mode))
}

/// Returns the first folder of a path in which somebody lacks a permission: to enter those above, `wanted` in
/// the last one.
pub(crate) fn first_closed(
    who: &Identity,
    path: &Path,
    wanted: u32,
) -> Result<Option<(PathBuf, Found)>, Error> {
    let mut folders: Vec<_> = path.ancestors().collect();
    folders.reverse();
    for folder in folders {
        let wanted = if folder == path { wanted } else { ENTER };
        let Some(found) = look(folder)? else { continue };
        if !allows(who, found, wanted) && !is_allowed_otherwise(who, folder, wanted) {
            return Ok(Some((folder.to_owned(), found)));
        }
    }
    Ok(None)
}

/// Whether the mode gives somebody a permission: the first of owner, group and others that fits decides.
fn allows(who: &Identity, found: Found, wanted: u32) -> bool {
    let shift = match found {
        _ if who.uid == 0 => return true,
        Found { uid, .. } if uid == who.uid => 6,
        Found { gid, .. } if gid == who.gid || who.groups.contains(&gid) => 3,
        _ => 0,
    };
    (found.mode >> shift) & wanted == wanted
}

/// Asks the kernel, for access lists and network filesystems say what no mode tells.
fn is_allowed_otherwise(who: &Identity, folder: &Path, wanted: u32) -> bool {
    let mut test = Command::new("test");
    test.arg("-x").arg(folder);
    if wanted != ENTER {
        test.arg("-a").arg("-w").arg(folder);
    }
    passes(who, &mut test)
}

/// Whether a test succeeds as somebody.
fn passes(who: &Identity, test: &mut Command) -> bool {
    test.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    test.uid(who.uid).gid(who.gid).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_owner_group_and_others_decides() {
        let who = Identity { uid: 998, gid: 997, groups: vec![997, 33] };
        for (mode, uid, gid, wanted, allowed) in [
            (0o700, 998, 0, ALL, true),
            (0o077, 998, 997, ALL, false),
            (0o750, 0, 997, ALL, false),
            (0o750, 0, 997, ENTER, true),
            (0o770, 0, 33, ALL, true),
            (0o701, 0, 0, ENTER, true),
            (0o700, 0, 0, ENTER, false),
        ] {
            let found = Found { mode, uid, gid };
            assert_eq!(allows(&who, found, wanted), allowed, "{mode:o} {uid}:{gid}");
        }
    }

    #[test]
    fn the_folder_that_closes_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("open/inner");
        create(&inner, 0o777, None).unwrap();
        give(root.path(), 0o700, None).unwrap();
        let nobody = Identity { uid: 4_000_000, gid: 4_000_000, groups: Vec::new() };
        let (closed, found) = first_closed(&nobody, &inner, ALL).unwrap().unwrap();
        assert_eq!((closed.as_path(), found.mode), (root.path(), 0o700));
        let root = Identity { uid: 0, gid: 0, groups: Vec::new() };
        assert_eq!(first_closed(&root, &inner, ALL).unwrap(), None);
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        create(&real, 0o750, None).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(give(&link, 0o777, None).unwrap_err().source.to_string().contains("symbolic link"));
        assert_eq!(look(&real).unwrap().unwrap().mode, 0o750);
    }
}
