//! What was fetched, and until when it is kept.
//!
//! The record is upstream's `scheduler-state.json`, so that either registry goes on where the other has stopped.
//! Only what stands in it goes: content that was pushed before a registry became a proxy stays. It is written a few
//! seconds after it has changed; what a crash loses of it is content that is kept for longer.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oci::{Digest, RepositoryName};
use time::OffsetDateTime;
use tokio::{sync::OnceCell, task::spawn_blocking, time::sleep};

use super::record::{Fetched, Kind, Recorded, document, parse};
use crate::content::{Content, Error};

/// How soon a change is written, as upstream.
const SOON: Duration = Duration::from_secs(5);

/// How long what has expired may stay.
const LATE: Duration = Duration::from_secs(600);

/// The expiry of everything that was fetched.
#[derive(Debug)]
pub(super) struct Schedule {
    /// None: everything is kept for ever, and nothing is recorded.
    ttl: Option<Duration>,
    state: Mutex<State>,
    /// What repositories hold that is not in the record, and so never goes: looked for once, when something has expired.
    /// Nobody pushes to a cache, so nothing is added to it.
    foreign: OnceCell<HashSet<Digest>>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Fetched, (OffsetDateTime, Kind)>,
    /// In how many repositories of the record something is.
    repositories: HashMap<Digest, usize>,
    has_changed: bool,
    /// Whether the record of earlier processes has been read.
    is_read: bool,
}

impl Schedule {
    pub(super) fn new(ttl: Option<Duration>) -> Self {
        Self { ttl, state: Mutex::default(), foreign: OnceCell::new() }
    }

    /// Notes that something was fetched just now.
    pub(super) fn note(&self, name: &RepositoryName, digest: &Digest, kind: Kind) {
        let Some(ttl) = self.ttl else { return };
        let expiry = time::Duration::try_from(ttl).ok();
        let expiry = expiry.and_then(|ttl| OffsetDateTime::now_utc().checked_add(ttl));
        // A span that no calendar has does not end.
        let Some(expiry) = expiry else { return };
        let mut state = self.state();
        state.insert((name.clone(), *digest), (expiry, kind));
        state.has_changed = true;
    }

    /// Reads the record, writes it when it changes, and takes away what has expired; until dropped.
    pub(super) async fn run(self: &Arc<Self>, content: &Content) -> Infallible {
        let Some(ttl) = self.ttl else { return pending().await };
        let tick = (ttl / 4).clamp(Duration::from_millis(100), SOON);
        let between = (ttl / 20).clamp(tick, LATE);
        loop {
            content.writable().await;
            self.read(content).await;
            if self.state().is_read {
                break;
            }
            sleep(tick).await;
        }
        let writing = async {
            loop {
                content.writable().await;
                self.write(content).await;
                sleep(tick).await;
            }
        };
        // May take long, and the record is written meanwhile.
        let expiring = async {
            loop {
                content.writable().await;
                self.expire(content).await;
                sleep(between).await;
            }
        };
        tokio::select! {
            never = writing => never,
            never = expiring => never,
        }
    }

