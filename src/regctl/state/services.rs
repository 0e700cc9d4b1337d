//! `services.json`: what the supervisor is to run, and how.
//!
//! It is rendered like the services' own files and changes together with them. A supervisor reads it, and
//! never `instance.toml`, so that a half-finished edit of that file goes live by a reconfigure and not by a
//! crash.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::sys::{fs, managed};

const SCHEMA: u32 = 1;

/// A service's name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceName {
    Registry,
    Nginx,
}

/// Everything that is supervised.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Services {
    pub(crate) schema: u32,
    pub(crate) registry: Service,
    pub(crate) nginx: Service,
    /// Why nginx does not send blobs itself although it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_sendfile: Option<String>,
}

/// One service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Service {
    /// Whether it is run at all.
    pub(crate) enabled: bool,
    /// Who it runs as, when the supervisor is root; None: as the supervisor.
    pub(crate) account: Option<Account>,
    /// Variables of its environment, beside the supervisor's own.
    pub(crate) environment: BTreeMap<String, String>,
    /// How long it may take to end, in milliseconds.
    pub(crate) grace_ms: u64,
    /// The files that it reads when it starts.
    pub(crate) follows: Vec<PathBuf>,
    /// The certificate that clients see.
    #[serde(default)]
    pub(crate) certificate: Option<PathBuf>,
    /// The logs that it writes by itself, besides what it says.
    #[serde(default)]
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) log: LogPolicy,
}

/// An account's names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) group: String,
}

/// How a service's log is kept, as svlogd keeps it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct LogPolicy {
    /// A file of so many bytes is full.
    pub(crate) size: u64,
    /// So many full files are kept beside the current one.
    pub(crate) number: u64,
    /// Whether lines begin with the time.
    pub(crate) timestamps: bool,
}

/// Why it is not known what to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` does not exist: nothing was configured yet", .0.display())]
    Missing(PathBuf),
    #[error("`{}` is no list of services", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{}` has schema {schema}, and this regctl reads {SCHEMA}", path.display())]
    Schema { path: PathBuf, schema: u32 },
}

impl ServiceName {
    /// Every service, in the order in which they start.
    pub(crate) const ALL: [Self; 2] = [Self::Registry, Self::Nginx];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Nginx => "nginx",
        }
    }

    /// Returns the service of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Services {
    pub(crate) fn new(registry: Service, nginx: Service) -> Self {
        Self { schema: SCHEMA, registry, nginx, no_sendfile: None }
    }

    /// Reads what is to be run.
    pub(crate) fn load(layout: &Layout) -> Result<Self, Error> {
        let path = layout.services_json();
        let found = managed::read(&path)?.ok_or_else(|| Error::Missing(path.clone()))?;
        Self::parse(&found.text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let malformed = |source| Error::Malformed { path: path.to_owned(), source };
        let services: Self = serde_json::from_str(text).map_err(malformed)?;
        match services.schema {
            SCHEMA => Ok(services),
            schema => Err(Error::Schema { path: path.to_owned(), schema }),
        }
    }

    /// Returns the text of the file that holds them.
    pub(crate) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        format!("{}\n", text.expect("names, numbers and paths in UTF-8 are always JSON"))
    }

    pub(crate) fn get(&self, name: ServiceName) -> &Service {
        match name {
            ServiceName::Registry => &self.registry,
            ServiceName::Nginx => &self.nginx,
        }
    }
}

impl Service {
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}
