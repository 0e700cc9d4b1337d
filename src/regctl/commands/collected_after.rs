//! A collection that follows a run of cleanup policies, and the one document of both.

use std::{collections::BTreeMap, ffi::OsString, fmt, io};

use serde::Serialize;
use serde_json::Value;

use super::{Context, cleanup_policy::ended};
use crate::{
    exit::Failure,
    output::{Document, Format, Report, Volume},
    sys::{signals::Signals, worker},
};

/// One document of two.
#[derive(Debug, Serialize)]
pub(super) struct Both {
    pub(super) cleanup: Value,
    /// None: it was not begun.
    pub(super) collection: Option<Value>,
}

impl Document for Both {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cleanup)
    }
}

pub(super) fn document(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Input(io::Error::other(error)))
}

/// Collects as well, and says what came of both. What a collection that failed has to say it has said.
pub(super) fn both(context: &Context, signals: Signals, cleanup: Value) -> Result<Report, Failure> {
    let words = collection_words(context);
    let (end, heard) = worker::work_heard(signals, words, BTreeMap::new(), None, None)?;
    let collection = document(&heard).ok();
    let verdict = ended(end)?.verdict;
    Ok(Report::of(&Both { cleanup, collection }, verdict))
}

/// Collects, in a process of its own that takes the locks itself.
pub(super) fn collect_after(context: &Context, signals: Signals) -> Result<Report, Failure> {
    ended(worker::work(signals, collection_words(context), BTreeMap::new(), None)?)
}

fn collection_words(context: &Context) -> Vec<OsString> {
    let Context { layout, printer, .. } = context;
    let mut words: Vec<OsString> = vec!["--root".into(), layout.root().into()];
    words.extend((printer.volume() == Volume::Quiet).then(|| "--quiet".into()));
    words.extend((printer.format() == Format::Json).then(|| "--json".into()));
    words.extend(["registry-garbage-collect".into(), "--delete-untagged".into()]);
    words
}
