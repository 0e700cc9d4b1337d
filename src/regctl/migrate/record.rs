//! The last switch to another storage: from where, and where to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    state::Layout,
    sys::{
        clock,
        fs::{self, Existing},
    },
};

const SCHEMA: u32 = 1;

/// A switch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    schema: u32,
    /// Which storage was left.
    pub(crate) from: String,
    /// Which one serves since.
    pub(crate) to: String,
    /// In UTC.
    pub(crate) at: String,
}

/// Why it is not known, or not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no record of a migration: remove it", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
}

impl Record {
    /// Writes down that the registry has moved.
    pub(crate) fn store(layout: &Layout, from: String, to: String) -> Result<(), Error> {
        let record = Self { schema: SCHEMA, from, to, at: clock::now() };
        let text = serde_json::to_string_pretty(&record).expect("a struct of strings is JSON");
        let path = layout.last_migration();
        Ok(fs::write_atomic(&path, format!("{text}\n").as_bytes(), 0o640, Existing::Replace)?)
    }

    /// Reads it; there may have been none.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.last_migration();
        let Some(text) = fs::read_to_string(&path)? else { return Ok(None) };
        let record = serde_json::from_str(&text);
        record.map(Some).map_err(|source| Error::Malformed { path, source })
    }
}
