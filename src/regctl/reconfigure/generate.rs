//! New secrets on demand; those of an instance that has some are never replaced.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::converge::Claim;
use crate::{
    state::{Layout, Lock, Secrets, lock, secrets},
    sys::fs::{self, Existing},
};

/// Why there are no new secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{}` exists and is never overwritten", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    File(#[from] fs::Error),
}

/// Writes the instance's own secrets file and returns its path.
pub(crate) fn generate_secrets(
    layout: &Layout,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
) -> Result<PathBuf, Error> {
    let path = layout.secrets_json();
    if path.symlink_metadata().is_ok() {
        return Err(Error::Exists(path));
    }
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    layout.create_folders()?;
    write_secrets(&path)?;
    Ok(path)
}

/// Writes a secrets file that belongs to no instance yet.
pub(crate) fn write_secrets(path: &Path) -> Result<(), Error> {
    let text = Secrets::generate()?.to_json();
    match fs::write_atomic(path, text.as_bytes(), secrets::MODE, Existing::Keep) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Error::Exists(path.to_owned()))
        }
        result => Ok(result?),
    }
}
