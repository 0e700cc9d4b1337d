//! `Range` and `Content-Range`: whatever is read lies within bounds, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::parse::{ByteRanges, ChunkRange};

fuzz_target!(|input: (&str, u64)| {
    let (text, size) = input;
    for header in [text.to_owned(), format!("bytes={text}")] {
        if let Ok(ByteRanges::Some(ranges)) = ByteRanges::parse(&header, size) {
            assert!(!ranges.is_empty());
            assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
            let total: u128 = ranges.iter().map(|range| u128::from(range.end - range.start)).sum();
            assert!(total <= u128::from(size));
        }
        if let Ok(chunk) = header.parse::<ChunkRange>() {
            assert!(chunk.length() > 0);
            assert!(chunk.start().checked_add(chunk.length() - 1).is_some());
        }
    }
});
