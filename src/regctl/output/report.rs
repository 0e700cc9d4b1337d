//! A report is what a command found out. Its text and its JSON are two views of one struct.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};

/// What a report says about its subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Good,
    /// Something needs a look, and the report says what.
    Findings,
    /// Something that should run does not, and the report says what.
    NotRunning,
    /// Something is not as it was asked to be, and the report says what.
    NotDone,
    /// The configuration has problems, and the report lists them.
    ConfigInvalid,
}

/// What a command reports: serialized for `--json`, displayed otherwise.
pub(crate) trait Document: Serialize + Display {
    /// The version of the JSON form, raised when a reader of the old form would misread the new one.
    const SCHEMA: u32;
}

/// What a report consists of.
#[derive(Debug)]
pub(super) enum Body {
    /// Two views of one document.
    Document {
        text: String,
        json: Value,
    },
    /// A file, whatever the format.
    File(String),
    Nothing,
}

/// A report that is ready to be printed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) body: Body,
    pub(crate) verdict: Verdict,
}

impl Report {
    /// A report whose subject is as it should be.
    pub(crate) fn good<D: Document>(document: &D) -> Self {
        Self::of(document, Verdict::Good)
    }

    pub(crate) fn of<D: Document>(document: &D, verdict: Verdict) -> Self {
        let mut json =
            serde_json::to_value(document).expect("documents are structs with text keys");
        // The number stands beside the document's own fields.
        match json.as_object_mut() {
            Some(object) => {
                object.insert("schema".to_owned(), D::SCHEMA.into());
            }
            None => json = json!({ "schema": D::SCHEMA, "value": json }),
        }
        Self { body: Body::Document { text: document.to_string(), json }, verdict }
    }

    /// A command that has said everything while it ran.
    pub(crate) fn silent() -> Self {
        Self { body: Body::Nothing, verdict: Verdict::Good }
    }

    /// A command that has said everything, and what of it needs a look.
    pub(crate) fn silent_with(verdict: Verdict) -> Self {
        Self { body: Body::Nothing, verdict }
    }

    /// A file that is written to stdout as it is, whatever the format.
    pub(crate) fn file(text: String) -> Self {
        Self { body: Body::File(text), verdict: Verdict::Good }
    }
}
