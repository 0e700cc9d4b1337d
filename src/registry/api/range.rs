//! `Range` of a GET: which bytes of a blob (RFC 9110, section 14).
//!
//! Several ranges are answered too: clients that pull zstd:chunked layers ask for many at once.

use std::ops::Range;

/// More ranges than any client asks for, fewer than would hurt.
const RANGES: usize = 200;

/// What to answer to a `Range` header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ByteRanges {
    /// Everything: no range of bytes was asked for, or ranges that add up to more than everything.
    Whole,
    /// These, each non-empty and within the size.
    Some(Vec<Range<u64>>),
}

/// A `Range` header that cannot be answered: 416, as Distribution does for malformed ones too.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("range is malformed, or none of it lies within the blob")]
pub struct RangeError;

impl ByteRanges {
    /// Reads a header for a blob of `size` bytes.
    ///
    /// # Errors
    /// It is malformed, or no byte of it lies within the blob.
    pub fn parse(header: &str, size: u64) -> Result<Self, RangeError> {
        let Some((unit, list)) = header.split_once('=') else { return Err(RangeError) };
        // Another unit is one that this server does not know: everything.
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Ok(Self::Whole);
        }
        let mut ranges = Vec::new();
        for (index, text) in list.split(',').map(str::trim).enumerate() {
            if index == RANGES {
                return Ok(Self::Whole);
            }
            // An empty element is allowed in lists (RFC 9110, 5.6.1).
            if !text.is_empty() {
                ranges.extend(one(text, size)?);
            }
        }
        let total =
            ranges.iter().try_fold(0_u64, |sum, range| sum.checked_add(range.end - range.start));
        match total {
            _ if ranges.is_empty() => Err(RangeError),
            Some(total) if total <= size => Ok(Self::Some(ranges)),
            _ => Ok(Self::Whole),
        }
    }
}

/// One range, cut to the size; none if it begins behind the end.
fn one(text: &str, size: u64) -> Result<Option<Range<u64>>, RangeError> {
    let (start, end) = text.split_once('-').ok_or(RangeError)?;
    let range = match (start.trim(), end.trim()) {
        ("", length) => size.saturating_sub(number(length)?)..size,
        (start, "") => number(start)?..size,
        (start, end) => {
            let (start, end) = (number(start)?, number(end)?);
            if end < start {
                return Err(RangeError);
            }
            start..end.saturating_add(1).min(size)
        }
    };
    Ok((range.start < range.end).then_some(range))
}

/// Digits only. A number too large for any blob is as good as the largest one.
fn number(text: &str) -> Result<u64, RangeError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RangeError);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        let rows: &[(&str, &[(u64, u64)])] = &[
            ("bytes=0-0", &[(0, 1)]),
            ("bytes=0-99", &[(0, 10)]),
            ("bytes=5-", &[(5, 10)]),
            ("bytes=-3", &[(7, 10)]),
            ("bytes=-99", &[(0, 10)]),
            ("bytes= 1-2 , 4-5", &[(1, 3), (4, 6)]),
            ("Bytes=1-2,,20-30", &[(1, 3)]),
            ("bytes=9-99999999999999999999999", &[(9, 10)]),
        ];
        for (header, wanted) in rows {
            let wanted = wanted.iter().map(|(start, end)| *start..*end).collect();
            assert_eq!(ByteRanges::parse(header, 10), Ok(ByteRanges::Some(wanted)), "{header}");
        }
    }

    #[test]
    fn what_is_not_worth_a_range_is_everything() {
        let many = format!("bytes={}", "0-0,".repeat(RANGES + 1));
        for header in ["lines=1-2", "bytes=0-9,0-9", &many] {
            assert_eq!(ByteRanges::parse(header, 10), Ok(ByteRanges::Whole), "{header}");
        }
    }

    #[test]
    fn what_lies_outside_or_is_malformed_is_an_error() {
        for header in [
            "bytes",
            "bytes=",
            "bytes=10-",
            "bytes=11-12",
            "bytes=-0",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=--1",
            "bytes=+1-2",
        ] {
            assert_eq!(ByteRanges::parse(header, 10), Err(RangeError), "{header}");
        }
        assert_eq!(ByteRanges::parse("bytes=0-", 0), Err(RangeError));
    }

    proptest! {
        #[test]
        fn every_range_lies_within_the_blob(header: String, size: u64) {
            for header in [header.clone(), format!("bytes={header}")] {
                if let Ok(ByteRanges::Some(ranges)) = ByteRanges::parse(&header, size) {
                    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
                }
            }
        }
    }
}
