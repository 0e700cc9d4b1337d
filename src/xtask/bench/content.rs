//! Blobs that are new each time and cost the client next to nothing: a repeated block that fits the processor's cache,
//! ended by a counter. The hash of all but the counter is computed once, so that a new digest takes one more block.

use std::{
    fmt::Write as _,
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest as _, Sha256};

const BLOCK_BYTES: u64 = 1 << 20;
const COUNTER_BYTES: u64 = 8;

/// The blobs of one size.
#[derive(Debug)]
pub(crate) struct Pattern {
    size: u64,
    block: Vec<u8>,
    hashed: Sha256,
    next: AtomicU64,
}

/// A blob that no registry has seen in this run.
#[derive(Debug)]
pub(crate) struct Blob<'a> {
    pattern: &'a Pattern,
    counter: [u8; 8],
    pub(crate) digest: String,
}

impl Pattern {
    /// Prepares blobs of `size` bytes, which is at least the counter's.
    pub(crate) fn new(size: u64) -> Self {
        assert!(size >= COUNTER_BYTES, "a blob holds its counter");
        let block = noise(size.min(BLOCK_BYTES));
        let mut pattern = Self { size, block, hashed: Sha256::new(), next: AtomicU64::new(1) };
        let mut hashed = Sha256::new();
        pattern
            .each_slice(0, size - COUNTER_BYTES, |slice| {
                hashed.update(slice);
                Ok(())
            })
            .expect("hashing in memory cannot fail");
        pattern.hashed = hashed;
        pattern
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Makes the next blob.
    pub(crate) fn blob(&self) -> Blob<'_> {
        let counter = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let digest = digest(self.hashed.clone().chain_update(counter));
        Blob { pattern: self, counter, digest }
    }

    /// Hands out the bytes from `from` to `to`, both before the counter.
    fn each_slice(
        &self,
        from: u64,
        to: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let period = self.block.len() as u64;
        let mut at = from;
        while at < to {
            let begin = at % period;
            let end = period.min(begin + (to - at));
            take(&self.block[index(begin)..index(end)])?;
            at += end - begin;
        }
        Ok(())
    }
}

impl Blob<'_> {
    pub(crate) fn size(&self) -> u64 {
        self.pattern.size
    }

    /// Writes the bytes from `from` to `to`.
    pub(crate) fn write(&self, from: u64, to: u64, out: &mut impl io::Write) -> io::Result<()> {
        let counter_at = self.pattern.size - COUNTER_BYTES;
        self.pattern.each_slice(from, to.min(counter_at), |slice| out.write_all(slice))?;
        if to > counter_at {
            let begin = from.saturating_sub(counter_at);
            out.write_all(&self.counter[index(begin)..index(to - counter_at)])?;
        }
        Ok(())
    }
}

/// Returns the digest of what a hasher has seen, as the spec writes it.
pub(crate) fn digest(hasher: Sha256) -> String {
    let mut text = "sha256:".to_owned();
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset in a block in memory fits")
}

/// Bytes that no filesystem compresses: splitmix64 from a fixed seed.
fn noise(len: u64) -> Vec<u8> {
    let mut state = 0x5eed_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    });
    words.flat_map(u64::to_le_bytes).take(index(len)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(blob: &Blob<'_>, from: u64, to: u64) -> Vec<u8> {
        let mut out = Vec::new();
        blob.write(from, to, &mut out).unwrap();
        out
    }

    #[test]
    fn a_digest_is_that_of_the_bytes_written() {
        for size in [8, 9, 4096, BLOCK_BYTES, BLOCK_BYTES + 3, 2 * BLOCK_BYTES + 5] {
            let pattern = Pattern::new(size);
            let blob = pattern.blob();
            let written = bytes(&blob, 0, size);
            assert_eq!(written.len() as u64, size);
            assert_eq!(blob.digest, digest(Sha256::new_with_prefix(&written)), "{size}");
        }
    }

    #[test]
    fn parts_written_one_by_one_are_the_whole() {
        let size = 100;
        let pattern = Pattern::new(size);
        let blob = pattern.blob();
        for cut in 0..=size {
            let mut parts = bytes(&blob, 0, cut);
            parts.extend(bytes(&blob, cut, size));
            assert_eq!(parts, bytes(&blob, 0, size), "{cut}");
        }
        assert_eq!(bytes(&blob, 94, 97), bytes(&blob, 0, size)[94..97]);
    }

    #[test]
    fn no_two_blobs_are_equal() {
        let pattern = Pattern::new(4096);
        assert_ne!(pattern.blob().digest, pattern.blob().digest);
    }
}
