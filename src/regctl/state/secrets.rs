//! Generated secrets: made once, then only read, because every node and every restart must agree on them.
//!
//! They are one file in the form of gitlab-secrets.json. What a file lacks, as one of an older version does,
//! is added to it; everything else in it stays, whoever wrote it.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::Layout;
use crate::{
    Secret,
    certificate::{self, Pair, Unfit},
    secret::REDACTED,
    sys::{clock, fs, managed, random},
};

/// The random bytes behind `http_secret`, as omnibus has them.
const HTTP_SECRET_BYTES: usize = 64;

/// The fewest characters of a secret that is not plainly a mistake, as in `instance.toml`.
const HTTP_SECRET_CHARS_MIN: usize = 16;

/// The mode of a secrets file that regctl writes.
pub(crate) const MODE: u32 = 0o600;

/// The file's object for the registry, and what stands there.
const REGISTRY: &str = "registry";
const HTTP_SECRET: &str = "http_secret";
const KEY: &str = "internal_key";
const CERTIFICATE: &str = "internal_certificate";

/// What `secrets.json` holds.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Signs the state of uploads in URLs, where the instance sets none itself.
    pub(crate) http_secret: Secret,
    /// Signs tokens, where the instance sets no pair itself. None: nobody needed one yet.
    pub(crate) token: Option<Pair>,
    pub(crate) origin: Origin,
    /// Everything else in the file.
    others: Others,
}

/// Where secrets come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A file that says all of them.
    Stored,
    /// Some of them are still to be stored.
    Generated,
}

/// What regctl does not know and keeps: it may be secret too.
#[derive(Clone, Default)]
struct Others(Map<String, Value>);

impl std::fmt::Debug for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

