//! An instance is what `instance.toml` means: complete, checked, and free of the text it came from.
//!
//! Paths are as they were written; the layout resolves relative ones under the root.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::values::{ExternalUrl, ListenAddress};
use crate::Secret;

/// Everything that one file decides.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) external_url: Option<ExternalUrl>,
    pub(crate) registry: Registry,
}

/// `[registry]` and its tables.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) enable: bool,
    pub(crate) address: ListenAddress,
    pub(crate) log_level: String,
    pub(crate) log_formatter: String,
    /// The registry's environment; `REGISTRY_*` variables change its configuration.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) http: Http,
    pub(crate) storage: Storage,
}

/// The registry's HTTP server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Unset: the generated one.
    pub(crate) secret: Option<Secret>,
    pub(crate) relative_urls: bool,
    pub(crate) host: Option<ExternalUrl>,
    pub(crate) prefix: Option<String>,
    /// Headers of every answer; one without values is not sent.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) drain_timeout: Duration,
}

/// Where the bytes live, and what may be done to them.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) driver: Driver,
    pub(crate) delete: bool,
    pub(crate) read_only: bool,
    pub(crate) upload_purging: UploadPurging,
}

/// The storage driver with its options.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Driver {
    Filesystem { root_directory: PathBuf, max_threads: u64 },
    InMemory,
}

/// What happens to abandoned uploads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UploadPurging {
    pub(crate) enabled: bool,
    pub(crate) age: Duration,
    pub(crate) interval: Duration,
    pub(crate) dry_run: bool,
}
