//! How often something was how large, in buckets whose limits are fixed.

use std::sync::atomic::{AtomicU64, Ordering};

/// Limits of durations in nanoseconds, as Distribution's: 5 ms to 60 s.
pub(super) const NANOSECONDS: [u64; 13] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    25_000_000_000,
    60_000_000_000,
];

/// Limits of what a storage does: below Distribution's, 5 ms to 10 s, some that a disk's cache needs.
pub(super) const STORAGE_NANOSECONDS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Limits of sizes in bytes, as Distribution's: 1 KiB to 2 GiB.
pub(super) const BYTES: [u64; 22] = {
    let mut limits = [1024; 22];
    let mut index = 1;
    while index < limits.len() {
        limits[index] = limits[index - 1] * 2;
        index += 1;
    }
    limits
};

/// Counts below limits, and beyond the last.
#[derive(Debug)]
pub(super) struct Histogram<const LIMITS: usize> {
    below: [AtomicU64; LIMITS],
    beyond: AtomicU64,
    sum: AtomicU64,
}

/// What several histograms have counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Counted<const LIMITS: usize> {
    /// Of each bucket by itself.
    pub(super) below: [u64; LIMITS],
    pub(super) all: u64,
    pub(super) sum: u64,
}

impl<const LIMITS: usize> Default for Histogram<LIMITS> {
    fn default() -> Self {
        let below = std::array::from_fn(|_| AtomicU64::new(0));
        Self { below, beyond: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const LIMITS: usize> Default for Counted<LIMITS> {
    fn default() -> Self {
        Self { below: [0; LIMITS], all: 0, sum: 0 }
    }
}

impl<const LIMITS: usize> Histogram<LIMITS> {
    /// Counts a value that is at most a limit to the first such.
    pub(super) fn count(&self, limits: &[u64; LIMITS], value: u64) {
        let bucket = limits.iter().position(|limit| value <= *limit);
        let bucket = bucket.map_or(&self.beyond, |index| &self.below[index]);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds what was counted here.
    pub(super) fn add_to(&self, counted: &mut Counted<LIMITS>) {
        for (sum, bucket) in counted.below.iter_mut().zip(&self.below) {
            let count = bucket.load(Ordering::Relaxed);
            *sum += count;
            counted.all += count;
        }
        counted.all += self.beyond.load(Ordering::Relaxed);
        counted.sum += self.sum.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_belongs_to_its_bucket_and_what_is_larger_to_none() {
        let histogram = Histogram::<2>::default();
        for value in [0, 10, 11, 20, 21] {
            histogram.count(&[10, 20], value);
        }
        let mut counted = Counted::default();
        histogram.add_to(&mut counted);
        assert_eq!(counted, Counted { below: [2, 2], all: 5, sum: 62 });
    }

    #[test]
    fn limits_are_those_of_distribution() {
        assert_eq!((BYTES[0], BYTES[21]), (1024, 2 << 30));
    }
}
