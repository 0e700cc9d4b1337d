//! What was fetched, and until when it is kept.
//!
//! The record is upstream's `scheduler-state.json`, so that either registry goes on where the other has stopped.
//! Only what stands in it goes: content that was pushed before a registry became a proxy stays. It is written a few
//! seconds after it has changed; what a crash loses of it is content that is kept for longer.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::content::{Content, Error};

/// How soon a change is written, as upstream.
const SOON: Duration = Duration::from_secs(5);

/// How long what has expired may stay.
const LATE: Duration = Duration::from_secs(600);

/// What was fetched: manifests and blobs by repository.
type Fetched = (RepositoryName, Digest);

/// The expiry of everything that was fetched.
#[derive(Debug)]
pub(super) struct Schedule {
    /// None: everything is kept for ever, and nothing is recorded.
    ttl: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Fetched, (OffsetDateTime, Kind)>,
    has_changed: bool,
    /// Whether the record of earlier processes has been read.
    is_read: bool,
}

/// What upstream removes an entry as. Here a digest goes as whatever it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Blob,
    Manifest,
}

/// One entry as upstream writes it.
#[derive(Deserialize, Serialize)]
struct Entry {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "ExpiryData", with = "time::serde::rfc3339")]
    expiry: OffsetDateTime,
    #[serde(rename = "EntryType")]
    kind: u8,
}

impl Schedule {
    pub(super) fn new(ttl: Option<Duration>) -> Self {
        Self { ttl, state: Mutex::default() }
    }

    /// Notes that something was fetched just now.
    pub(super) fn note(&self, name: &RepositoryName, digest: &Digest, kind: Kind) {
        let Some(ttl) = self.ttl else { return };
        let expiry = time::Duration::try_from(ttl).ok();
        let expiry = expiry.and_then(|ttl| OffsetDateTime::now_utc().checked_add(ttl));
        // A span that no calendar has does not end.
        let Some(expiry) = expiry else { return };
        let mut state = self.state();
        state.entries.insert((name.clone(), *digest), (expiry, kind));
        state.has_changed = true;
    }

    /// Reads the record, writes it when it changes, and takes away what has expired; until dropped.
    pub(super) async fn run(&self, content: &Content) -> Infallible {
        let Some(ttl) = self.ttl else { return pending().await };
        let tick = (ttl / 4).clamp(Duration::from_millis(100), SOON);
        let between = (ttl / 20).clamp(tick, LATE);
        let mut due = Instant::now();
        loop {
            content.writable().await;
            self.read(content).await;
            if Instant::now() >= due {
                self.expire(content).await;
                due = Instant::now() + between;
            }
            self.write(content).await;
            sleep(tick).await;
        }
    }

    /// Writes the record if it has changed.
    pub(super) async fn write(&self, content: &Content) {
        let Some(writing) = content.begin_write() else { return };
        let document = {
            let mut state = self.state();
            // Before it is read, a record would lose what stands in it.
            if !state.has_changed || !state.is_read {
                return;
            }
            state.has_changed = false;
            state.document()
        };
        if let Err(error) = writing.record_fetched(document.into()).await {
            tracing::error!(%error, "the record of what was fetched could not be written");
            self.state().has_changed = true;
        }
    }

    async fn read(&self, content: &Content) {
        if self.state().is_read {
            return;
        }
        let text = match content.fetched().await {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "the record of what was fetched could not be read");
                return;
            }
        };
        let read = parse(&text).unwrap_or_else(|error| {
            tracing::error!(%error, "scheduler-state.json is not usable: what it names is kept");
            Vec::new()
        });
        let mut state = self.state();
        for (fetched, expiry) in read {
            state.entries.entry(fetched).or_insert(expiry);
        }
        state.is_read = true;
    }

    async fn expire(&self, content: &Content) {
        let now = OffsetDateTime::now_utc();
        let expired: Vec<Fetched> = {
            let state = self.state();
            let old = state.entries.iter().filter(|(_, (expiry, _))| *expiry <= now);
            old.map(|(fetched, _)| fetched.clone()).collect()
        };
        if expired.is_empty() {
            return;
        }
        let all = match content.repositories(None, usize::MAX).await {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(%error, "what has expired could not be removed");
                return;
            }
        };
        let mut removed = 0;
        for fetched in &expired {
            match self.remove(content, fetched, now, &all).await {
                Ok(true) => removed += 1,
                // Writes are not taken any more.
                Ok(false) => break,
                Err(error) => {
                    let (name, digest) = fetched;
                    tracing::error!(repository = %name, %digest, %error, "expired content could not be removed");
                }
            }
        }
        tracing::info!(removed, "what was fetched long ago is removed");
    }

    async fn remove(
        &self,
        content: &Content,
        fetched: &Fetched,
        now: OffsetDateTime,
        all: &[RepositoryName],
    ) -> Result<bool, Error> {
        let Some(writing) = content.begin_write() else { return Ok(false) };
        let (name, digest) = fetched;
        writing.expire(name, digest, all).await?;
        let mut state = self.state();
        // It may have been fetched again meanwhile.
        if state.entries.get(fetched).is_some_and(|(expiry, _)| *expiry <= now) {
            state.entries.remove(fetched);
        }
        state.has_changed = true;
        Ok(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn document(&self) -> Vec<u8> {
        let entries: BTreeMap<String, Entry> = self
            .entries
            .iter()
            .map(|((name, digest), (expiry, kind))| {
                let key = format!("{name}@{digest}");
                let kind = u8::from(*kind == Kind::Manifest);
                (key.clone(), Entry { key, expiry: *expiry, kind })
            })
            .collect();
        serde_json::to_vec(&entries).expect("names, digests and times are always JSON")
    }
}

/// What was fetched, until when it is kept, and what it is.
type Recorded = (Fetched, (OffsetDateTime, Kind));

/// Reads a record; entries that name nothing are left out.
fn parse(text: &[u8]) -> Result<Vec<Recorded>, serde_json::Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(text)?;
    let fetched = |Entry { key, expiry, kind }| {
        let (name, digest) = key.split_once('@')?;
        let kind = if kind == 0 { Kind::Blob } else { Kind::Manifest };
        Some(((name.parse().ok()?, digest.parse().ok()?), (expiry, kind)))
    };
    Ok(entries.into_values().filter_map(fetched).collect())
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    #[test]
    fn a_record_of_upstream_is_read_and_written_alike() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let key = format!("library/app@{digest}");
        let text = format!(
            r#"{{"{key}":{{"Key":"{key}","ExpiryData":"2026-11-29T21:00:00.123456789+01:00","EntryType":1}},
                "odd":{{"Key":"odd","ExpiryData":"2026-11-29T21:00:00Z","EntryType":0}}}}"#
        );
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 1);
        let state = State { entries: read.iter().cloned().collect(), ..State::default() };
        let (name, found) = &read[0].0;
        assert_eq!((name.as_str(), *found, read[0].1.1), ("library/app", digest, Kind::Manifest));
        assert_eq!(parse(&state.document()).unwrap(), read);
    }
}
