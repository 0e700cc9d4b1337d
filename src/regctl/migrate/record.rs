//! The last switch to another storage: from where, and where to.

use serde::{Deserialize, Serialize};

use crate::{
    state::{Layout, RecordError, record},
    sys::clock,
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

impl Record {
    /// Writes down that the registry has moved.
    pub(crate) fn store(layout: &Layout, from: String, to: String) -> Result<(), RecordError> {
        let record = Self { schema: SCHEMA, from, to, at: clock::now() };
        record::store(&layout.last_migration(), &record)
    }

    /// Reads it; there may have been none.
    pub(crate) fn load(layout: &Layout) -> Result<Option<Self>, RecordError> {
        record::load(layout.last_migration(), "a migration")
    }
}
