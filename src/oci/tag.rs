//! A tag: the mutable name of a manifest within its repository.
//!
//! At most 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`; upper and lower
//! case differ. A tag that exists is a safe file name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{Digest, text};

/// The most digits of a hash in the tag of its referrers; no hash has fewer.
const REFERRERS_HASH_DIGITS: usize = 64;

/// A tag. The order is that of the bytes, as tag lists have it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// The longest tag.
    pub const MAX_BYTES: usize = 128;

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag under which clients look for the referrers of a manifest when a registry has no
    /// referrers API: the digest with `-` for `:`, its hash cut to 64 digits as the
    /// specification has it.
    pub fn of_referrers(subject: &Digest) -> Self {
        let hex = subject.hex();
        let (hash, _) = hex.as_str().split_at(REFERRERS_HASH_DIGITS);
        Self(format!("{}-{hash}", subject.algorithm()).into())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(TagError::TooLong { bytes: text.len() });
        }
        if text.starts_with(['.', '-']) {
            return Err(TagError::Beginning { tag: text::excerpt(text) });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        match text.chars().find(|&character| !allowed(character)) {
            Some(character) => Err(TagError::Character { tag: text::excerpt(text), character }),
            None => Ok(Self(text.into())),
        }
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a tag")
    }
}

/// Why a text is no tag.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TagError {
    /// There is nothing.
    #[error("tag is empty: it needs at least one letter, digit or `_`")]
    Empty,
    /// It is too long.
    #[error("tag has {bytes} bytes: at most {} are allowed", Tag::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It begins with `.` or `-`.
    #[error("tag `{tag}` must begin with a letter, digit or `_`")]
    Beginning {
        /// The text.
        tag: String,
    },
    /// It has a character that no tag has.
    #[error("tag `{tag}` has {character:?}: a-z, A-Z, 0-9, `_`, `.` and `-` are allowed")]
    Character {
        /// The text.
        tag: String,
        /// The first such character.
        character: char,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Algorithm;

    #[test]
    fn a_refusal_names_the_tag_and_the_rule() {
        let cases = [
            ("", "tag is empty: it needs at least one letter, digit or `_`"),
            (&"a".repeat(129), "tag has 129 bytes: at most 128 are allowed"),
            ("..", "tag `..` must begin with a letter, digit or `_`"),
            ("-rc", "tag `-rc` must begin with a letter, digit or `_`"),
            ("a/b", "tag `a/b` has '/': a-z, A-Z, 0-9, `_`, `.` and `-` are allowed"),
            ("1.0\n", "tag `1.0\\n` has '\\n': a-z, A-Z, 0-9, `_`, `.` and `-` are allowed"),
            ("é", "tag `é` has 'é': a-z, A-Z, 0-9, `_`, `.` and `-` are allowed"),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<Tag>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn the_tag_of_referrers_is_a_tag() {
        for algorithm in Algorithm::ALL {
            let subject = Digest::of(algorithm, b"");
            let tag = Tag::of_referrers(&subject);
            assert_eq!(tag.as_str().parse(), Ok(tag.clone()));
            assert_eq!(tag.as_str(), format!("{algorithm}-{}", &subject.to_hex()[..64]));
        }
    }

    #[test]
    fn json_has_it_as_a_string() {
        let tag: Tag = serde_json::from_str("\"1.0\"").unwrap();
        assert_eq!(serde_json::to_string(&tag).unwrap(), "\"1.0\"");
        assert!(serde_json::from_str::<Tag>("\"..\"").is_err());
    }

    proptest! {
        #[test]
        fn every_sentence_of_the_grammar_is_a_tag(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert_eq!(text.parse::<Tag>().unwrap().to_string(), text);
        }

        #[test]
        fn what_parses_displays_as_itself(text in "([aA0._/:-]{0,6}|\\PC*)") {
            if let Ok(tag) = text.parse::<Tag>() {
                prop_assert_eq!(tag.to_string(), text);
            }
        }
    }
}
