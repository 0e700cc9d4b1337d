//! An instance is what `instance.toml` means: complete, checked, and free of the text it came from.
//!
//! Paths are as they were written; the layout resolves relative ones under the root.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use registry::config::{ImmutableTags, Quota};

use super::{
    health::Health,
    middleware::Middleware,
    notifications::Endpoint,
    policy::Policy,
    redis::Redis,
    s3::S3,
    values::{ExternalUrl, ListenAddress},
    vhost::Nginx,
    web_url::WebUrl,
};
use crate::{Secret, certificate::Pair};

/// Everything that one file decides.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// What users type. Unset: the registry's own address is all there is.
    pub(crate) external_url: Option<ExternalUrl>,
    pub(crate) registry: Registry,
    pub(crate) nginx: Nginx,
    pub(crate) logging: Logging,
    /// None: GitLab issues no tokens for this registry.
    pub(crate) gitlab: Option<Gitlab>,
    pub(crate) collection: Collection,
    pub(crate) cleanup: Cleanup,
    /// `[[immutable_tag]]`.
    pub(crate) immutable_tags: Vec<ImmutableTags>,
    /// `[[quota]]`.
    pub(crate) quotas: Vec<Quota>,
    /// Whether reconfigure creates the service's account, when it is root.
    pub(crate) manage_accounts: bool,
    /// Whether reconfigure creates the storage folder.
    pub(crate) manage_storage_directories: bool,
    /// Whether reconfigure writes the systemd unit and what belongs to it. Unset: where systemd runs.
    pub(crate) manage_system_files: Option<bool>,
}

/// `[garbage_collect]`.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    /// As cron has it. Unset: when somebody asks for it.
    pub(crate) schedule: Option<String>,
    /// `stop`, `read-only` or `online`.
    pub(crate) mode: String,
    /// Whether the scheduled one removes manifests that no tag leads to.
    pub(crate) delete_untagged: bool,
    /// How long what goes can be brought back.
    pub(crate) quarantine: Option<Duration>,
    /// What is younger stays when the registry is not stopped.
    pub(crate) grace: Duration,
}

/// `[[cleanup_policy]]` and `[cleanup]`.
#[derive(Clone, Debug)]
pub(crate) struct Cleanup {
    /// In the order of the file, in which they are held against a repository.
    pub(crate) policies: Vec<Policy>,
    /// When it is seen which of them are due, as cron has it.
    pub(crate) schedule: String,
    /// Whether that is followed by a collection.
    pub(crate) collect: bool,
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
    /// Each line names its place in the source.
    pub(crate) report_caller: bool,
    pub(crate) access_log: bool,
    /// `text` or `json`.
    pub(crate) access_format: String,
    /// The registry's environment; `REGISTRY_*` variables change its configuration.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) account: Account,
    pub(crate) http: Http,
    pub(crate) auth: Auth,
    pub(crate) storage: Storage,
    pub(crate) pages: Pages,
    pub(crate) schema1: Schema1,
    pub(crate) validation: Validation,
    pub(crate) notifications: Notifications,
    /// None: a registry that is pushed to.
    pub(crate) proxy: Option<Proxy>,
    /// None: nobody is told of deletes.
    pub(crate) redis: Option<Redis>,
    /// How long promises hold. Unset: as the registry has it.
    pub(crate) lease: Option<Duration>,
    pub(crate) health: Health,
    /// Where clients are sent for blobs.
    pub(crate) middleware: Vec<Middleware>,
}

/// Which manifests are taken; unset: as the registry has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Validation {
    pub(crate) disabled: bool,
    /// What one manifest may refer to.
    pub(crate) references: Option<u64>,
    /// The bytes of one manifest.
    pub(crate) payload: Option<u64>,
    /// Patterns of URLs that layers may have.
    pub(crate) allow: Option<Vec<String>>,
    /// Patterns of URLs that layers must not have.
    pub(crate) deny: Option<Vec<String>>,
    /// Which manifests of an index must be there.
    pub(crate) platforms: Option<String>,
    /// Architecture and system of each, for `list`.
    pub(crate) platform_list: Vec<(String, String)>,
    /// What repositories may hold.
    pub(crate) classes: Option<Vec<String>>,
}

/// Who is told of what happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Notifications {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) include_references: bool,
    pub(crate) format: String,
    /// Of each endpoint's queue.
    pub(crate) max_bytes: u64,
    pub(crate) max_events: u64,
    pub(crate) max_age: Duration,
}

/// The registry behind this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Proxy {
    pub(crate) remote: WebUrl,
    /// Name and password there.
    pub(crate) credentials: Option<(String, Secret)>,
    /// Zero: what was fetched is kept for ever.
    pub(crate) ttl: Duration,
    pub(crate) cache_write_timeout: Duration,
}

