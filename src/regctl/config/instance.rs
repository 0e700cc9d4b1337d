//! An instance is what `instance.toml` means: complete, checked, and free of the text it came from.
//!
//! Paths are as they were written; the layout resolves relative ones under the root.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    values::{ExternalUrl, ListenAddress},
    vhost::Nginx,
};
use crate::Secret;

/// Everything that one file decides.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// What users type. Unset: the registry's own address is all there is.
    pub(crate) external_url: Option<ExternalUrl>,
    pub(crate) registry: Registry,
    pub(crate) nginx: Nginx,
    #[expect(dead_code, reason = "the registry takes no tokens yet, and setting one warns")]
    pub(crate) gitlab: Gitlab,
    /// Whether reconfigure creates the service's account, when it is root.
    pub(crate) manage_accounts: bool,
    /// Whether reconfigure creates the storage folder.
    pub(crate) manage_storage_directories: bool,
    /// Whether reconfigure writes the systemd unit and what belongs to it. Unset: where systemd runs.
    pub(crate) manage_system_files: Option<bool>,
}

/// `[registry]` and its tables.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) enable: bool,
    pub(crate) address: ListenAddress,
    pub(crate) log_level: String,
    pub(crate) log_formatter: String,
    /// Fields of every log line, the default ones included.
    pub(crate) log_fields: BTreeMap<String, String>,
    pub(crate) access_log: bool,
    /// The registry's environment; `REGISTRY_*` variables change its configuration.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) account: Account,
    pub(crate) http: Http,
    pub(crate) storage: Storage,
}

/// Who the registry runs as, when regctl is root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    pub(crate) username: String,
    pub(crate) group: String,
    /// Unset: the system chooses when it creates the account.
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) shell: PathBuf,
    /// Who else may read logs. Unset: root alone.
    pub(crate) log_group: Option<String>,
    /// Whether the file says anything of it.
    pub(crate) is_named: bool,
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
    /// HTTP/2 without TLS, by prior knowledge.
    pub(crate) h2c: bool,
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

/// What GitLab shares with the registry.
#[expect(dead_code, reason = "the registry takes no tokens yet, and setting one warns")]
#[derive(Clone, Debug)]
pub(crate) struct Gitlab {
    /// Signs tokens. Unset: the generated pair.
    pub(crate) token_key: Option<TokenKey>,
    /// Where the private key is written for GitLab. Unset: nowhere.
    pub(crate) key_path: Option<PathBuf>,
}

/// A key and its certificate, which only make sense together; both are PEM.
#[expect(dead_code, reason = "the registry takes no tokens yet, and setting one warns")]
#[derive(Clone, Debug)]
pub(crate) struct TokenKey {
    pub(crate) key: Secret,
    pub(crate) certificate: String,
}
