//! Handshakes that fail: an administrator whose clients cannot connect reads why, and a client that
//! tries for ever fills no log.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long a client that was told of is only counted.
const PAUSE: Duration = Duration::from_secs(60);

/// The most clients that are told of by themselves; all others share one line for each pause.
const REMOTES_MAX: usize = 256;

/// What clients have in common that find no place of their own; no address is empty.
const OTHERS: &str = "";

/// Who failed lately.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Box<str>, Told>>);

/// When a client was told of, and how often it has failed since.
#[derive(Debug)]
struct Told {
    at: Instant,
    unsaid: u64,
}

/// What is said of a failure, with how many before it nobody was told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    /// Of one client.
    Own { unsaid: u64 },
    /// Of all that have no place of their own.
    Shared { unsaid: u64 },
}

impl Failures {
    /// Writes a line about a failure, or counts it for the next one.
    pub(super) fn tell(&self, remote: &str, error: &dyn Display) {
        match self.note(remote, Instant::now()) {
            Some(Line::Own { unsaid }) => {
                tracing::info!(remote, %error, unsaid, "TLS could not be set up with a client");
            }
            Some(Line::Shared { unsaid }) => {
                tracing::info!(
                    %error, unsaid,
                    "TLS could not be set up with clients beyond the {REMOTES_MAX} that are told of by name"
                );
            }
            None => {}
        }
    }

    /// Returns the line that it is time for.
    fn note(&self, remote: &str, now: Instant) -> Option<Line> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |told: &Told| now.duration_since(told.at) >= PAUSE;
        if !clients.contains_key(remote) && clients.len() >= REMOTES_MAX {
            // What was not said of them stays unsaid: they have not come back. Of all others somebody has.
            clients.retain(|name, told| &**name == OTHERS || !is_over(told));
        }
        let is_full = !clients.contains_key(remote) && clients.len() >= REMOTES_MAX;
        let name = if is_full { OTHERS } else { remote };
        let line = |unsaid| match is_full {
            true => Line::Shared { unsaid },
            false => Line::Own { unsaid },
        };
        let Some(told) = clients.get_mut(name) else {
            clients.insert(name.into(), Told { at: now, unsaid: 0 });
            return Some(line(0));
        };
        if !is_over(told) {
            told.unsaid += 1;
            return None;
        }
        let unsaid = told.unsaid;
        *told = Told { at: now, unsaid: 0 };
        Some(line(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(unsaid: u64) -> Option<Line> {
        Some(Line::Own { unsaid })
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_told_of_once_a_minute_with_what_went_unsaid() {
        let failures = Failures::default();
        let begun = Instant::now();
        assert_eq!(failures.note("192.0.2.1", begun), own(0));
        for second in [0, 1, 59] {
            assert_eq!(failures.note("192.0.2.1", begun + Duration::from_secs(second)), None);
        }
        assert_eq!(failures.note("192.0.2.2", begun), own(0), "another client");
        assert_eq!(failures.note("192.0.2.1", begun + PAUSE), own(3));
        assert_eq!(failures.note("192.0.2.1", begun + PAUSE), None);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_clients_fail_what_is_kept_of_them_is_bounded() {
        let failures = Failures::default();
        let begun = Instant::now();
        let told =
            (0..10_000).filter(|n| failures.note(&format!("2001:db8::{n:x}"), begun).is_some());
        assert_eq!(told.count(), REMOTES_MAX + 1);
        assert_eq!(failures.0.lock().unwrap().len(), REMOTES_MAX + 1);
        let later = begun + PAUSE;
        assert_eq!(failures.note("2001:db8::ffff:1", later), own(0), "there is room again");
        // The line of all others has a place that lasts: how many they were is still to be said.
        assert_eq!(failures.0.lock().unwrap().len(), 2);
    }
}
