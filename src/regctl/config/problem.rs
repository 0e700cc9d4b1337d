//! A problem is one thing that is wrong with `instance.toml`: where, what was written, what is allowed.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
};

use serde::Serialize;

use crate::secret::REDACTED;

/// One thing that is wrong, at a place in the file. Lines and columns count from 1.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The key or table it is about, whole: `registry.log_level`. Empty when the text is no TOML.
    pub(crate) key: String,
    /// What is wrong, without the place.
    pub(crate) message: String,
    /// What to write instead, when that can be said.
    pub(crate) hint: Option<String>,
}

/// Everything that is wrong with one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Invalid {
    pub(crate) path: PathBuf,
    /// Sorted by place; never empty.
    pub(crate) problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.problems.len() {
            1 => write!(f, "1 problem in `{path}`")?,
            count => write!(f, "{count} problems in `{path}`")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n{path}:{problem}"))
    }
}

impl std::error::Error for Invalid {}

/// Hides who stands before the host of a URL, `USER:PASSWORD@`, wherever one is in a value.
fn without_passwords(value: &str) -> String {
    let ends = |c: char| c == '"' || c == '\'' || c.is_whitespace();
    let hidden = |word: &str| {
        let (text, end) = word.split_at(word.trim_end_matches(ends).len());
        let start = text.find("://").map_or(0, |scheme| scheme + 3);
        match text.rfind('@') {
            Some(at) if at >= start && (start > 0 || text[..at].contains(':')) => {
                format!("{}{REDACTED}{}{end}", &text[..start], &text[at..])
            }
            _ => word.to_owned(),
        }
    };
    value.split_inclusive(ends).map(hidden).collect()
}

/// The most that a message repeats of a value.
const SHOWN_CHARS_MAX: usize = 60;

/// Returns a value as messages show it: on one line, in bounds, and without the password of a URL.
pub(super) fn shown(value: &str) -> String {
    let value = without_passwords(value);
    let mut shown = String::new();
    for (index, character) in value.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        match character.is_control() {
            true => write!(shown, "{}", character.escape_default())
                .expect("writing to a string cannot fail"),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_not_shown() {
        for (value, expected) in [
            ("\"https://u:hunter2@a.example.com\"", "\"https://[redacted]@a.example.com\""),
            ("\"https://u:a/b@c@d\"", "\"https://[redacted]@d\""),
            ("[\"u:p@h\", \"https://a\"]", "[\"[redacted]@h\", \"https://a\"]"),
            ("\"somebody@example.com\"", "\"somebody@example.com\""),
            ("\"https://a:1/b\"", "\"https://a:1/b\""),
        ] {
            assert_eq!(shown(value), expected);
        }
        let long = format!("https://u:{}@a", "x".repeat(200));
        assert!(!shown(&long).contains('x'));
    }
}
