//! The text of the file with its lines, so that every problem can say where it is.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, Error},
};

use super::{duplicate, problem::Problem};

/// A text and the places where its lines begin.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// Returns the line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Returns the column of a byte offset in characters, from 1.
    pub(super) fn column(&self, offset: usize) -> usize {
        let start = self.line_start(offset);
        self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1)
    }

    /// Returns where the line of a byte offset begins.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.line_starts[self.line(offset) - 1]
    }

    /// Returns what is written in a span.
    pub(super) fn slice(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    pub(super) fn problem(
        &self,
        offset: usize,
        key: &str,
        message: String,
        hint: Option<String>,
    ) -> Problem {
        let (line, column) = (self.line(offset), self.column(offset));
        Problem { line, column, key: key.to_owned(), message, hint }
    }

    /// Parses the text as far as it can be read, with what could not be.
    pub(super) fn parse(&self) -> (Spanned<DeTable<'a>>, Vec<Problem>) {
        let (tree, errors) = DeTable::parse_recoverable(self.text);
        let mut problems: Vec<_> = errors.iter().map(|error| self.syntax(error)).collect();
        // One stray character can make the parser stumble several times on the same line.
        problems.dedup_by_key(|problem| problem.line);
        (tree, problems)
    }

    fn syntax(&self, error: &Error) -> Problem {
        let span = error.span().unwrap_or(self.text.len()..self.text.len());
        if error.message() == duplicate::MESSAGE {
            return duplicate::problem(self, &span);
        }
        let hint =
            self.bare_word(span.start).map(|word| format!("a string has quotes: \"{word}\""));
        self.problem(span.start, "", format!("not TOML: {}", error.message()), hint)
    }

    /// Returns the value of a line such as `log_level = info`.
    fn bare_word(&self, offset: usize) -> Option<&'a str> {
        let line = self.text.get(self.line_start(offset)..)?.lines().next()?;
        let (name, value) = line.split_once('=')?;
        if ["secret", "password", "token", "key"].iter().any(|word| name.contains(word)) {
            return None;
        }
        let value = value.split('#').next()?.trim();
        let is_word = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
            && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c));
        is_word.then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_columns_count_characters() {
        let source = Source::new("a\nüb = 1\n");
        assert_eq!((source.line(0), source.column(0)), (1, 1));
        assert_eq!((source.line(2), source.column(4)), (2, 2));
        assert_eq!(source.line(source.text.len()), 3);
    }
}