    /// Writes the record if it has changed.
    pub(super) async fn write(&self, content: &Content) {
        let Some(writing) = content.begin_write() else { return };
        let entries: Vec<Recorded> = {
            let mut state = self.state();
            // Before it is read, a record would lose what stands in it.
            if !state.has_changed || !state.is_read {
                return;
            }
            state.has_changed = false;
            state.entries.iter().map(|(fetched, entry)| (fetched.clone(), *entry)).collect()
        };
        let written = match spawn_blocking(move || document(entries)).await {
            Ok(document) => writing.record_fetched(document.into()).await,
            Err(_) => Err(Error::Panicked),
        };
        if let Err(error) = written {
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
        for (fetched, entry) in read {
            if !state.entries.contains_key(&fetched) {
                state.insert(fetched, entry);
            }
        }
        state.is_read = true;
    }

    async fn expire(self: &Arc<Self>, content: &Content) {
        let now = OffsetDateTime::now_utc();
        let expired: Vec<Fetched> = {
            let state = self.state();
            let old = state.entries.iter().filter(|(_, (expiry, _))| *expiry <= now);
            old.map(|(fetched, _)| fetched.clone()).collect()
        };
        if expired.is_empty() {
            return;
        }
        if let Err(error) = self.foreign.get_or_try_init(|| self.survey(content)).await {
            tracing::error!(%error, "what has expired could not be removed");
            return;
        }
        let mut removed = 0;
        for fetched in &expired {
            match self.remove(content, fetched, now).await {
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
        self: &Arc<Self>,
        content: &Content,
        fetched: &Fetched,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let Some(writing) = content.begin_write() else { return Ok(false) };
        let (name, digest) = fetched;
        let is_held_elsewhere = {
            let (schedule, fetched) = (Arc::clone(self), fetched.clone());
            move || schedule.is_held_elsewhere(&fetched)
        };
        writing.expire(name, digest, is_held_elsewhere).await?;
        let mut state = self.state();
        // It may have been fetched again meanwhile.
        if state.entries.get(fetched).is_some_and(|(expiry, _)| *expiry <= now) {
            state.remove(fetched);
        }
        state.has_changed = true;
        Ok(true)
    }

    /// Whether another repository has it, or is about to: who fetches notes it before it is there.
    fn is_held_elsewhere(&self, fetched: &Fetched) -> bool {
        let (_, digest) = fetched;
        let state = self.state();
        let own = usize::from(state.entries.contains_key(fetched));
        let all = state.repositories.get(digest).copied().unwrap_or_default();
        // Before anybody has looked, it may be.
        all > own || self.foreign.get().is_none_or(|foreign| foreign.contains(digest))
    }

    /// What repositories hold that is not in the record.
    async fn survey(&self, content: &Content) -> Result<HashSet<Digest>, Error> {
        let mut foreign = HashSet::new();
        for name in content.repositories(None, usize::MAX).await? {
            let held = content.held(&name).await?;
            let state = self.state();
            let is_foreign =
                |digest: &Digest| !state.entries.contains_key(&(name.clone(), *digest));
            foreign.extend(held.into_iter().filter(is_foreign));
        }
        Ok(foreign)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, fetched: Fetched, entry: (OffsetDateTime, Kind)) {
        let digest = fetched.1;
        if self.entries.insert(fetched, entry).is_none() {
            *self.repositories.entry(digest).or_default() += 1;
        }
    }

    fn remove(&mut self, fetched: &Fetched) {
        if self.entries.remove(fetched).is_none() {
            return;
        }
        if let Some(count) = self.repositories.get_mut(&fetched.1) {
            *count -= 1;
            if *count == 0 {
                self.repositories.remove(&fetched.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    #[test]
    fn who_else_has_something_is_known_without_asking_repositories() {
        let schedule = Schedule::new(Some(Duration::from_secs(60)));
        let digest = Digest::of(Algorithm::Sha256, b"");
        let [one, other] = ["one", "other"].map(|name| name.parse::<RepositoryName>().unwrap());
        for _ in 0..2 {
            schedule.note(&one, &digest, Kind::Blob);
        }
        let is_held = |name: &RepositoryName| schedule.is_held_elsewhere(&(name.clone(), digest));
        assert!(is_held(&one), "nobody has looked for what was pushed");
        schedule.foreign.set(HashSet::new()).unwrap();
        assert!(!is_held(&one) && is_held(&other));
        schedule.note(&other, &digest, Kind::Manifest);
        assert!(is_held(&one) && is_held(&other));
        schedule.state().remove(&(one.clone(), digest));
        assert!(is_held(&one) && !is_held(&other));
        schedule.state().remove(&(other.clone(), digest));
        assert!(schedule.state().repositories.is_empty());
    }

    #[test]
    fn what_was_pushed_is_held_for_ever() {
        let schedule = Schedule::new(Some(Duration::from_secs(60)));
        let digest = Digest::of(Algorithm::Sha256, b"");
        schedule.foreign.set(HashSet::from([digest])).unwrap();
        assert!(schedule.is_held_elsewhere(&("one".parse().unwrap(), digest)));
    }
}
