//! `Content-Range` of a chunk: `<start>-<end>`, both inclusive, in bytes (OCI distribution 1.1, "Pushing a blob in chunks").

use std::str::FromStr;

/// Where a chunk belongs: from `start` to `end`, both inclusive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChunkRange {
    start: u64,
    end: u64,
}

/// A text that is no [`ChunkRange`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChunkRangeError {
    /// It has another form.
    #[error("content range must be `<start>-<end>`, two numbers of bytes")]
    Form,
    /// It ends before it begins.
    #[error("content range ends before it begins")]
    Reversed,
}

impl ChunkRange {
    /// The offset of its first byte.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn length(&self) -> u64 {
        // `parse` leaves no room for an overflow.
        self.end - self.start + 1
    }
}

impl FromStr for ChunkRange {
    type Err = ChunkRangeError;

    /// Also takes HTTP's own form, `bytes <start>-<end>/<length or *>`, which some clients send.
    fn from_str(text: &str) -> Result<Self, ChunkRangeError> {
        let text = text.trim();
        let text =
            text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
        let text = text.split_once('/').map_or(text, |(range, _)| range);
        let (start, end) = text.split_once('-').ok_or(ChunkRangeError::Form)?;
        let (start, end) = (number(start)?, number(end)?);
        if end < start { Err(ChunkRangeError::Reversed) } else { Ok(Self { start, end }) }
    }
}

/// Digits only: `u64`'s own parser takes a sign. The largest number would overflow a length.
fn number(text: &str) -> Result<u64, ChunkRangeError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ChunkRangeError::Form);
    }
    text.parse().ok().filter(|number| *number < u64::MAX).ok_or(ChunkRangeError::Form)
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[test]
    fn the_specs_form_and_https_form_are_read() {
        for (text, start, length) in [
            ("0-0", 0, 1),
            ("5-9", 5, 5),
            (" 5 - 9 ", 5, 5),
            ("bytes 5-9/10", 5, 5),
            ("bytes=5-9", 5, 5),
            ("bytes 5-9/*", 5, 5),
            ("0-18446744073709551614", 0, u64::MAX),
        ] {
            let range: ChunkRange = text.parse().unwrap();
            assert_eq!((range.start(), range.length()), (start, length), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "-", "5-", "-5", "a-b", "+1-2", "1-2-3", "5", "1,2", "0-18446744073709551615"]
        {
            assert_eq!(text.parse::<ChunkRange>(), Err(ChunkRangeError::Form), "{text}");
        }
        assert_eq!("9-5".parse::<ChunkRange>(), Err(ChunkRangeError::Reversed));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            if let Ok(range) = text.parse::<ChunkRange>() {
                assert!(range.length() > 0);
            }
        }
    }
}
