//! A collection over the admin socket: what is said, and that it lasts as long as its connection.

use std::{
    fmt::Display,
    str::FromStr,
    time::{Duration, SystemTime},
};

use oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize, de::Error as _};
use tokio::sync::Mutex;

use crate::{
    content::{self, Collection, Disposal, Ended, Item, NotBegun, Reason, Removed, RunId, Terms},
    control::Control,
};

const SCHEMA: u32 = 1;

/// What a connection has begun.
#[derive(Debug, Default)]
pub(super) struct Session {
    collection: Mutex<Option<Collection>>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Begin,
    Promised,
    Remove,
    Sync,
}

/// What is answered.
#[derive(Debug)]
pub(super) enum Said {
    Begun,
    Promised(PromisedAnswer),
    Removed(RemovedAnswer),
}

/// Why a step is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Body(#[from] serde_json::Error),
    #[error("a collection runs on this connection")]
    Begun,
    #[error("no collection was begun on this connection")]
    NotBegun,
    #[error("{}", chain(.0))]
    Refused(#[source] NotBegun),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error(transparent)]
    Storage(#[from] content::Error),
}

/// `POST /v1/collection` and `/v1/collection/sync` answer.
#[derive(Debug, Serialize)]
pub(super) struct Begun {
    schema: u32,
}

/// `POST /v1/collection/promised` is sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Promised {
    pub(super) digests: Vec<String>,
}

/// `POST /v1/collection/promised` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PromisedAnswer {
    schema: u32,
    pub(super) promised: Vec<bool>,
}

/// `POST /v1/collection/remove` is sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remove {
    pub(super) before: u64,
    pub(super) quarantine: Option<String>,
    pub(super) items: Vec<ItemText>,
}

/// One object.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ItemText {
    TagIndex { repository: String, tag: String, digest: String },
    Revision { repository: String, digest: String },
    Layer { repository: String, digest: String },
    Blob { digest: String },
}

/// `POST /v1/collection/remove` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RemovedAnswer {
    schema: u32,
    pub(super) answers: Vec<String>,
}

impl Step {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/collection" => Self::Begin,
            "/v1/collection/promised" => Self::Promised,
            "/v1/collection/remove" => Self::Remove,
            "/v1/collection/sync" => Self::Sync,
            _ => return None,
        })
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Begin => "/v1/collection",
            Self::Promised => "/v1/collection/promised",
            Self::Remove => "/v1/collection/remove",
            Self::Sync => "/v1/collection/sync",
        }
    }
}

impl Session {
    /// Does a step; a collection that cannot go on is over.
    pub(super) async fn go_on(
        &self,
        control: &Control,
        step: Step,
        body: &[u8],
    ) -> Result<Said, Error> {
        let mut held = self.collection.lock().await;
        if step == Step::Begin {
            if held.is_some() {
                return Err(Error::Begun);
            }
            *held = Some(control.begin_collection().map_err(Error::Refused)?);
            return Ok(Said::Begun);
        }
        let collection = held.as_ref().ok_or(Error::NotBegun)?;
        let said = go_on(collection, step, body).await;
        if matches!(said, Err(Error::Ended(_))) {
            *held = None;
        }
        said
    }
}

async fn go_on(collection: &Collection, step: Step, body: &[u8]) -> Result<Said, Error> {
    match step {
        Step::Begin => Err(Error::Begun),
        Step::Promised => {
            let asked: Promised = serde_json::from_slice(body)?;
            let digests: Result<Vec<Digest>, _> =
                asked.digests.iter().map(|text| read(text)).collect();
            let promised = collection.promised(&digests?);
            Ok(Said::Promised(PromisedAnswer { schema: SCHEMA, promised }))
        }
        Step::Remove => {
            let asked: Remove = serde_json::from_slice(body)?;
            let disposal = match &asked.quarantine {
                None => Disposal::Delete,
                Some(run) => Disposal::Quarantine(read::<RunId>(run)?),
            };
            let before = SystemTime::UNIX_EPOCH + Duration::from_secs(asked.before);
            let items: Result<Vec<Item>, _> = asked.items.iter().map(ItemText::read).collect();
            let removed = collection.remove(items?, Terms { disposal, before }).await?;
            let answers = removed.into_iter().map(word).collect();
            Ok(Said::Removed(RemovedAnswer { schema: SCHEMA, answers }))
        }
        Step::Sync => {
            collection.sync().await?;
            Ok(Said::Begun)
        }
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, serde_json::Error> {
    text.parse().map_err(|error| serde_json::Error::custom(format!("`{text}`: {error}")))
}

const REMOVED: &str = "removed";
const VANISHED: &str = "vanished";
const PROMISED: &str = "promised";
const YOUNG: &str = "young";
const SERVED: &str = "served";
const FAILED: &str = "failed: ";

fn word(removed: Result<Removed, content::Error>) -> String {
    let word = match removed {
        Ok(Removed::Gone) => REMOVED,
        Ok(Removed::Vanished) => VANISHED,
        Ok(Removed::Kept(Reason::Promised)) => PROMISED,
        Ok(Removed::Kept(Reason::Young)) => YOUNG,
        Ok(Removed::Kept(Reason::Served)) => SERVED,
        Err(error) => return format!("{FAILED}{}", chain(&error)),
    };
    word.to_owned()
}

/// What an answer says of an object; the error is a sentence.
pub(super) fn meaning(answer: &str) -> Result<Removed, String> {
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
    pub(super) fn of(item: &Item) -> Option<Self> {
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

    fn read(&self) -> Result<Item, serde_json::Error> {
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

impl Begun {
    pub(super) fn new() -> Self {
        Self { schema: SCHEMA }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
