//! One event as it waits: when it was put there, and its JSON, in a line of text.

use bytes::Bytes;
use serde::de::IgnoredAny;

/// The longest line that is believed to be one: a manifest with all its references and annotations is shorter.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;

/// A place in the events of one process.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// An event that waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// In milliseconds since 1970.
    pub(crate) since: u64,
    pub(crate) event: Bytes,
    /// How many bytes it takes where it waits.
    pub(crate) bytes: u64,
    /// Where the next one begins.
    pub(super) end: Position,
}

/// Writes an event, with its line break.
pub(crate) fn write(since: u64, event: &str) -> Bytes {
    Bytes::from(format!("{since} {event}\n"))
}

/// Reads a line without its break; none if it was not written to its end.
pub(super) fn read(text: &[u8], end: Position) -> Option<Line> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let since = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let event = &text[space + 1..];
    let is_whole = event.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(event).is_ok();
    is_whole.then(|| Line {
        since,
        event: Bytes::copy_from_slice(event),
        bytes: text.len() as u64 + 1,
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_a_part_of_it_is_not() {
        let written = write(17, r#"{"id":"é"}"#);
        let text = written.strip_suffix(b"\n").unwrap();
        let line = read(text, Position::default()).unwrap();
        assert_eq!((line.since, &line.event[..]), (17, r#"{"id":"é"}"#.as_bytes()));
        assert_eq!(line.bytes, written.len() as u64);
        for length in 0..text.len() {
            assert_eq!(read(&text[..length], Position::default()), None, "{length}");
        }
        let mut zeroed = text.to_vec();
        zeroed[8..].fill(0);
        assert_eq!(read(&zeroed, Position::default()), None);
    }
}
