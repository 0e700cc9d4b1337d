//! The printer is a value: who has none cannot print.

use std::{
    fmt::Display,
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Write},
};

use serde::Serialize;
use serde_json::Value;

use super::{
    Report,
    report::{Body, Verdict},
};

/// The form of reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Volume {
    Normal,
    /// Nothing unless something needs a look; what was asked for as JSON or as a file is printed.
    Quiet,
}

/// Whether words may be colored; never the only carrier of a meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Color {
    Never,
    Allowed,
}

/// The way to stdout and stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    format: Format,
    volume: Volume,
    color: Color,
}

const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

impl Printer {
    pub(crate) fn new(format: Format, volume: Volume, no_color: bool) -> Self {
        let colorless = no_color || !io::stderr().is_terminal();
        Self { format, volume, color: if colorless { Color::Never } else { Color::Allowed } }
    }

    /// Whether reports are text that somebody wants to read.
    pub(crate) fn is_read(&self) -> bool {
        self.format == Format::Text && self.volume == Volume::Normal
    }

    /// Whether talk is wanted, and stderr is a terminal.
    pub(super) fn talks_to_a_terminal(&self) -> bool {
        self.volume == Volume::Normal && io::stderr().is_terminal()
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn volume(&self) -> Volume {
        self.volume
    }

    /// Prints a report on stdout.
    pub(crate) fn report(&self, report: &Report) -> io::Result<()> {
        let quiet = self.volume == Volume::Quiet && report.verdict == Verdict::Good;
        let text = match (&report.body, self.format) {
            (Body::Document { json, .. }, Format::Json) => format!("{json:#}\n"),
            (Body::Document { .. }, Format::Text) if quiet => String::new(),
            (Body::Document { text, .. }, Format::Text) | (Body::File(text), _) => text.clone(),
            (Body::Nothing, _) => String::new(),
        };
        written(io::stdout().lock(), &text)
    }

    /// Prints a report with a list that may be too long for memory: as its first field in JSON, and not at all in text.
    pub(crate) fn report_listing<T: Serialize>(
        &self,
        report: &Report,
        field: &str,
        items: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        match (&report.body, self.format) {
            (Body::Document { json, .. }, Format::Json) => {
                match listing(BufWriter::new(io::stdout().lock()), json, field, items) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                    written => written,
                }
            }
            (Body::Document { .. } | Body::File(_) | Body::Nothing, _) => self.report(report),
        }
    }

    /// Writes data as it comes; an error of kind [`ErrorKind::BrokenPipe`] means that nobody reads it any more.
    pub(crate) fn stream(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Says something that is not data, unless told to be quiet.
    pub(crate) fn say(&self, text: impl Display) {
        if self.volume == Volume::Normal {
            self.talk(&format!("{text}\n"));
        }
    }

    /// Points to something that works and that somebody may want to look at.
    pub(crate) fn warn(&self, text: impl Display) {
        self.talk(&format!("{}: {text}\n", self.painted("warning", YELLOW)));
    }

    /// Says why the command failed, and what helps.
    pub(crate) fn error(&self, text: impl Display, hint: Option<&str>) {
        self.talk(&format!("{}: {text}\n", self.painted("error", RED)));
        if let Some(hint) = hint {
            self.talk(&format!("{}: {hint}\n", self.painted("hint", CYAN)));
        }
    }

    fn painted(&self, word: &str, color: &str) -> String {
        match self.color {
            Color::Allowed => format!("\x1b[1;{color}m{word}\x1b[0m"),
            Color::Never => word.to_owned(),
        }
    }

    fn talk(&self, text: &str) {
        // There is nowhere left to complain about a stderr that cannot be written.
        let _ = written(io::stderr().lock(), text);
    }
}

/// Writes a text; a reader that went away is no error.
/// Writes a document with one more field in front, an item on each line.
fn listing<T: Serialize>(
    mut stream: impl Write,
    document: &Value,
    field: &str,
    items: impl Iterator<Item = T>,
) -> io::Result<()> {
    let rest = format!("{document:#}");
    let rest = rest.strip_prefix('{').expect("a document has at least its schema");
    write!(stream, "{{\n  {}: [", Value::from(field))?;
    let mut is_empty = true;
    for item in items {
        stream.write_all(if is_empty { b"\n    " } else { b",\n    " })?;
        serde_json::to_writer(&mut stream, &item)?;
        is_empty = false;
    }
    let end = if is_empty { "]" } else { "\n  ]" };
    writeln!(stream, "{end},{rest}")?;
    stream.flush()
}

fn written(mut stream: impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_stands_before_the_other_fields_and_all_of_it_is_one_document() {
        let document = json!({ "schema": 1, "dry_run": true });
        for items in [vec![], vec![json!({ "path": "a" })], vec![json!(1), json!("\n")]] {
            let mut text = Vec::new();
            listing(&mut text, &document, "deletions", items.iter()).unwrap();
            let read: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(read, json!({ "deletions": items, "schema": 1, "dry_run": true }));
            assert_eq!(
                text.iter().filter(|&&byte| byte == b'\n').count(),
                5 + items.len() + usize::from(!items.is_empty())
            );
        }
    }
}
