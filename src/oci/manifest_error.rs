//! Why a document is no manifest, in words for the person who pushed it.

use thiserror::Error;

use crate::{ManifestType, text};

/// The most characters of a JSON error; it may quote the document.
const DETAIL_CHARS: usize = 256;

/// Why a document cannot be taken as a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// It is no JSON object, or a field of it has the wrong shape.
    #[error("manifest cannot be read: {0}")]
    Json(String),
    /// Nobody says what it is.
    #[error("manifest has no type: `Content-Type` must be one of {}", accepted())]
    NoType,
    /// It says that it is something else.
    #[error("manifest type `{media_type}` is not supported: use one of {}", accepted())]
    UnknownType {
        /// What it says.
        media_type: String,
    },
    /// It is Docker's schema 1.
    #[error("manifest type `{kind}` (Docker schema 1) is not supported: use one of {}", accepted())]
    Schema1 {
        /// Which form of it.
        kind: ManifestType,
    },
    /// The request and the document name different types.
    #[error("manifest was sent as `{declared}`, but its `mediaType` is `{claimed}`")]
    TypeMismatch {
        /// What `Content-Type` says.
        declared: ManifestType,
        /// What the document says.
        claimed: String,
    },
    /// It is of a kind that must name its type itself.
    #[error("manifest sent as `{0}` must have the same `mediaType`")]
    NoMediaType(ManifestType),
    /// It is of no version that is known.
    #[error("manifest has {}: it must be 2", version(*found))]
    SchemaVersion {
        /// Which it has, if any.
        found: Option<i64>,
    },
    /// It could be read as an image and as an index.
    #[error("manifest is ambiguous: it has both `manifests` and `{0}`")]
    Ambiguous(&'static str),
    /// It is nested too deeply.
    #[error("manifest is nested deeper than {levels} levels")]
    TooDeep {
        /// How deep it may be.
        levels: usize,
    },
    /// It has a field of another kind.
    #[error("manifest of type `{kind}` must not have `{field}`")]
    Misplaced {
        /// What it was read as.
        kind: ManifestType,
        /// What it has.
        field: &'static str,
    },
    /// It lacks what every one of its kind has.
    #[error("manifest of type `{kind}` must have `{field}`")]
    Missing {
        /// What it was read as.
        kind: ManifestType,
        /// What it lacks.
        field: &'static str,
    },
}

impl ManifestError {
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        Self::Json(text::cut(&error.to_string(), DETAIL_CHARS))
    }

    pub(crate) fn unknown_type(media_type: &str) -> Self {
        Self::UnknownType { media_type: text::excerpt(media_type) }
    }
}

fn accepted() -> String {
    ManifestType::ACCEPTED.map(|kind| format!("`{kind}`")).join(", ")
}

fn version(found: Option<i64>) -> String {
    match found {
        Some(version) => format!("`schemaVersion` {version}"),
        None => "no `schemaVersion`".to_owned(),
    }
}
