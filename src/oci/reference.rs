//! What stands at the end of a manifest's URL: a tag or a digest.
//!
//! The colon decides which of the two is meant, since no tag has one, so that a bad digest is
//! refused as a digest and not as a tag.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{Digest, DigestError, Tag, TagError, text};

/// Names a manifest within a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By a name that can be moved.
    Tag(Tag),
    /// By its content.
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl Reference {
    /// The tag, if it is one.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Tag(_) => None,
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            Ok(Self::Tag(text.parse()?))
        }
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a tag or digest")
    }
}

/// Why a text is neither.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// It has no colon and is no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon and is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Algorithm;

    #[test]
    fn the_colon_decides_what_is_meant() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        assert_eq!(digest.to_string().parse(), Ok(Reference::Digest(digest)));
        let tag: Tag = "sha256-latest".parse().unwrap();
        assert_eq!("sha256-latest".parse(), Ok(Reference::Tag(tag)));
    }

    #[test]
    fn a_refusal_speaks_of_what_was_meant() {
        let refused = |text: &str| text.parse::<Reference>().unwrap_err().to_string();
        assert_eq!(refused("sha256:ab"), "a sha256 digest has 64 hex digits, not 2");
        assert_eq!(refused(""), "tag is empty: it needs at least one letter, digit or `_`");
    }

    proptest! {
        #[test]
        fn display_then_parse_is_identity(tag in "[a-z][a-z0-9]{0,9}", by_digest: bool) {
            let digest = Digest::of(Algorithm::Sha512, tag.as_bytes());
            let reference: Reference =
                if by_digest { digest.into() } else { tag.parse::<Tag>().unwrap().into() };
            prop_assert_eq!(reference.to_string().parse(), Ok(reference));
        }

        #[test]
        fn what_parses_displays_as_itself(text in "(sha256:[0-9a-f]{64}|[a:._-]{0,9}|\\PC*)") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
