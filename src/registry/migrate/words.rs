//! What the registry that serves tells of what has changed, as it is written on the admin socket and passed on.

use std::{fmt::Display, str::FromStr};

use oci::RepositoryName;
use serde::{Deserialize, Serialize, de::Error as _};
use storage::{Item, Part};

const SCHEMA: u32 = 1;

/// Where it is asked for.
pub(crate) const PATH: &str = "/v1/journal";

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    pub(crate) wish: Wish,
    pub(crate) run: String,
    #[serde(default)]
    pub(crate) from: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    Begin,
    Read,
    End,
}

/// The answer, but for what was read.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    schema: u32,
}

/// A part of a journal.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Page {
    schema: u32,
    complete: bool,
    next: Option<usize>,
    things: Vec<ThingText>,
}

/// An object or a folder.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum ThingText {
    Tag { repository: String, tag: String },
    TagIndex { repository: String, tag: String, digest: String },
    Revision { repository: String, digest: String },
    Layer { repository: String, digest: String },
    Blob { digest: String },
    Folder { repository: String, part: PartText },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PartText {
    Layers,
    Manifests,
    Tags,
}

/// What has changed in a store since some time, whatever became of it.
#[derive(Debug, Default)]
pub struct Changes {
    pub(super) items: Vec<Item>,
    pub(super) parts: Vec<(RepositoryName, Part)>,
}

impl Done {
    pub(crate) fn new() -> Self {
        Self { schema: SCHEMA }
    }
}

impl Page {
    /// Of objects and made folders.
    pub(crate) fn new<'a>(
        (items, parts): (
            impl Iterator<Item = &'a Item>,
            impl Iterator<Item = &'a (RepositoryName, Part)>,
        ),
        complete: bool,
        next: Option<usize>,
    ) -> Self {
        let things = items.map(ThingText::of).chain(parts.map(|it| Some(ThingText::of_part(it))));
        // What cannot be said is missing.
        let all: Vec<Option<ThingText>> = things.collect();
        let complete = complete && all.iter().all(Option::is_some);
        Self { schema: SCHEMA, complete, next, things: all.into_iter().flatten().collect() }
    }
}

impl Changes {
    /// Takes in a part of a journal, as the registry has told it; whether more is to come stands in it as `next`.
    ///
    /// # Errors
    /// It is none.
    pub fn add_page(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let page: Page = serde_json::from_str(text)?;
        for thing in page.things {
            match thing {
                ThingText::Folder { repository, part } => {
                    self.parts.push((read(&repository)?, part.into()));
                }
                thing => self.items.extend(thing.item()?),
            }
        }
        Ok(())
    }

    /// How many objects and folders it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.items.len() + self.parts.len()
    }
}

impl ThingText {
    fn of(item: &Item) -> Option<Self> {
        Some(match item {
            Item::Tag(name, tag) => {
                Self::Tag { repository: name.to_string(), tag: tag.to_string() }
            }
            Item::TagIndex(name, tag, digest) => Self::TagIndex {
                repository: name.to_string(),
                tag: tag.to_string(),
                digest: digest.to_string(),
            },
            Item::Revision(name, digest) => {
                Self::Revision { repository: name.to_string(), digest: digest.to_string() }
            }
            Item::Layer(name, digest) => {
                Self::Layer { repository: name.to_string(), digest: digest.to_string() }
            }
            Item::Blob(digest) => Self::Blob { digest: digest.to_string() },
            Item::UploadStartedAt(..) | Item::Repository(_) => return None,
        })
    }

    fn of_part((name, part): &(RepositoryName, Part)) -> Self {
        let part = match part {
            Part::Layers => PartText::Layers,
            Part::Manifests => PartText::Manifests,
            Part::Tags => PartText::Tags,
        };
        Self::Folder { repository: name.to_string(), part }
    }

    /// None: it is a folder.
    fn item(&self) -> Result<Option<Item>, serde_json::Error> {
        Ok(Some(match self {
            Self::Tag { repository, tag } => Item::Tag(read(repository)?, read(tag)?),
            Self::TagIndex { repository, tag, digest } => {
                Item::TagIndex(read(repository)?, read(tag)?, read(digest)?)
            }
            Self::Revision { repository, digest } => {
                Item::Revision(read(repository)?, read(digest)?)
            }
            Self::Layer { repository, digest } => Item::Layer(read(repository)?, read(digest)?),
            Self::Blob { digest } => Item::Blob(read(digest)?),
            Self::Folder { .. } => return Ok(None),
        }))
    }
}

impl From<PartText> for Part {
    fn from(part: PartText) -> Self {
        match part {
            PartText::Layers => Self::Layers,
            PartText::Manifests => Self::Manifests,
            PartText::Tags => Self::Tags,
        }
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, serde_json::Error> {
    text.parse().map_err(|error| serde_json::Error::custom(format!("`{text}`: {error}")))
}
