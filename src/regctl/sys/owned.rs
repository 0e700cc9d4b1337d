//! Files that belong to somebody: replaced so that owner, group and mode stay, or become what is asked for.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use nix::unistd::{Group, geteuid};

use super::{fs::Error, random, stage};

/// Whose a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// Returns whose a file is; `None` when there is none.
pub(crate) fn owner(path: &Path) -> Result<Option<Owner>, Error> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Owner { user: metadata.uid(), group: metadata.gid() })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error { operation: "look at", path: path.to_owned(), source }),
    }
}

/// Returns who runs this.
pub(crate) fn this_user() -> u32 {
    geteuid().as_raw()
}

/// Returns the id of a group; `None` when there is none of this name.
pub(crate) fn group(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// Stages a file as [`stage::write`] does, and gives it away before anything is in it.
pub(crate) fn stage(
    target: &Path,
    nonce: &str,
    bytes: &[u8],
    mode: u32,
    owner: Option<Owner>,
) -> Result<(), Error> {
    let staged = stage::path(target, nonce);
    let failed = |operation| move |source| Error { operation, path: target.to_owned(), source };
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&staged).map_err(failed("write"))?;
    let given =
        owner.map_or(Ok(()), |owner| give(&file, owner)).map_err(failed("keep the owner of"));
    let written = given.and_then(|()| {
        file.write_all(bytes)
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_all())
            .map_err(failed("write"))
    });
    if written.is_err() {
        // The first error says more than a second one could.
        let _ = fs::remove_file(&staged);
    }
    written
}

/// Replaces the content of a file that exists, in one moment; it stays whose it is. A link stays a link.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |operation| move |source| Error { operation, path: path.to_owned(), source };
    let target = fs::canonicalize(path).map_err(failed("find"))?;
    let metadata = fs::metadata(&target).map_err(failed("look at"))?;
    let owner = Owner { user: metadata.uid(), group: metadata.gid() };
    let nonce = random::hex(stage::NONCE_BYTES).map_err(failed("name a new version of"))?;
    stage(&target, &nonce, bytes, metadata.mode() & 0o7777, Some(owner))?;
    stage::publish(&target, &nonce)?;
    super::fs::sync_folder(&folder(&target))
}

/// Returns the folder of a file.
pub(crate) fn folder(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// Gives a file to its owner; who owns it already needs no right to do so.
fn give(file: &File, owner: Owner) -> io::Result<()> {
    let metadata = file.metadata()?;
    let changed = |wanted: u32, is: u32| (wanted != is).then_some(wanted);
    match (changed(owner.user, metadata.uid()), changed(owner.group, metadata.gid())) {
        (None, None) => Ok(()),
        (user, group) => fchown(file, user, group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        super::super::fs::write_atomic(&file, b"old", 0o640, super::super::fs::Existing::Keep)
            .unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let before = owner(&file).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(owner(&file).unwrap(), before);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(stage::list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_given_away_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let strange = Owner { user: 0xffff_fff0, group: 0xffff_fff0 };
        let staged = stage(&file, "0123456789abcdef", b"x", 0o640, Some(strange));
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(staged.is_ok(), is_root, "{staged:?}");
        assert_eq!(stage::list(folder.path()).unwrap().len(), usize::from(is_root));
    }
}
