//! What the command and the process that works on the storage say to each other: JSON, a line each.

use std::collections::BTreeMap;

use registry::changes::{Act, Change};
use serde::{Deserialize, Serialize};

use crate::config::policy::{Glob, Policy};

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) work: Work,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Tags go.
    Clean {
        /// All of them: also one that does not run says what stays.
        policies: Vec<Policy>,
        /// The names of those that run.
        running: Vec<String>,
        /// Only repositories like this one.
        only: Option<Glob>,
    },
    /// Tags come back.
    Undo { gone: Vec<Gone> },
}

/// A tag that goes, or has gone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Gone {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    pub(crate) rule: String,
    pub(crate) policy: Option<String>,
}

/// What the process tells.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Told {
    /// These are about to go: it waits until that is written down, for a line of any content.
    Going { tags: Vec<Gone> },
    /// What came of one.
    Came { tag: Gone, what: String },
    /// All is done.
    Done { policies: BTreeMap<String, Counts> },
}

/// How many tags.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Counts {
    pub(crate) deleted: u64,
    pub(crate) kept: u64,
    pub(crate) failed: u64,
}

impl Gone {
    /// The change that is asked for; none where a name is none.
    pub(crate) fn change(&self, act: Act) -> Option<Change> {
        Some(Change {
            act,
            repository: self.repository.parse().ok()?,
            tag: self.tag.parse().ok()?,
            digest: self.digest.parse().ok()?,
        })
    }
}
