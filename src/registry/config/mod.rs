//! The registry's configuration: Docker Distribution's `config.yml`, typed.
//!
//! A file is read once, at start. It passes through three stages, each in its own file: the YAML
//! text becomes a tree, `REGISTRY_*` variables change the tree, and the tree becomes a [`Config`],
//! with every problem and every warning collected on the way. Only [`Config::parse`] makes one from
//! text.

mod address;
mod auth;
mod check;
mod compatibility;
mod debug;
mod driver;
mod duration;
mod environment;
mod health;
mod immutable;
mod keys;
mod load;
mod notifications;
mod problem;
mod proxy;
mod quota;
mod read;
mod redirect;
mod redis;
mod s3;
mod scalar;
mod secret;
mod sendfile;
#[cfg(test)]
mod tests;
mod tls;
mod tree;
mod validation;
mod web_url;
mod yaml;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderName, HeaderValue};

pub use auth::{
    Algorithm, Auth, HeaderText, Htpasswd, Jwks, NotHeaderText, Silly, Token, TokenRealm,
};
pub use compatibility::Schema1;
pub use debug::Debug;
pub(crate) use duration::parse as parse_duration;
pub use health::{FileCheck, Health, HttpCheck, Pace, TcpCheck};
pub use immutable::ImmutableTags;
pub use keys::{KEYS, Key, Kind, Support, When};
pub use load::Parsed;
pub use notifications::{
    Endpoint, EndpointName, EventAction, EventFormat, NotAName, Notifications, Queue,
};
pub use problem::{Invalid, LoadError, Origin, Problem, Warning};
pub use proxy::{Credentials, Proxy, RemoteUrl};
pub use quota::{Quota, Quotas};
pub use redirect::{CloudFront, Redirect};
pub use redis::{Redis, RedisTls};
pub use secret::Secret;
pub use sendfile::Sendfile;
pub use tls::{CipherSuite, Clients, NoSuite, Tls, TlsVersion};
pub use validation::{Children, Class, IndexPlatform, Pattern, Urls, Validation};
pub use web_url::{NotAUrl, WebUrl};

/// What a registry process needs to know, complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `log`.
    pub log: Log,
    /// `storage`.
    pub storage: Storage,
    /// `auth`.
    pub auth: Auth,
    /// `http`.
    pub http: Http,
    /// `notifications`.
    pub notifications: Notifications,
    /// `health`.
    pub health: Health,
    /// `catalog.maxentries`: the largest page of the catalog.
    pub catalog_max_entries: usize,
    /// `tags.maxtags`: the largest page of a tag list that asks for a page.
    pub tags_max: usize,
    /// `compatibility.schema1`.
    pub schema1: Schema1,
    /// `proxy`: none for a registry that is pushed to.
    pub proxy: Option<Proxy>,
    /// `regctl.lease`: how long what was answered for stays out of a collector's reach; 1 h when unset.
    pub lease: Duration,
    /// `validation` and `policy`: which manifests are taken.
    pub validation: Validation,
    /// `regctl.quotas`: how much groups of repositories may hold. None: as much as there is room for.
    pub quotas: Option<Quotas>,
    /// `regctl.immutabletags`: tags that are set once.
    pub immutable_tags: Vec<ImmutableTags>,
    /// `regctl.sendfile`: the nginx that sends large blobs itself. None: the registry sends everything.
    pub sendfile: Option<Sendfile>,
    /// `redis`, if `storage.cache.blobdescriptor` is `redis`: what is told of deletes.
    pub redis: Option<Redis>,
}

/// `log`: what is written, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// `log.level`: `info` when unset.
    pub level: Level,
    /// `log.formatter`: `text` when unset.
    pub formatter: Formatter,
    /// `log.output`: standard error when unset.
    pub output: LogOutput,
    /// `log.reportcaller`: each line names its place in the source, as logrus does.
    pub report_caller: bool,
    /// Fields added to every line, as `log.fields`.
    pub fields: BTreeMap<String, String>,
    /// The access log on standard output; `log.accesslog.disabled` turns it off.
    pub access_log: bool,
    /// `log.accesslog.formatter`: `text` when unset.
    pub access_format: AccessFormat,
}

