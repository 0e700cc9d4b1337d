//! A hold on the registry, as reports show it.

use std::fmt;

use serde::Serialize;

use crate::state::holds::{Hold, Kind};

#[derive(Debug, Serialize)]
pub(crate) struct Held {
    pub(crate) kind: Kind,
    reason: String,
    command: String,
    pid: u32,
    since: String,
    /// Whether its owner is gone.
    stale: bool,
    #[serde(skip)]
    text: String,
}

impl Held {
    pub(crate) fn of(hold: &Hold) -> Self {
        Self {
            kind: hold.kind,
            reason: hold.reason.clone(),
            command: hold.owner.command.clone(),
            pid: hold.owner.process.pid,
            since: hold.since.clone(),
            stale: hold.is_stale(),
            text: hold.to_string(),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