/// What an instance needs of its secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Needs {
    /// Whether tokens are signed with the generated pair.
    pub(crate) token: bool,
}

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no secrets file", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{name}` in `{}` is no text", path.display())]
    NoText { path: PathBuf, name: String },
    #[error("`registry.http_secret` in `{}` is empty", path.display())]
    Empty { path: PathBuf },
    #[error(
        "`registry.http_secret` in `{}` is shorter than {HTTP_SECRET_CHARS_MIN} characters: whoever guesses it can write into uploads",
        path.display()
    )]
    Short { path: PathBuf },
    #[error("`registry.{here}` in `{}` stands without `registry.{missing}`: they are one pair", path.display())]
    Half { path: PathBuf, here: &'static str, missing: &'static str },
    #[error("{reason} in `{}`", path.display())]
    Unfit { path: PathBuf, reason: String },
    #[error("`{}` has mode {mode:04o}: every user of this machine may use its secrets", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("failed to generate the http secret")]
    Random(#[source] io::Error),
    #[error("failed to generate the key pair for tokens")]
    Pair(#[source] rcgen::Error),
}

impl Secrets {
    /// Secrets of no instance, for checking files that are not written.
    pub(crate) fn placeholder() -> Self {
        let text = || "placeholder".to_owned();
        Self {
            http_secret: Secret::new(text()),
            token: Some(Pair { key: Secret::new(text()), certificate: text() }),
            origin: Origin::Stored,
            others: Others::default(),
        }
    }

    /// Reads the secrets and makes those that are needed and missing.
    ///
    /// `made` are secrets that were made for this instance a moment ago and not stored; they are taken before
    /// new ones are made.
    pub(crate) fn complete(
        layout: &Layout,
        needs: Needs,
        made: Option<&Self>,
    ) -> Result<Self, Error> {
        let secrets = match Self::load(layout)? {
            Some(secrets) => secrets,
            None => made.map_or_else(Self::without_pair, |made| Ok(made.clone()))?,
        };
        if !needs.token {
            return Ok(secrets);
        }
        match &secrets.token {
            Some(pair) => {
                let path = layout.secrets_json();
                pair.check(clock::unix_time()).map_err(|unfit| unfit_pair(path, unfit))?;
                Ok(secrets)
            }
            None => secrets.with_pair(made),
        }
    }

    /// Reads the secrets for somebody who changes nothing; `None` when there are none yet, or none to be read.
    pub(crate) fn stored(layout: &Layout) -> Result<Option<Self>, Error> {
        match Self::load(layout) {
            Err(Error::File(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            loaded => loaded,
        }
    }

    /// Reads the secrets; `None` when there are none yet.
    fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.secrets_json();
        match managed::read(&path)? {
            Some(found) if found.mode & 0o007 != 0 => {
                Err(Error::Exposed { path, mode: found.mode })
            }
            Some(found) => Self::parse(&found.text, &path).map(Some),
            None => Ok(None),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let malformed = |source| Error::Malformed { path: path.to_owned(), source };
        let mut others: Map<String, Value> = serde_json::from_str(text).map_err(malformed)?;
        let mut registry = match others.remove(REGISTRY) {
            Some(Value::Object(registry)) => registry,
            None => Map::new(),
            Some(_) => return Err(malformed(serde::de::Error::custom("`registry` is no object"))),
        };
        let http_secret = take(&mut registry, HTTP_SECRET, path)?;
        let token = pair(&mut registry, path)?;
        others.insert(REGISTRY.to_owned(), Value::Object(registry));
        let (http_secret, origin) = match http_secret {
            Some(text) if text.is_empty() => return Err(Error::Empty { path: path.to_owned() }),
            Some(text) if text.chars().count() < HTTP_SECRET_CHARS_MIN => {
                return Err(Error::Short { path: path.to_owned() });
            }
            Some(text) => (Secret::new(text), Origin::Stored),
            None => (new_http_secret()?, Origin::Generated),
        };
        Ok(Self { http_secret, token, origin, others: Others(others) })
    }

    /// Makes all secrets, which are nowhere yet.
    pub(crate) fn generate() -> Result<Self, Error> {
        Self::without_pair()?.with_pair(None)
    }

    fn without_pair() -> Result<Self, Error> {
        let http_secret = new_http_secret()?;
        Ok(Self { http_secret, token: None, origin: Origin::Generated, others: Others::default() })
    }

    fn with_pair(self, made: Option<&Self>) -> Result<Self, Error> {
        let pair = match made.and_then(|made| made.token.clone()) {
            Some(pair) => pair,
            None => Pair::generate().map_err(Error::Pair)?,
        };
        Ok(Self { token: Some(pair), origin: Origin::Generated, ..self })
    }

    /// Returns the text of the file that holds them.
    pub(crate) fn to_json(&self) -> String {
        self.json(Secret::reveal)
    }

    /// Returns that text without the secrets, line for line.
    pub(crate) fn to_redacted_json(&self) -> String {
        let text = self.json(|_| REDACTED);
        let mut json: Value = serde_json::from_str(&text).expect("it was written here");
        redact(&mut json);
        written(&json)
    }

    fn json(&self, value: fn(&Secret) -> &str) -> String {
        let mut file = self.others.0.clone();
        let registry = file.entry(REGISTRY).or_insert_with(|| Value::Object(Map::new()));
        let registry = registry.as_object_mut().expect("`parse` takes nothing else");
        registry.insert(HTTP_SECRET.to_owned(), value(&self.http_secret).into());
        if let Some(Pair { key, certificate }) = &self.token {
            registry.insert(KEY.to_owned(), value(key).into());
            registry.insert(CERTIFICATE.to_owned(), certificate.as_str().into());
        }
        written(&Value::Object(file))
    }
}

fn new_http_secret() -> Result<Secret, Error> {
    random::hex(HTTP_SECRET_BYTES).map(Secret::new).map_err(Error::Random)
}

/// Takes a text out of the registry's object.
fn take(
    registry: &mut Map<String, Value>,
    name: &str,
    path: &Path,
) -> Result<Option<String>, Error> {
    match registry.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            let name = format!("{REGISTRY}.{name}");
            Err(Error::NoText { path: path.to_owned(), name })
        }
    }
}

/// Takes the pair out: half of one would be completed by a stranger.
fn pair(registry: &mut Map<String, Value>, path: &Path) -> Result<Option<Pair>, Error> {
    let half = |here, missing| Err(Error::Half { path: path.to_owned(), here, missing });
    match (take(registry, KEY, path)?, take(registry, CERTIFICATE, path)?) {
        (Some(key), Some(certificate)) => Ok(Some(Pair { key: Secret::new(key), certificate })),
        (None, None) => Ok(None),
        (Some(_), None) => half(KEY, CERTIFICATE),
        (None, Some(_)) => half(CERTIFICATE, KEY),
    }
}

fn unfit_pair(path: PathBuf, unfit: Unfit) -> Error {
    let [certificate, key] = [CERTIFICATE, KEY].map(|name| format!("`{REGISTRY}.{name}`"));
    Error::Unfit { path, reason: certificate::describe(unfit, &certificate, &key) }
}

/// Hides every text but the certificate, which is public.
fn redact(json: &mut Value) {
    match json {
        Value::Object(entries) => {
            entries
                .iter_mut()
                .filter(|(name, _)| *name != CERTIFICATE)
                .for_each(|(_, v)| redact(v));
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => *text = REDACTED.to_owned(),
        Value::Number(_) => *json = REDACTED.into(),
        Value::Null | Value::Bool(_) => {}
    }
}

fn written(json: &Value) -> String {
    format!("{json:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Secrets, Error> {
        Secrets::parse(text, Path::new("/secrets.json"))
    }

    #[test]
    fn what_somebody_else_wrote_stays() {
        let text = r#"{"other": {"a": [1, "b"]}, "registry": {"later": "x", "http_secret": "known and long enough"}}"#;
        let secrets = parse(text).unwrap();
        assert_eq!(secrets.origin, Origin::Stored);
        let completed = secrets.with_pair(None).unwrap();
        let json: Value = serde_json::from_str(&completed.to_json()).unwrap();
        assert_eq!(json["other"]["a"][1], "b");
        assert_eq!(json["registry"]["later"], "x");
        assert_eq!(json["registry"]["http_secret"], "known and long enough");
        assert!(json["registry"]["internal_key"].as_str().unwrap().starts_with("-----BEGIN PRIV"));
        assert_eq!(parse(&completed.to_json()).unwrap().to_json(), completed.to_json());
    }

    #[test]
    fn nothing_but_the_certificate_is_shown() {
        let text = r#"{"other": {"a": [1, "b"]}, "registry": {"later": "x", "http_secret": "known and long enough"}}"#;
        let secrets = parse(text).unwrap().with_pair(None).unwrap();
        let shown = secrets.to_redacted_json();
        for hidden in ["known and long enough", "\"x\"", "\"b\"", "PRIVATE"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
        assert_eq!(shown.lines().count(), secrets.to_json().lines().count());
        assert!(!format!("{secrets:?}").contains("known and long enough"));
    }

    #[test]
    fn half_a_pair_is_no_pair() {
        for (half, says) in [
            (
                KEY,
                "`registry.internal_key` in `/secrets.json` stands without `registry.internal_certificate`: they are one pair",
            ),
            (
                CERTIFICATE,
                "`registry.internal_certificate` in `/secrets.json` stands without `registry.internal_key`: they are one pair",
            ),
        ] {
            let text = format!(
                r#"{{"registry": {{"http_secret": "known and long enough", "{half}": "x"}}}}"#
            );
            assert_eq!(parse(&text).unwrap_err().to_string(), says);
        }
    }
}