/// How long lists are; unset: as the registry has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pages {
    /// The largest page of the catalog.
    pub(crate) catalog: Option<u64>,
    /// The largest page of a list of tags.
    pub(crate) tags: Option<u64>,
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
    /// TLS ended by the registry itself.
    pub(crate) tls: Option<RegistryTls>,
    /// HTTP/2 over that.
    pub(crate) http2: bool,
    /// HTTP/2 without TLS, by prior knowledge.
    pub(crate) h2c: bool,
    /// Where health and metrics are served.
    pub(crate) debug: Option<Debug>,
}

/// The second listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Debug {
    pub(crate) address: ListenAddress,
    /// The path of metrics. None: there are none.
    pub(crate) metrics: Option<String>,
    pub(crate) tls: Option<RegistryTls>,
}

/// TLS ended by the registry itself; what is unset is as the registry has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RegistryTls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_authorities: Vec<PathBuf>,
    pub(crate) clients: Option<String>,
    pub(crate) minimum: Option<String>,
    pub(crate) cipher_suites: Option<Vec<String>>,
}

/// Docker's schema 1 manifests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Schema1 {
    /// Whether they are taken, and made for clients that know no others.
    pub(crate) enabled: bool,
    /// What signs them. Unset: a key for each process.
    pub(crate) signing_key_file: Option<PathBuf>,
}

/// Where the bytes live, and what may be done to them.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) driver: Driver,
    pub(crate) delete: bool,
    pub(crate) read_only: bool,
    pub(crate) upload_purging: UploadPurging,
    /// Whether blobs never come from elsewhere. Unset: as the registry has it.
    pub(crate) no_redirect: Option<bool>,
    /// How long the URLs of blobs in a bucket hold. Unset: as the registry has it.
    pub(crate) redirect_holds: Option<Duration>,
    /// How many tags are read at once. Unset: as the registry has it.
    pub(crate) tag_reads: Option<u64>,
    /// `inmemory` or `redis`, and how many Distribution 3 keeps in memory.
    pub(crate) cache: (Option<String>, Option<u64>),
}

/// The storage driver with its options.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Driver {
    Filesystem { root_directory: PathBuf, max_threads: u64 },
    InMemory,
    S3(S3),
}

/// What happens to abandoned uploads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UploadPurging {
    pub(crate) enabled: bool,
    pub(crate) age: Duration,
    pub(crate) interval: Duration,
    pub(crate) dry_run: bool,
}

/// How the logs of services are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Logging {
    pub(crate) registry: LogFiles,
    pub(crate) nginx: LogFiles,
}

/// How many log files, and how large.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LogFiles {
    /// In bytes; 0 is no limit.
    pub(crate) size: u64,
    /// Full files beside the current one.
    pub(crate) number: u64,
}

/// Who may do what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Auth {
    /// Everybody may do everything.
    None,
    /// Users in a file.
    Htpasswd { realm: String, path: PathBuf },
    /// Tokens, GitLab's or another server's.
    Token(Token),
    /// Whoever sends an `Authorization` header.
    Silly { realm: String, service: String },
}

/// Where the keys are that verify tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Jwks {
    File(PathBuf),
    Url(WebUrl),
}

/// Tokens: who issues them, and what verifies them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) realm: WebUrl,
    pub(crate) service: String,
    pub(crate) issuer: String,
    /// One of the two is there.
    pub(crate) root_cert_bundle: Option<PathBuf>,
    pub(crate) jwks: Option<Jwks>,
    /// Unset: what the registry accepts by itself.
    pub(crate) signing_algorithms: Option<Vec<String>>,
    pub(crate) autoredirect: bool,
    pub(crate) autoredirect_path: Option<String>,
}

/// The GitLab that issues tokens, and what it shares with the registry.
#[derive(Clone, Debug)]
pub(crate) struct Gitlab {
    /// Signs tokens. Unset: the generated pair.
    pub(crate) token_key: Option<Pair>,
    pub(crate) issuer: String,
    /// The administrator's own certificates that verify tokens. Unset: the pair's.
    pub(crate) bundle: Option<PathBuf>,
    /// Where the private key is written for GitLab. Unset: nowhere.
    pub(crate) key_path: Option<PathBuf>,
    /// Who may read it besides its owner. Unset: the group that it has.
    pub(crate) key_group: Option<String>,
}

impl Gitlab {
    /// Whether this registry has the pair that GitLab signs with. If not, GitLab has one of its own, and its
    /// certificate is in the administrator's bundle.
    pub(crate) fn has_pair(&self) -> bool {
        self.token_key.is_some() || self.needs_pair()
    }

    /// Whether a pair is to be generated.
    pub(crate) fn needs_pair(&self) -> bool {
        self.token_key.is_none() && (self.bundle.is_none() || self.key_path.is_some())
    }
}
