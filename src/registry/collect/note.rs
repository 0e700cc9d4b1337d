//! What a collection found that needs a look.

use std::{error::Error as _, fmt};

use serde::Serialize;

/// Nobody reads more of them.
const LISTED: usize = 1000;

/// Something that was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Note {
    /// Something that no registry has put there. It stays.
    Stranger {
        /// Its path.
        path: String,
    },
    /// Something that could not be listed: what may depend on it is kept.
    Hidden {
        /// Its path, and why.
        error: String,
    },
    /// A link that cannot be read, or holds no digest: its repository is kept.
    Link {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// A link that holds more than a digest, such as an end of line; what it names is kept.
    Crooked {
        /// Its path.
        path: String,
    },
    /// A manifest that cannot be understood: its repository is kept.
    Manifest {
        /// Its repository.
        repository: String,
        /// Its digest.
        digest: String,
        /// Why.
        reason: String,
    },
    /// The age of something could not be told: it is kept.
    Age {
        /// Its path, and why.
        error: String,
    },
}

impl Note {
    pub(crate) fn hidden(error: &storage::Error) -> Self {
        Self::Hidden { error: told(error) }
    }

    /// Whether content is kept because of it.
    #[must_use]
    pub fn keeps(&self) -> bool {
        match self {
            Self::Stranger { .. } | Self::Crooked { .. } => false,
            Self::Hidden { .. } | Self::Link { .. } | Self::Manifest { .. } | Self::Age { .. } => {
                true
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger { path } => write!(f, "`{path}` is nobody's; it stays"),
            Self::Hidden { error } => write!(f, "{error}; all that may depend on it is kept"),
            Self::Link { path, reason } => {
                write!(f, "link `{path}` {reason}; all of its repository is kept")
            }
            Self::Crooked { path } => {
                write!(f, "link `{path}` has more in it than a digest; what it names is kept")
            }
            Self::Manifest { repository, digest, reason } => {
                write!(
                    f,
                    "manifest {digest} in `{repository}`: {reason}; all of `{repository}` is kept"
                )
            }
            Self::Age { error } => write!(f, "{error}; it is kept"),
        }
    }
}

/// An error with its cause.
pub(crate) fn told(error: &storage::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The first of what was found, and how much there is.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Notes {
    listed: Vec<Note>,
    total: u64,
    /// How many of them keep content.
    keeping: u64,
}

impl Notes {
    pub(crate) fn add(&mut self, note: Note) {
        self.total += 1;
        self.keeping += u64::from(note.keeps());
        if self.listed.len() < LISTED {
            self.listed.push(note);
        }
    }

    /// The first thousand.
    #[must_use]
    pub fn listed(&self) -> &[Note] {
        &self.listed
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of them keep content.
    #[must_use]
    pub fn keeping(&self) -> u64 {
        self.keeping
    }
}
