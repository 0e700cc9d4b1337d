//! How fast bytes may be copied.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// So much may be copied at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// A limit that all copies share.
#[derive(Debug)]
pub struct Pace {
    bytes_a_second: Option<NonZeroU64>,
    /// When the next byte may come.
    next: Mutex<Instant>,
}

impl Pace {
    /// At most so many bytes a second; without a number as fast as it goes.
    #[must_use]
    pub fn new(bytes_a_second: Option<NonZeroU64>) -> Self {
        Self { bytes_a_second, next: Mutex::new(Instant::now()) }
    }

    /// Waits for as long as these bytes take.
    pub(crate) async fn take(&self, bytes: u64) {
        let Some(rate) = self.bytes_a_second else { return };
        #[expect(clippy::cast_precision_loss, reason = "a microsecond in a day does not matter")]
        let time = Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            *next = (*next).max(now.checked_sub(BURST).unwrap_or(now)) + time;
            *next
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_copies_together_keep_the_rate() {
        let pace = Pace::new(NonZeroU64::new(1_000_000));
        let begun = Instant::now();
        let copies = (0..4).map(|_| async {
            for _ in 0..10 {
                pace.take(100_000).await;
            }
        });
        let mut copies: Vec<_> = copies.map(Box::pin).collect();
        for copy in &mut copies {
            copy.await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        assert!((3.8..4.2).contains(&seconds), "{seconds}");
    }
}
