//! Why a file that `auth` names cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A file of passwords or keys that says nothing, or nothing that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There are no passwords. Distribution makes up a user then; nobody would know of it.
    #[error(
        "the password file `{}` does not exist; make it: htpasswd -Bn NAME > '{}'",
        path.display(),
        path.display()
    )]
    NoPasswords {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any of its kind.
    #[error("`{}` is longer than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest file that is read.
        limit: u64,
    },
    /// A line is not what it should be. It is not shown: it may hold a password.
    #[error("line {line} of `{}` {wrong}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The file is not what it should be.
    #[error("`{}` {wrong}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// There is no key among all of these.
    #[error("no key in {files} can verify tokens; add the certificate of the issuer")]
    NoKey {
        /// The files, as they are shown.
        files: String,
    },
}

impl Unusable {
    pub(crate) fn contents(path: &Path, wrong: impl Into<String>) -> Self {
        Self::Contents { path: path.to_owned(), wrong: wrong.into() }
    }

    pub(super) fn line(path: &Path, line: usize, wrong: &'static str) -> Self {
        Self::Line { path: path.to_owned(), line, wrong }
    }
}
