//! Which driver, with which options: the `storage.<driver>` section of `config.yml`, typed.

use std::{fmt, path::PathBuf};

use crate::S3Config;

/// One storage driver with its options, under Distribution's names.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a process has one or two of them")]
pub enum Config {
    /// `filesystem`.
    Filesystem(Filesystem),
    /// `inmemory`: gone with the process.
    InMemory,
    /// `s3`.
    S3(S3Config),
}

impl fmt::Display for Config {
    /// Where the bytes are, as messages name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filesystem(Filesystem { root_directory, .. }) => {
                write!(f, "`{}`", root_directory.display())
            }
            Self::InMemory => f.write_str("memory"),
            Self::S3(S3Config { bucket, root_directory, .. }) => {
                write!(f, "`s3://{bucket}/{}`", root_directory.trim_matches('/'))
            }
        }
    }
}

impl Config {
    /// The same, with the endpoint of a bucket: its name alone may be that of another store's.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::S3(S3Config { endpoint: Some(endpoint), .. }) => {
                format!("{self} at `{endpoint}`")
            }
            Self::Filesystem(_) | Self::InMemory | Self::S3(_) => self.to_string(),
        }
    }
}

/// The options of `filesystem`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filesystem {
    /// `rootdirectory`: the folder that holds `docker/registry/v2`; `/var/lib/registry` when unset.
    pub root_directory: PathBuf,
    /// `maxthreads`: how many file operations may wait for the disk at once, besides the reading and
    /// writing of blobs' bytes; 100 when unset, at least 25.
    pub max_threads: usize,
}
