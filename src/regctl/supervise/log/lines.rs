//! From a stream of bytes to whole lines, each with the time in front where that is asked for.

use std::time::SystemTime;

use crate::sys::clock;

/// A line of more bytes is written in pieces.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Lines on their way to a file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whole lines, ready to be written.
    complete: Vec<u8>,
    /// The beginning of a line.
    begun: Vec<u8>,
    /// Whether a piece of the line that has begun was given out already.
    is_continued: bool,
}

impl Lines {
    /// Takes in what was read, at the time given.
    pub(super) fn take(&mut self, bytes: &[u8], now: Option<SystemTime>) {
        let stamp = now.map(clock::log_stamp).unwrap_or_default();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.is_empty() && !self.is_continued {
                self.begun.extend_from_slice(stamp.as_bytes());
            }
            self.begun.extend_from_slice(piece);
            let is_whole = piece.ends_with(b"\n");
            if is_whole || self.begun.len() >= LINE_BYTES_MAX {
                self.complete.append(&mut self.begun);
                self.is_continued = !is_whole;
            }
        }
    }

    /// Takes the line that has begun for a whole one.
    pub(super) fn finish(&mut self) {
        if !self.begun.is_empty() || self.is_continued {
            self.begun.push(b'\n');
            self.complete.append(&mut self.begun);
            self.is_continued = false;
        }
    }

    /// What is ready; it begins where a line does, unless a line is too long.
    pub(super) fn complete(&self) -> &[u8] {
        &self.complete
    }

    /// Drops what was ready.
    pub(super) fn clear(&mut self) {
        self.complete.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn followed(pieces: &[&str], now: Option<SystemTime>) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.take(piece.as_bytes(), now);
            out.push(String::from_utf8(lines.complete().to_vec()).unwrap());
            lines.clear();
        }
        lines.finish();
        out.push(String::from_utf8(lines.complete().to_vec()).unwrap());
        out
    }

    #[test]
    fn only_whole_lines_are_given_out_and_the_last_one_at_the_end() {
        assert_eq!(followed(&["a\nb", "c\n", "d"], None), ["a\n", "bc\n", "", "d\n"]);
        assert_eq!(followed(&["a\n"], None), ["a\n", ""]);
        assert_eq!(followed(&["\n\n"], None), ["\n\n", ""]);
    }

    #[test]
    fn every_line_begins_with_the_time_as_svlogd_writes_it() {
        let now = Some(UNIX_EPOCH + Duration::from_nanos(1_583_020_799_123_456_000));
        let stamp = "2020-02-29_23:59:59.12345 ";
        assert_eq!(
            followed(&["a\nb", "c\n"], now),
            [format!("{stamp}a\n"), format!("{stamp}bc\n"), String::new()]
        );
    }

    #[test]
    fn a_line_without_end_is_given_out_in_pieces() {
        let long = "x".repeat(LINE_BYTES_MAX);
        let now = Some(UNIX_EPOCH);
        let out = followed(&[&long, &long, "y\n", "z\n"], now);
        let whole = out.concat();
        assert_eq!(whole.matches("1970-01-01_").count(), 2, "once for each line");
        assert_eq!(whole.matches('x').count(), 2 * LINE_BYTES_MAX);
        assert!(whole.ends_with("y\n1970-01-01_00:00:00.00000 z\n"));
    }
}
