//! What a tool and the registry say to each other of changes, over the admin socket.

use serde::{Deserialize, Serialize, de::Error as _};

use super::{Act, Change, Changed};
use crate::collect::LineError;

const SCHEMA: u32 = 1;

/// Where a batch is sent.
pub(crate) const PATH: &str = "/v1/changes";

/// `POST /v1/changes` is sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    changes: Vec<ChangeText>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum ChangeText {
    DeleteTag { repository: String, tag: String, digest: String },
    RestoreTag { repository: String, tag: String, digest: String },
}

/// `POST /v1/changes` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct BatchAnswer {
    schema: u32,
    answers: Vec<String>,
}

const DONE: &str = "done";
const VANISHED: &str = "vanished";
const MOVED: &str = "moved";
const NO_MANIFEST: &str = "no-manifest";
const FAILED: &str = "failed: ";

impl Batch {
    pub(super) fn of(changes: &[Change]) -> Self {
        let text = |change: &Change| {
            let repository = change.repository.to_string();
            let (tag, digest) = (change.tag.to_string(), change.digest.to_string());
            match change.act {
                Act::Delete => ChangeText::DeleteTag { repository, tag, digest },
                Act::Restore => ChangeText::RestoreTag { repository, tag, digest },
            }
        };
        Self { changes: changes.iter().map(text).collect() }
    }

    /// Reads what was sent.
    pub(crate) fn read(&self) -> Result<Vec<Change>, serde_json::Error> {
        self.changes.iter().map(ChangeText::read).collect()
    }
}

impl ChangeText {
    fn read(&self) -> Result<Change, serde_json::Error> {
        let (act, repository, tag, digest) = match self {
            Self::DeleteTag { repository, tag, digest } => (Act::Delete, repository, tag, digest),
            Self::RestoreTag { repository, tag, digest } => (Act::Restore, repository, tag, digest),
        };
        Ok(Change { act, repository: name(repository)?, tag: name(tag)?, digest: name(digest)? })
    }
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, serde_json::Error> {
    text.parse().map_err(|error| serde_json::Error::custom(format!("`{text}`: {error}")))
}

impl BatchAnswer {
    pub(crate) fn of(changed: Vec<Changed>) -> Self {
        let word = |changed: Changed| match changed {
            Changed::Done => DONE.to_owned(),
            Changed::Vanished => VANISHED.to_owned(),
            Changed::Moved => MOVED.to_owned(),
            Changed::NoManifest => NO_MANIFEST.to_owned(),
            Changed::Failed(reason) => format!("{FAILED}{reason}"),
        };
        Self { schema: SCHEMA, answers: changed.into_iter().map(word).collect() }
    }

    /// What was answered to so many changes.
    pub(super) fn read(self, asked: usize) -> Result<Vec<Changed>, LineError> {
        if self.answers.len() != asked {
            let body = format!("{} answers for {asked} changes", self.answers.len());
            return Err(LineError::Strange { status: 200, body });
        }
        let meaning = |word: String| match word.as_str() {
            DONE => Changed::Done,
            VANISHED => Changed::Vanished,
            MOVED => Changed::Moved,
            NO_MANIFEST => Changed::NoManifest,
            other => Changed::Failed(other.strip_prefix(FAILED).unwrap_or(other).to_owned()),
        };
        Ok(self.answers.into_iter().map(meaning).collect())
    }
}
