//! When each policy has run, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Counts;
use crate::{
    config::policy::Policy,
    state::{Layout, RecordError, record},
    sys::clock,
};

const SCHEMA: u32 = 1;

/// What is known of all policies, by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    schema: u32,
    pub(crate) policies: BTreeMap<String, PolicyRecord>,
}

/// What is known of one.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct PolicyRecord {
    /// When the last run began that came to its end, in UTC.
    pub(crate) last: Option<String>,
    /// The same of any run.
    pub(crate) began: Option<String>,
    /// Null while it works, and when it was killed.
    pub(crate) ended: Option<String>,
    /// What the run is called.
    pub(crate) run: Option<String>,
    pub(crate) result: Option<Ended>,
    pub(crate) problem: Option<String>,
    pub(crate) deleted: u64,
    pub(crate) kept: u64,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    Done,
    Failed,
}

impl Record {
    /// Reads it; there may be none.
    pub(crate) fn load(layout: &Layout) -> Result<Self, RecordError> {
        Ok(record::load(layout.cleanup_record(), "cleanup policies")?.unwrap_or_default())
    }

    /// Notes that policies begin to run.
    pub(crate) fn begin(
        &mut self,
        layout: &Layout,
        names: &[String],
        run: &str,
    ) -> Result<(), RecordError> {
        for name in names {
            let record = self.policies.entry(name.clone()).or_default();
            let last = record.last.take();
            let began = Some(clock::now());
            *record =
                PolicyRecord { last, began, run: Some(run.to_owned()), ..PolicyRecord::default() };
        }
        self.store(layout)
    }

    /// Notes what came of it: they run again when that is no good end.
    pub(crate) fn end(
        &mut self,
        layout: &Layout,
        names: &[String],
        came: &Result<BTreeMap<String, Counts>, String>,
    ) -> Result<(), RecordError> {
        for name in names {
            let record = self.policies.entry(name.clone()).or_default();
            record.ended = Some(clock::now());
            match came {
                Ok(counts) => {
                    let Counts { deleted, kept, .. } =
                        counts.get(name).copied().unwrap_or_default();
                    (record.deleted, record.kept) = (deleted, kept);
                    (record.result, record.last) = (Some(Ended::Done), record.began.clone());
                }
                Err(problem) => {
                    (record.result, record.problem) = (Some(Ended::Failed), Some(problem.clone()));
                }
            }
        }
        self.store(layout)
    }

    /// When a policy has begun last; none: never, or nobody knows.
    pub(crate) fn last(&self, policy: &Policy) -> Option<OffsetDateTime> {
        let last = self.policies.get(&policy.name)?.last.as_ref()?;
        OffsetDateTime::parse(last, &Rfc3339).ok()
    }

    fn store(&mut self, layout: &Layout) -> Result<(), RecordError> {
        self.schema = SCHEMA;
        record::store(&layout.cleanup_record(), self)
    }
}

impl PolicyRecord {
    /// What a person should know of the last run.
    pub(crate) fn line(&self) -> String {
        let Self { began, ended, result, problem, deleted, kept, .. } = self;
        let time = |time: &Option<String>| time.clone().unwrap_or_default();
        match (result, problem) {
            (Some(Ended::Done), _) => {
                format!("done at {}: {deleted} deleted, {kept} kept", time(ended))
            }
            (Some(Ended::Failed), problem) => {
                let why = problem.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("failed at {}{why}", time(ended))
            }
            (None, _) => format!("begun at {}, and not ended", time(began)),
        }
    }
}
