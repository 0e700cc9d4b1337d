//! What regctl does is decided by what it reads and runs: nobody else may be able to change that.

use std::path::{Path, PathBuf};

use crate::{
    state::Layout,
    sys::{fs, managed},
};

/// Why something is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` may be written by {who}: {why}", path.display())]
    Writable { path: PathBuf, who: &'static str, why: &'static str },
}

/// Refuses an instance in which somebody else can change what regctl goes by.
pub(super) fn instance(layout: &Layout) -> Result<(), Error> {
    layout.trusted().iter().try_for_each(|path| trusted(path, "who writes there decides what runs"))
}

/// Refuses a template, or a folder of them, that somebody else can change.
pub(super) fn template(path: &Path) -> Result<(), Error> {
    trusted(path, "who writes a template decides what runs")
}

/// Refuses a program that somebody else can change.
pub(super) fn program(path: &Path) -> Result<(), Error> {
    trusted(path, "root would run what others put there")
}

fn trusted(path: &Path, why: &'static str) -> Result<(), Error> {
    match managed::other_writers(path)? {
        Some(who) => Err(Error::Writable { path: path.to_owned(), who, why }),
        None => Ok(()),
    }
}
