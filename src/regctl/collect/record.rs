//! The last collection: when it began, and what came of it.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    state::Layout,
    sys::{
        clock,
        fs::{self, Existing},
    },
};

const SCHEMA: u32 = 1;

/// A collection that has begun.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    schema: u32,
    /// In UTC.
    began: String,
    /// Null while it works, and when it was killed.
    ended: Option<String>,
    outcome: Option<Outcome>,
    /// Why it failed.
    problem: Option<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Done,
    /// Something was kept since it could not be read or understood.
    KeptForDoubt,
    Failed,
}

/// Why it is not known, or not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` is no record of a collection: remove it", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
}

impl Record {
    /// Notes that a collection begins.
    pub(crate) fn begin(layout: &Layout) -> Result<Self, Error> {
        let began = clock::now();
        let record = Self { schema: SCHEMA, began, ended: None, outcome: None, problem: None };
        record.store(layout)?;
        Ok(record)
    }

    /// Notes what came of it.
    pub(crate) fn end(
        mut self,
        layout: &Layout,
        outcome: Outcome,
        problem: Option<String>,
    ) -> Result<(), Error> {
        (self.ended, self.outcome, self.problem) = (Some(clock::now()), Some(outcome), problem);
        self.store(layout)
    }

    /// Reads the last one; there may have been none.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.last_collection();
        let Some(text) = fs::read_to_string(&path)? else { return Ok(None) };
        let record = serde_json::from_str(&text);
        record.map(Some).map_err(|source| Error::Malformed { path, source })
    }

    fn store(&self, layout: &Layout) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("structs of strings are JSON");
        let text = format!("{text}\n");
        let path = layout.last_collection();
        Ok(fs::write_atomic(&path, text.as_bytes(), 0o640, Existing::Replace)?)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { began, ended, outcome, problem, .. } = self;
        match (outcome, ended) {
            (Some(outcome), Some(ended)) => write!(f, "{outcome} at {ended}")?,
            _ => write!(f, "begun at {began}, and not ended")?,
        }
        problem.iter().try_for_each(|problem| write!(f, ": {problem}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::KeptForDoubt => "done, and some things were kept for doubt,",
            Self::Failed => "failed",
        })
    }
}
