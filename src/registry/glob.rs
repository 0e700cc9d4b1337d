//! Names of repositories and tags with wildcards.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The longest of them.
const BYTES_MAX: usize = 1024;

/// A name with `*`, `**` and `?`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: String,
    regex: Regex,
}

/// A text is none; the sentence goes "must be …".
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a name with `*` (anything but a slash), `**` (anything) and `?` (one character), such as \"group/**\""
)]
pub struct NoGlob;

impl Glob {
    /// Reads a wildcard: `*` is anything but a slash, `**` anything, `?` one character.
    ///
    /// # Errors
    /// It has other characters, or is longer than 1024 bytes.
    pub fn parse(text: &str) -> Result<Self, NoGlob> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-/*?".contains(c);
        if text.is_empty() || text.len() > BYTES_MAX || !text.chars().all(is_allowed) {
            return Err(NoGlob);
        }
        let mut source = String::from(r"\A");
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (taken, piece) = match first {
                '*' if rest.starts_with("**") => (2, ".*".to_owned()),
                '*' => (1, "[^/]*".to_owned()),
                '?' => (1, "[^/]".to_owned()),
                other => (1, regex::escape(&other.to_string())),
            };
            source.push_str(&piece);
            rest = &rest[taken..];
        }
        source.push_str(r"\z");
        let regex = Regex::new(&source).map_err(|_| NoGlob)?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether it is for this name, all of it.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl TryFrom<String> for Glob {
    type Error = NoGlob;

    fn try_from(text: String) -> Result<Self, NoGlob> {
        Self::parse(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stays_within_a_component_and_two_go_on() {
        let rows = [
            ("group/**", "group/a/b", true),
            ("group/**", "group", false),
            ("group/*", "group/a", true),
            ("group/*", "group/a/b", false),
            ("**", "a/b/c", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a.c", "abc", false),
            ("**/app", "x/y/app", true),
        ];
        for (text, name, expected) in rows {
            assert_eq!(Glob::parse(text).unwrap().matches(name), expected, "{text} {name}");
        }
        for bad in ["", "a b", "a[b]", "{a,b}", "ü"] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }
}
