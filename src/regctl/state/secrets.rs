//! Generated secrets: made once, then only read, because every node and every restart must agree on them.
//!
//! They are one file and one unit: it is there whole, or it is not, and nothing adds to it in place.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::{
    Secret,
    sys::{fs, managed, random},
};

/// The random bytes behind `http_secret`, as omnibus has them.
const HTTP_SECRET_BYTES: usize = 64;

/// The mode of a secrets file that regctl writes.
pub(crate) const MODE: u32 = 0o600;

/// What `secrets.json` holds.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Signs the state of uploads in URLs, where the instance sets none itself.
    pub(crate) http_secret: Secret,
    pub(crate) origin: Origin,
}

/// Where secrets come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A file, which is kept as it is: it may hold more than this version knows.
    Stored,
    /// Nowhere: they are still to be stored.
    Generated,
}

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no secrets file", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`registry.http_secret` in `{}` is empty", path.display())]
    Empty { path: PathBuf },
    #[error("`{}` has mode {mode:04o}: every user of this machine may use its secrets", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("failed to generate the http secret")]
    Random(#[source] io::Error),
}

/// The file's form: one object per service, as in gitlab-secrets.json. Keys of later versions are left alone.
#[derive(Deserialize, Serialize)]
struct OnDisk {
    registry: Registry,
}

#[derive(Deserialize, Serialize)]
struct Registry {
    http_secret: String,
}

impl Secrets {
    /// Secrets of no instance, for checking files that are not written.
    pub(crate) fn placeholder() -> Self {
        Self { http_secret: Secret::new("placeholder".to_owned()), origin: Origin::Stored }
    }

    /// Reads the secrets; `None` when there are none yet.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.secrets_json();
        match managed::read(&path)? {
            Some(found) if found.mode & 0o007 != 0 => {
                Err(Error::Exposed { path, mode: found.mode })
            }
            Some(found) => Self::parse(&found.text, path).map(Some),
            None => Ok(None),
        }
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, Error> {
        let http_secret = match serde_json::from_str::<OnDisk>(text) {
            Ok(stored) => stored.registry.http_secret,
            Err(source) => return Err(Error::Malformed { path, source }),
        };
        if http_secret.is_empty() {
            return Err(Error::Empty { path });
        }
        Ok(Self { http_secret: Secret::new(http_secret), origin: Origin::Stored })
    }

    /// Makes new secrets, which are nowhere yet.
    pub(crate) fn generate() -> Result<Self, Error> {
        let http_secret = random::hex(HTTP_SECRET_BYTES).map_err(Error::Random)?;
        Ok(Self { http_secret: Secret::new(http_secret), origin: Origin::Generated })
    }

    /// Returns the text of the file that holds them.
    pub(crate) fn to_json(&self) -> String {
        let http_secret = self.http_secret.reveal().to_owned();
        json(&OnDisk { registry: Registry { http_secret } })
    }

    /// Returns that text without the secrets, line for line.
    pub(crate) fn to_redacted_json(&self) -> String {
        let http_secret = self.http_secret.to_string();
        json(&OnDisk { registry: Registry { http_secret } })
    }
}

fn json(stored: &OnDisk) -> String {
    let text =
        serde_json::to_string_pretty(stored).expect("strings under text keys are always JSON");
    format!("{text}\n")
}
