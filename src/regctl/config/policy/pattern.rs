//! What names of tags are held against: GitLab's regular expressions.
//!
//! Expressions are RE2's, as GitLab's are, and must match a whole name. The `regex` crate takes no time that grows with more than the
//! text, whoever wrote the expression.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The longest expression.
const BYTES_MAX: usize = 1024;

/// An expression that matches whole names.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a text is no pattern; the sentence goes "must be …".
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) String);

impl Pattern {
    /// Reads an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, Unfit> {
        if text.len() > BYTES_MAX {
            return Err(Unfit(format!("an expression of at most {BYTES_MAX} bytes")));
        }
        if let Some((_, what)) = FOREIGN.iter().find(|(sign, _)| text.contains(sign)) {
            return Err(Unfit(format!(
                "an RE2 expression, as in GitLab: {what} belongs to PCRE and is not known here"
            )));
        }
        match Regex::new(&format!(r"\A(?:{text})\z")) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => {
                // The last line says what is wrong; those before it draw where.
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                let reason = reason.trim().trim_start_matches("error: ");
                Err(Unfit(format!("an RE2 expression, as in GitLab: {reason}")))
            }
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// Whether it matches names that have nothing in common.
    pub(crate) fn matches_everything(&self) -> bool {
        PROBES.iter().all(|probe| self.matches(probe))
    }
}

/// What only PCRE has, by its signs.
const FOREIGN: [(&str, &str); 11] = [
    ("(?=", "a look-ahead `(?=…)`"),
    ("(?!", "a look-ahead `(?!…)`: write what stays as `name_regex_keep`"),
    ("(?<=", "a look-behind `(?<=…)`"),
    ("(?<!", "a look-behind `(?<!…)`: write what stays as `name_regex_keep`"),
    ("(?>", "an atomic group `(?>…)`"),
    ("(?R)", "a recursion `(?R)`"),
    ("(?(", "a condition `(?(…)…)`"),
    ("(?#", "a comment `(?#…)`"),
    (r"\K", r"`\K`"),
    (r"\G", r"`\G`"),
    (r"\Z", r"`\Z`: an expression matches whole names anyway"),
];

/// Names that have nothing in common.
const PROBES: [&str; 8] =
    ["latest", "v1.2.3", "0", "main", "A_b-C.d", "20260101", "feature-x", "x-9f86d081884c7d65"];

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl TryFrom<String> for Pattern {
    type Error = Unfit;

    fn try_from(text: String) -> Result<Self, Unfit> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_whole_names_only() {
        let rows = [
            ("v.+", "v1", true),
            ("v.+", "dev1", false),
            ("v.+", "v", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            (".*", "anything", true),
            ("", "x", false),
            ("(?:v\\d+)(?i:rc)", "v1RC", true),
        ];
        for (text, name, expected) in rows {
            assert_eq!(Pattern::parse(text).unwrap().matches(name), expected, "{text} {name}");
        }
    }

    #[test]
    fn what_only_pcre_knows_is_refused_by_its_name() {
        for (text, reason) in [
            ("(?!main).*", "look-ahead"),
            ("(?<!x)y", "look-behind"),
            (r"(a)\1", "backreferences are not supported"),
            (r"a\Kb", r"`\K`"),
            ("(?>a+)", "atomic group"),
            ("v[", "unclosed character class"),
            ("*", "repetition operator"),
        ] {
            let Unfit(said) = Pattern::parse(text).unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
        }
        assert!(Pattern::parse(&"x".repeat(2000)).is_err());
    }

    #[test]
    fn a_pattern_that_matches_everything_is_known_for_it() {
        for (text, everything) in [
            (".*", true),
            (".+", true),
            ("(?s:.)+", true),
            ("[^/]*", true),
            ("v.*", false),
            (r"\d+", false),
        ] {
            assert_eq!(Pattern::parse(text).unwrap().matches_everything(), everything, "{text}");
        }
    }
}
