//! Moving an instance's storage: what the command and the process that does the work tell each other.

mod record;

use std::{num::NonZeroU64, path::PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use record::Record;

/// What the process is to do; it comes on its stdin, since the target's secrets are in it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Order {
    /// The config.yml that the registry would have on the target.
    pub(crate) target: String,
    pub(crate) step: Step,
    /// Which blobs of the target are read and hashed.
    pub(crate) reading: Reading,
    /// What tells this migration from others.
    pub(crate) run: String,
    /// Whether all goes that only the target has.
    pub(crate) delete: bool,
    pub(crate) at_once: usize,
    pub(crate) bytes_a_second: Option<NonZeroU64>,
    /// Where what was put is written down.
    pub(crate) journal: PathBuf,
    pub(crate) then: Then,
}

/// What follows a pass in the same process.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Then {
    Nothing,
    /// The read-only pass, when it is told [`Next`].
    Last,
    /// The same, and until then the registry writes down what it changes, and looks whether anybody else uses the storage: this
    /// process is not to be seen there.
    LastByJournal,
}

/// What the process is told after the live pass, a line each.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Next {
    /// A part of the registry's journal of what has changed.
    Changes(String),
    /// The registry is read-only: the last pass may begin.
    Final {
        /// Whether the journal has all that has changed.
        are_all_known: bool,
    },
}

/// What is done of a migration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Both sides are compared, and nothing is changed.
    Plan,
    /// What the target lacks is copied while the registry serves.
    Live,
    /// The same while nothing is written, and then both sides are compared.
    Final,
    /// Both sides are compared while the registry serves, for the sake of the blobs that are read.
    Read,
    /// Both sides are compared.
    Verify,
}

/// Which blobs of the target are read and hashed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reading {
    Nothing,
    /// Those that no migration has put or read.
    Unknown,
    /// All that this migration has not read.
    All,
}

/// A tag of the source, as it is told to people and programs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct TagName {
    pub(crate) repository: String,
    pub(crate) tag: String,
}
