//! The last collection: when it began, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    state::{Layout, RecordError, record},
    sys::clock,
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

impl Record {
    /// Notes that a collection begins.
    pub(crate) fn begin(layout: &Layout) -> Result<Self, RecordError> {
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
    ) -> Result<(), RecordError> {
        (self.ended, self.outcome, self.problem) = (Some(clock::now()), Some(outcome), problem);
        self.store(layout)
    }

    /// Reads the last one; there may have been none.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, RecordError> {
        record::load(layout.last_collection(), "a collection")
    }

    fn store(&self, layout: &Layout) -> Result<(), RecordError> {
        record::store(&layout.last_collection(), self)
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