/// `log.output`, as GitLab's registry has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogOutput {
    /// Standard error.
    Stderr,
    /// Standard output, where the access log goes too.
    Stdout,
}

/// `log.accesslog.formatter`, as GitLab's registry has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessFormat {
    /// `text`: Apache's combined format.
    Combined,
    /// `json`: an object a line, with GitLab's names.
    Json,
}

/// `log.level`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Only what failed.
    Error,
    /// Also what is odd.
    Warn,
    /// Also what happened.
    Info,
    /// Also what was tried.
    Debug,
}

/// `log.formatter`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Formatter {
    /// As logrus: `time="…" level=info msg="…" key=value`.
    Text,
    /// As logrus' JSON: `{"level":"info","msg":"…","time":"…"}`.
    Json,
    /// As logrus' logstash formatter:
    /// `{"@timestamp":"…","@version":"1","level":"info","message":"…"}`.
    Logstash,
}

/// `storage`: where the bytes live, and what may be done to them.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The one driver that is named.
    pub driver: storage::Config,
    /// `storage.delete.enabled`.
    pub delete: bool,
    /// `storage.tag.concurrencylimit`: how many tags are read at once when one looks for those of a manifest. None where
    /// it is not said, or is 0.
    pub tag_reads: Option<NonZeroUsize>,
    /// `storage.maintenance.readonly.enabled`.
    pub read_only: bool,
    /// `storage.maintenance.uploadpurging`.
    pub upload_purging: UploadPurging,
    /// `middleware.storage`, unless `storage.redirect.disable`: none serves every blob itself.
    pub redirect: Option<Redirect>,
    /// How long the URLs hold by which clients get blobs from the bucket: 20 m, or `storage.redirect.expirydelay`. None
    /// where there is no bucket, where `storage.redirect.disable` is set, or a middleware sends them elsewhere.
    pub bucket_urls: Option<Duration>,
}

impl Storage {
    /// Returns the folder that holds the bytes, if the driver keeps them in one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.driver {
            storage::Config::Filesystem(filesystem) => Some(&filesystem.root_directory),
            storage::Config::InMemory | storage::Config::S3(_) => None,
        }
    }
}

/// `storage.maintenance.uploadpurging`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UploadPurging {
    /// Whether abandoned uploads are removed at all; they are when unset.
    pub enabled: bool,
    /// How old an upload must be; 168 h when unset.
    pub age: Duration,
    /// The time between two runs; 24 h when unset.
    pub interval: Duration,
    /// Only log what would be removed.
    pub dry_run: bool,
}

/// `http`: the listener, and what URLs look like from outside.
#[derive(Clone, Debug)]
pub struct Http {
    /// `http.net` and `http.addr`.
    pub address: Address,
    /// `http.prefix`: always starts and ends with a slash; `/` when unset.
    pub prefix: String,
    /// `http.host`: scheme and authority of the URLs in answers, whatever the request says.
    pub host: Option<ExternalHost>,
    /// `http.secret`: signs the state of uploads. None: a random one for this process.
    pub secret: Option<Secret>,
    /// `http.relativeurls`: `Location` holds a path only.
    pub relative_urls: bool,
    /// `http.draintimeout`: how long a stopping process lets requests finish. Zero: not at all, as
    /// Distribution.
    pub drain_timeout: Duration,
    /// `http.headers`: sent with every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `http.debug`: a second listener. None: there is none.
    pub debug: Option<Debug>,
    /// `regctl.http.maxconnections`: connections at once. None: as many as there can be.
    pub connections: Option<u32>,
    /// `http.tls`: HTTPS. None: without TLS.
    pub tls: Option<Tls>,
    /// `http.http2.disabled`, the other way round: HTTP/2 over TLS.
    pub http2: bool,
    /// `http.h2c.enabled`: HTTP/2 without TLS, by prior knowledge.
    pub h2c: bool,
}

/// `http.net` and `http.addr`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// A literal address; a host name is resolved when the file is read, and `:5000` is
    /// `[::]:5000`.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
}

/// `http.host`, parsed: `https://registry.example.com:8443`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalHost {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, with a port where one was written.
    pub authority: String,
}
