//! A staged file is a new version beside its target, complete and synced, under a name that says whose it is.
//!
//! Several files change together in two steps: all of them are staged, then all are published. Whoever
//! stages them writes down the nonce in between, and a stage that nobody wrote down is a leftover.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use super::fs::Error;

/// The random bytes in a stage's name.
pub(crate) const NONCE_BYTES: usize = 8;

/// What stands between the target's name and the nonce.
const MARK: &str = ".regctl-";

/// Returns where a file is staged.
pub(crate) fn path(target: &Path, nonce: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{MARK}{nonce}"))
}

/// Whether a text can be the nonce of a stage.
pub(crate) fn is_nonce(text: &str) -> bool {
    text.len() == 2 * NONCE_BYTES && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// Writes a new version of `target` beside it, with exactly this mode and owner, and syncs it.
pub(crate) fn write(
    target: &Path,
    nonce: &str,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let staged = path(target, nonce);
    let failed = |source| Error { operation: "write", path: target.to_owned(), source };
    // Until it has its owner nobody else may read it.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .map_err(failed)?;
    let owned = |file: &File| match owner {
        Some((uid, gid)) => fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    };
    file.write_all(bytes)
        .and_then(|()| owned(&file))
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Moves a staged file into place. One that is not there any more was moved before.
pub(crate) fn publish(target: &Path, nonce: &str) -> Result<(), Error> {
    match fs::rename(path(target, nonce), target) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error { operation: "replace", path: target.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Moves a staged file into place; where a file is by now, that one stays and this one goes.
pub(crate) fn publish_new(target: &Path, nonce: &str) -> Result<(), Error> {
    let staged = path(target, nonce);
    // A link fails where a rename would replace.
    let linked = fs::hard_link(&staged, target);
    let removed = fs::remove_file(&staged);
    let failed = |source| Error { operation: "create", path: target.to_owned(), source };
    linked.and(removed).map_err(failed)
}

/// Returns the stages in a folder, of whatever target. A folder that is missing has none.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error { operation: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut stages = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if is_stage(&path) {
            stages.push(path);
        }
    }
    stages.sort();
    Ok(stages)
}

/// Returns the stages of one target.
pub(crate) fn list_of(target: &Path) -> Result<Vec<PathBuf>, Error> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let start = format!(".{name}{MARK}");
    let is_its = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
    };
    let folder = target.parent().unwrap_or(Path::new("/"));
    Ok(list(folder)?.into_iter().filter(is_its).collect())
}

fn is_stage(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let nonce = name.rsplit_once(MARK).map(|(_, nonce)| nonce);
    name.starts_with('.') && nonce.is_some_and(is_nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_staged_here_is_a_stage() {
        let target = Path::new("/etc/regctl/secrets.json");
        assert!(is_stage(&path(target, "0123456789abcdef")));
        for name in ["secrets.json", ".secrets.json.regctl-", ".secrets.json.regctl-x", ".regctl"] {
            assert!(!is_stage(&target.with_file_name(name)), "{name}");
        }
    }
}
