//! Files that belong to somebody else: replaced, and still theirs.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt as _, path::Path};

use super::{fs::Error, random, stage};

/// Returns whose a file is, account and group; `None` when there is none.
pub(crate) fn owner(path: &Path) -> Result<Option<(u32, u32)>, Error> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.uid(), metadata.gid()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error { operation: "look at", path: path.to_owned(), source }),
    }
}

/// Stages a file as [`stage::write`] does; one that cannot be theirs is not left.
pub(crate) fn stage(
    target: &Path,
    nonce: &str,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let staged = stage::write(target, nonce, bytes, mode, owner);
    if staged.is_err() {
        // The first error says more than a second one could.
        let _ = fs::remove_file(stage::path(target, nonce));
    }
    staged
}

/// Creates a file, in one moment; one that is there by now stays.
pub(crate) fn create(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let nonce = nonce(path)?;
    stage(path, &nonce, bytes, mode, owner)?;
    stage::publish_new(path, &nonce)?;
    super::fs::sync_folder(folder(path))
}

/// Replaces the content of a file that exists, in one moment; mode and owner stay, and a link stays a link.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |operation| move |source| Error { operation, path: path.to_owned(), source };
    let target = fs::canonicalize(path).map_err(failed("find"))?;
    let metadata = fs::metadata(&target).map_err(failed("look at"))?;
    let owner = (metadata.uid(), metadata.gid());
    let nonce = nonce(path)?;
    stage(&target, &nonce, bytes, metadata.mode() & 0o7777, Some(owner))?;
    stage::publish(&target, &nonce)?;
    super::fs::sync_folder(folder(&target))
}

/// Returns the folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn nonce(path: &Path) -> Result<String, Error> {
    let failed =
        |source| Error { operation: "name a new version of", path: path.to_owned(), source };
    random::hex(stage::NONCE_BYTES).map_err(failed)
}

#[cfg(test)]
mod tests {
    use nix::unistd::geteuid;

    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        create(&file, b"old", 0o640, None).unwrap();
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
    fn a_file_that_is_there_is_not_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        create(&file, b"first", 0o640, None).unwrap();
        assert_eq!(
            create(&file, b"second", 0o640, None).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert!(stage::list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_given_away_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let strange = Some((0xffff_fff0, 0xffff_fff0));
        let staged = stage(&file, "0123456789abcdef", b"x", 0o640, strange);
        let is_root = geteuid().is_root();
        assert_eq!(staged.is_ok(), is_root, "{staged:?}");
        assert_eq!(stage::list(folder.path()).unwrap().len(), usize::from(is_root));
    }
}
