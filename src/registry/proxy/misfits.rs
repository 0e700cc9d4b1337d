//! Blobs that there is no room for here: they only pass through for a while, so that the next client need not find out
//! again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use oci::Digest;

/// When another try is worthwhile: something may have been removed.
const WHILE: Duration = Duration::from_secs(120);

/// As many are remembered.
const MOST: usize = 1000;

/// Blobs that did not fit lately.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    until: Mutex<HashMap<Digest, Instant>>,
}

impl Misfits {
    pub(super) fn note(&self, digest: &Digest) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if until.len() >= MOST {
            until.retain(|_, until| *until > now);
        }
        if until.len() < MOST {
            until.insert(*digest, now + WHILE);
        }
    }

    pub(super) fn include(&self, digest: &Digest) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(digest).is_some_and(|until| *until > Instant::now())
    }
}
