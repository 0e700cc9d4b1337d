//! What is noted of the last of something for whoever asks later: a JSON document, replaced whole.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::sys::fs::{self, Existing};

/// Why it is not known, or not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no record of {of}: remove it", path.display())]
    Malformed { path: PathBuf, of: &'static str, source: serde_json::Error },
}

/// Reads a record; there may be none. `of` says what it is a record of.
pub(crate) fn load<T: DeserializeOwned>(
    path: PathBuf,
    of: &'static str,
) -> Result<Option<T>, Error> {
    let Some(text) = fs::read_to_string(&path)? else { return Ok(None) };
    let record = serde_json::from_str(&text);
    record.map(Some).map_err(|source| Error::Malformed { path, of, source })
}

/// Writes it.
pub(crate) fn store<T: Serialize>(path: &Path, record: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(record).expect("structs of strings are JSON");
    Ok(fs::write_atomic(path, format!("{text}\n").as_bytes(), 0o640, Existing::Replace)?)
}
