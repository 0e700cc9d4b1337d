//! Types that are one string on the wire.
//!
//! A digest, a name and a tag are read from JSON by the same parser that reads them from a URL, so
//! that no document can carry one that a request could not. An error may quote what was sent, but
//! never more of it than a log line bears.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};

/// The most characters of a foreign word that an error repeats.
const EXCERPT_CHARS: usize = 64;

/// Returns the text as an error may quote it, cut after [`EXCERPT_CHARS`] characters.
pub(crate) fn excerpt(text: &str) -> String {
    cut(text, EXCERPT_CHARS)
}

/// Returns the text on one line, cut after so many characters.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    let mut line = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == chars {
            line.push('…');
            break;
        }
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// Reads a string and parses it; `expected` completes the sentence "expected …".
pub(crate) fn deserialize<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    deserializer.deserialize_str(Text { expected, parsed: PhantomData })
}

struct Text<T> {
    expected: &'static str,
    parsed: PhantomData<T>,
}

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(excerpt(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }

    #[test]
    fn an_excerpt_stays_on_its_line() {
        assert_eq!(excerpt("a\nb\u{1b}[31m \"é\""), "a\\nb\\u{1b}[31m \"é\"");
    }
}
