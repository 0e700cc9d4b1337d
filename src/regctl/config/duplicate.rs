//! A key or table that is written twice: both places are named.
//!
//! The parser reports the second place only. The first one is found by parsing what stands before the
//! second: a marker line appended there lands in the table that is open, which gives the key's whole path.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{problem::Problem, source::Source};

/// What the parser says.
pub(super) const MESSAGE: &str = "duplicate key";

/// Describes the duplicate at `span`.
pub(super) fn problem(source: &Source<'_>, span: &Range<usize>) -> Problem {
    let start = source.line_start(span.start);
    let is_table = source.text[start..].trim_start().starts_with('[');
    let path = match is_table {
        true => header_path(line_at(source.text, start)),
        false => key_path(source, start, span.end),
    };
    let Some(path) = path else {
        let name = source.slice(span);
        return source.problem(span.start, name, format!("`{name}` is written twice"), None);
    };
    let first = offset_of(&source.text[..start], &path)
        .map_or_else(String::new, |offset| format!(": first on line {}", source.line(offset)));
    let (line, name) = (source.line(span.start), path.join("."));
    let (message, hint) = match is_table {
        true => (
            format!("the table [{name}] is opened twice{first}, again on line {line}"),
            "move the keys of both under one header",
        ),
        false => {
            (format!("`{name}` is set twice{first}, again on line {line}"), "remove one of them")
        }
    };
    source.problem(span.start, &name, message, Some(hint.to_owned()))
}

fn line_at(text: &str, start: usize) -> &str {
    text[start..].lines().next().unwrap_or_default()
}

/// Returns the path that a header line opens.
fn header_path(line: &str) -> Option<Vec<String>> {
    deepest(DeTable::parse(line).ok()?.get_ref())
}

/// Returns the whole path of the key whose line starts at `start` and which ends at `end`.
fn key_path(source: &Source<'_>, start: usize, end: usize) -> Option<Vec<String>> {
    let mut path = open_table(&source.text[..start])?;
    let line = format!("{} = 0", &source.text[start..end]);
    path.extend(deepest(DeTable::parse(&line).ok()?.get_ref())?);
    Some(path)
}

/// Returns the path of the table that is open at the end of a text.
fn open_table(text: &str) -> Option<Vec<String>> {
    const MARKER: &str = "regctl-marker";
    let marked = format!("{text}\n{MARKER} = 0\n");
    let (tree, _) = DeTable::parse_recoverable(&marked);
    find_marker(tree.get_ref(), MARKER)
}

fn find_marker(table: &DeTable<'_>, marker: &str) -> Option<Vec<String>> {
    if table.contains_key(marker) {
        return Some(Vec::new());
    }
    table.iter().find_map(|(key, value)| {
        let mut path = find_marker(last_table(value)?, marker)?;
        path.insert(0, key.get_ref().clone().into_owned());
        Some(path)
    })
}

/// Follows the only key of each table downwards.
fn deepest(table: &DeTable<'_>) -> Option<Vec<String>> {
    let (key, value) = table.iter().next()?;
    let mut path = vec![key.get_ref().clone().into_owned()];
    path.extend(last_table(value).and_then(deepest).unwrap_or_default());
    Some(path)
}

/// Returns where a path is first written in a text.
fn offset_of(text: &str, path: &[String]) -> Option<usize> {
    let (tree, _) = DeTable::parse_recoverable(text);
    let mut table = tree.get_ref();
    let (last, above) = path.split_last()?;
    for name in above {
        table = last_table(table.get(name.as_str())?)?;
    }
    table.get_key_value(last.as_str()).map(|(key, _)| key.span().start)
}

fn last_table<'a, 'b>(value: &'a Spanned<DeValue<'b>>) -> Option<&'a DeTable<'b>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        DeValue::Array(list) => last_table(list.iter().last()?),
        _ => None,
    }
}
