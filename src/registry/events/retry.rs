//! When an endpoint is asked again, and when an event is given up: no clock, no chance, no network.

use std::time::Duration;

use crate::config::Endpoint;

/// However long an endpoint has been away, it is asked so often.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Attempts for an event that its receiver refuses as such: others wait behind it.
const REFUSED_ATTEMPTS: u32 = 5;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// Nobody is there, or whoever is there takes no event now.
    Unavailable,
    /// The receiver takes events, and not this one.
    Refused,
}

impl Failure {
    /// What a status says that is no success.
    pub(super) fn of(status: u16) -> Self {
        match status {
            400 | 406 | 413 | 415 | 422 => Self::Refused,
            _ => Self::Unavailable,
        }
    }
}

/// How long to wait after so many failures in a row. `chance` is anything from 0 to 1: it keeps many registries from
/// asking at once.
pub(super) fn pause(endpoint: &Endpoint, failures: u32, chance: f64) -> Duration {
    let Some(beyond) = failures.checked_sub(endpoint.threshold) else { return Duration::ZERO };
    let longest = LONGEST_PAUSE.max(endpoint.backoff);
    let doubled = endpoint.backoff.checked_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
    doubled.unwrap_or(longest).min(longest).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

/// Why an event is given up after so many attempts, if it is.
pub(super) fn is_given_up(
    endpoint: &Endpoint,
    longest: Duration,
    (attempts, age): (u32, Duration),
    last: Failure,
) -> Option<&'static str> {
    let is_refused = last == Failure::Refused && attempts >= REFUSED_ATTEMPTS;
    match endpoint.max_retries {
        Some(retries) if attempts > retries => {
            Some("it has been tried as often as maxretries allows")
        }
        _ if age >= longest => Some("it has been tried for as long as maxage allows"),
        None if is_refused => Some("the receiver refuses it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(threshold: u32, max_retries: Option<u32>) -> Endpoint {
        Endpoint {
            name: "a".parse().unwrap(),
            url: "http://127.0.0.1/".parse().unwrap(),
            headers: Vec::new(),
            timeout: Duration::from_secs(1),
            threshold,
            backoff: Duration::from_secs(1),
            max_retries,
            ignored_media_types: Default::default(),
            ignored_actions: Default::default(),
        }
    }

    #[test]
    fn pauses_begin_at_the_threshold_double_and_have_an_end() {
        let endpoint = endpoint(3, None);
        let pauses = [1, 2, 3, 4, 5, 8, 9, 10, 40, u32::MAX].map(|n| pause(&endpoint, n, 0.5));
        let seconds = pauses.map(|pause| pause.as_secs());
        assert_eq!(seconds, [0, 0, 1, 2, 4, 32, 60, 60, 60, 60]);
        assert_eq!(pause(&endpoint, 3, 0.0), Duration::from_millis(800));
        assert_eq!(pause(&endpoint, 3, 1.0), Duration::from_millis(1200));
    }

    #[test]
    fn an_event_is_given_up_by_count_by_age_or_when_it_is_refused() {
        use Failure::{Refused, Unavailable};
        let day = Duration::from_secs(24 * 3600);
        let is =
            |retries, tried, last| is_given_up(&endpoint(10, retries), day, tried, last).is_some();
        let young = Duration::from_secs(1);
        assert!(!is(Some(5), (5, young), Unavailable));
        assert!(is(Some(5), (6, young), Unavailable));
        assert!(is(Some(0), (1, young), Unavailable));
        assert!(!is(None, (1_000_000, young), Unavailable));
        assert!(is(None, (1, day), Unavailable));
        assert!(is(Some(5), (1, day), Unavailable));
        assert!(!is(None, (4, young), Refused));
        assert!(is(None, (5, young), Refused));
        assert!(!is(Some(9), (5, young), Refused));
    }
}
