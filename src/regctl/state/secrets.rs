//! Generated secrets: made once, then only read, because every node and every restart must agree on them.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::{
    Secret,
    sys::{
        fs::{self, Existing},
        random,
    },
};

/// The random bytes behind `http_secret`, as omnibus has them.
const HTTP_SECRET_BYTES: usize = 64;

/// What `secrets.json` holds.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Signs the state of uploads in URLs, where the instance sets none itself.
    pub(crate) http_secret: Secret,
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
        Self { http_secret: Secret::new("placeholder".to_owned()) }
    }

    /// Reads the secrets; generates and stores them if there are none.
    pub(crate) fn load_or_generate(layout: &Layout) -> Result<Self, Error> {
        let path = layout.secrets_json();
        match fs::read_to_string(&path)? {
            Some(text) => Self::parse(&text, path),
            None => Self::generate(layout),
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
        Ok(Self { http_secret: Secret::new(http_secret) })
    }

    fn generate(layout: &Layout) -> Result<Self, Error> {
        let http_secret = random::hex(HTTP_SECRET_BYTES).map_err(Error::Random)?;
        let stored = OnDisk { registry: Registry { http_secret } };
        let mut text =
            serde_json::to_string_pretty(&stored).expect("strings under text keys are always JSON");
        text.push('\n');
        // Two first starts at once must not end with two secrets: the second one reads the first one's.
        match fs::write_atomic(&layout.secrets_json(), text.as_bytes(), 0o600, Existing::Keep) {
            Ok(()) => Ok(Self { http_secret: Secret::new(stored.registry.http_secret) }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = layout.secrets_json();
                let text = fs::read_to_string(&path)?.unwrap_or_default();
                Self::parse(&text, path)
            }
            Err(error) => Err(error.into()),
        }
    }
}
