//! How many requests may leave at once, and how many in a second (`maxrequestspersecond`).

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// Requests that wait for the first byte of their answer at once.
const AT_ONCE: usize = 256;

/// What was not asked for in the last second may be asked for now.
const BURST: Duration = Duration::from_secs(1);

/// The pace of all requests of a store, retries included.
#[derive(Debug)]
pub(super) struct Pace {
    requests: Semaphore,
    /// The time from one request to the next, where the number of them is bounded.
    interval: Option<Duration>,
    /// When the next request may leave.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self {
            requests: Semaphore::new(AT_ONCE),
            interval: per_second.map(|number| Duration::from_secs(1) / number.get()),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until a request may leave; none when the store is closed, which it never is.
    pub(super) async fn wait(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.requests.acquire().await.ok();
        if let Some(turn) = self.turn(Instant::now()) {
            sleep_until(turn).await;
        }
        permit
    }

    /// When the request that asks now may leave; none: at once.
    fn turn(&self, now: Instant) -> Option<Instant> {
        let interval = self.interval?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now.checked_sub(BURST).unwrap_or(now));
        *next = turn + interval;
        (turn > now).then_some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_leave_at_their_pace_once_a_second_of_them_has_left() {
        let pace = Pace::new(NonZeroU32::new(100));
        let now = Instant::now() + Duration::from_secs(10);
        for _ in 0..100 {
            assert_eq!(pace.turn(now), None);
        }
        // The one that is due now, and then one each hundredth of a second.
        assert_eq!(pace.turn(now), None);
        for number in 1..10 {
            assert_eq!(pace.turn(now), Some(now + Duration::from_millis(10) * number));
        }
        assert_eq!(Pace::new(None).turn(now), None);
    }
}
