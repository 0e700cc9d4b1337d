//! A scratch folder: nobody else's, and gone when dropped.

use std::{
    env,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{fs::Error, random};

/// A folder that only this user may enter.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates a folder among the system's temporary ones.
    pub(crate) fn create() -> Result<Self, Error> {
        let parent = env::temp_dir();
        let failed = |source| Error {
            operation: "create a temporary folder in",
            path: parent.clone(),
            source,
        };
        let nonce = random::hex(8).map_err(failed)?;
        let path = parent.join(format!("regctl-{nonce}"));
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The system clears its temporary folders, and a destructor has no one to tell.
        let _ = fs::remove_dir_all(&self.path);
    }
}
