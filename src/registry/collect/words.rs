//! What a collector and the registry beside it say to each other, over the admin socket.

use std::{fmt::Display, str::FromStr, time::Duration};

use oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize, de::Error as _};
use storage::{Item, Reason, Removed};

use crate::log::told;

const SCHEMA: u32 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Begin,
    Promised,
    Remove,
    Sync,
}

/// `POST /v1/collection` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Begin {
    schema: u32,
    /// How long the registry has been up, in seconds; a former one does not say.
    #[serde(default)]
    pub(crate) up: u64,
}

/// `POST /v1/collection` is sent.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Wanted {
    schema: u32,
    /// Which store is to be collected: [`storage::Bulk::identity`].
    pub(crate) store: String,
    /// The same for people.
    pub(crate) place: String,
}

/// `POST /v1/collection/sync` answers, and what has no more to say is sent.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    schema: u32,
}

/// `POST /v1/collection/promised` is sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promised {
    pub(crate) digests: Vec<String>,
}

/// `POST /v1/collection/promised` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct PromisedAnswer {
    schema: u32,
    pub(crate) promised: Vec<bool>,
}

/// `POST /v1/collection/remove` is sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    pub(crate) before: u64,
    pub(crate) quarantine: Option<String>,
    pub(crate) items: Vec<ItemText>,
}

/// One object.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ItemText {
    TagIndex { repository: String, tag: String, digest: String },
    Revision { repository: String, digest: String },
    Layer { repository: String, digest: String },
    Blob { digest: String },
}

/// `POST /v1/collection/remove` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RemovedAnswer {
    schema: u32,
    pub(crate) answers: Vec<String>,
}

impl Step {
    pub(crate) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/collection" => Self::Begin,
            "/v1/collection/promised" => Self::Promised,
            "/v1/collection/remove" => Self::Remove,
            "/v1/collection/sync" => Self::Sync,
            _ => return None,
        })
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Begin => "/v1/collection",
            Self::Promised => "/v1/collection/promised",
            Self::Remove => "/v1/collection/remove",
            Self::Sync => "/v1/collection/sync",
        }
    }
}

/// Reads a name or a digest.
pub(crate) fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, serde_json::Error> {
    text.parse().map_err(|error| serde_json::Error::custom(format!("`{text}`: {error}")))
}

const REMOVED: &str = "removed";
const VANISHED: &str = "vanished";
const PROMISED: &str = "promised";
const YOUNG: &str = "young";
const SERVED: &str = "served";
const FAILED: &str = "failed: ";

/// What became of an object, or why not, in a word.
pub(crate) fn word<E: std::error::Error + 'static>(removed: Result<Removed, E>) -> String {
    let word = match removed {
        Ok(Removed::Gone) => REMOVED,
        Ok(Removed::Vanished) => VANISHED,
        Ok(Removed::Kept(Reason::Promised)) => PROMISED,
        Ok(Removed::Kept(Reason::Young)) => YOUNG,
        Ok(Removed::Kept(Reason::Served)) => SERVED,
        Err(error) => return format!("{FAILED}{}", told(&error)),
    };
    word.to_owned()
}

/// What an answer says of an object; the error is a sentence.
pub(crate) fn meaning(answer: &str) -> Result<Removed, String> {
    Ok(match answer {
        REMOVED => Removed::Gone,
        VANISHED => Removed::Vanished,
        PROMISED => Removed::Kept(Reason::Promised),
        YOUNG => Removed::Kept(Reason::Young),
        SERVED => Removed::Kept(Reason::Served),
        other => return Err(other.strip_prefix(FAILED).unwrap_or(other).to_owned()),
    })
}

impl ItemText {
    /// None: it is nothing that is removed beside a registry.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        Some(match item {
            Item::TagIndex(repository, tag, digest) => Self::TagIndex {
                repository: repository.to_string(),
                tag: tag.to_string(),
                digest: digest.to_string(),
            },
            Item::Revision(repository, digest) => {
                Self::Revision { repository: repository.to_string(), digest: digest.to_string() }
            }
            Item::Layer(repository, digest) => {
                Self::Layer { repository: repository.to_string(), digest: digest.to_string() }
            }
            Item::Blob(digest) => Self::Blob { digest: digest.to_string() },
            Item::Tag(..) | Item::UploadStartedAt(..) | Item::Repository(_) => return None,
        })
    }

    pub(crate) fn read(&self) -> Result<Item, serde_json::Error> {
        Ok(match self {
            Self::TagIndex { repository, tag, digest } => Item::TagIndex(
                read::<RepositoryName>(repository)?,
                read::<Tag>(tag)?,
                read::<Digest>(digest)?,
            ),
            Self::Revision { repository, digest } => {
                Item::Revision(read(repository)?, read(digest)?)
            }
            Self::Layer { repository, digest } => Item::Layer(read(repository)?, read(digest)?),
            Self::Blob { digest } => Item::Blob(read(digest)?),
        })
    }
}

impl Begin {
    pub(crate) fn new(up: Duration) -> Self {
        Self { schema: SCHEMA, up: up.as_secs() }
    }
}

impl Wanted {
    pub(crate) fn new(store: String, place: String) -> Self {
        Self { schema: SCHEMA, store, place }
    }
}

impl Begun {
    pub(crate) fn new() -> Self {
        Self { schema: SCHEMA }
    }
}

impl PromisedAnswer {
    pub(crate) fn new(promised: Vec<bool>) -> Self {
        Self { schema: SCHEMA, promised }
    }
}

impl RemovedAnswer {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        Self { schema: SCHEMA, answers }
    }
}
