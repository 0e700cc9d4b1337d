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

use oci::{Digest, RepositoryName, Tag};
use time::OffsetDateTime;
use tokio::{sync::OnceCell, task::spawn_blocking, time::sleep};

use super::record::{Fetched, Kind, Recorded, document, parse};
use crate::content::{Content, Error, Question};
use crate::log::Causes as _;

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
        let Some(expiry) = self.expiry() else { return };
        let mut state = self.state();
        state.insert((name.clone(), *digest), (expiry, kind));
        state.has_changed = true;
    }

    /// Notes that something is used anew, if it was fetched and not pushed: it stays as if it were fetched just now.
    pub(super) fn renew(&self, name: &RepositoryName, digest: &Digest) {
        let Some(expiry) = self.expiry() else { return };
        let mut state = self.state();
        if let Some(entry) = state.entries.get_mut(&(name.clone(), *digest)) {
            entry.0 = expiry;
            state.has_changed = true;
        }
    }

    /// Until when what is fetched now is kept; none: for ever. A span that no calendar has does not end.
    fn expiry(&self) -> Option<OffsetDateTime> {
        let ttl = time::Duration::try_from(self.ttl?).ok()?;
        OffsetDateTime::now_utc().checked_add(ttl)
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
            tracing::error!(
                error = error.causes(),
                "the record of what was fetched could not be written"
            );
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
                tracing::error!(
                    error = error.causes(),
                    "the record of what was fetched could not be read"
                );
                return;
            }
        };
        let read = parse(&text).unwrap_or_else(|error| {
            tracing::error!(
                error = error.causes(),
                "scheduler-state.json is not usable: what it names is kept"
            );
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
        let mut expired: Vec<Fetched> = {
            let state = self.state();
            let old = state.entries.iter().filter(|(_, (expiry, _))| *expiry <= now);
            old.map(|(fetched, _)| fetched.clone()).collect()
        };
        if expired.is_empty() {
            return;
        }
        // Together, so that a repository's tags are read once.
        expired.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if let Err(error) = self.foreign.get_or_try_init(|| self.survey(content)).await {
            tracing::error!(error = error.causes(), "what has expired could not be removed");
            return;
        }
        let mut removed = 0;
        let mut tags = Tags::default();
        for fetched in &expired {
            match self.remove(content, fetched, &mut tags, now).await {
                Ok(true) => removed += 1,
                // Writes are not taken any more.
                Ok(false) => break,
                Err(error) => {
                    let (name, digest) = fetched;
                    tracing::error!(repository = %name, %digest, error = error.causes(), "expired content could not be removed");
                }
            }
        }
        tracing::info!(removed, "what was fetched long ago is removed");
    }

    async fn remove(
        self: &Arc<Self>,
        content: &Content,
        fetched: &Fetched,
        tags: &mut Tags,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let Some(writing) = content.begin_write() else { return Ok(false) };
        let (name, digest) = fetched;
        let tags = tags.of(content, name, digest).await?;
        let (schedule, asked) = (Arc::clone(self), fetched.clone());
        let is_due = move || schedule.state().is_due(&asked, now);
        let (schedule, asked) = (Arc::clone(self), fetched.clone());
        let is_held_elsewhere = move || schedule.is_held_elsewhere(&asked);
        let questions = (Box::new(is_due) as Question, Box::new(is_held_elsewhere) as Question);
        writing.expire((name, digest), tags, questions).await?;
        let mut state = self.state();
        // It may have been fetched again meanwhile.
        if state.is_due(fetched, now) {
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

/// What the tags of the repository point to that is looked at, read when the first of its manifests is.
///
/// A tag that comes to point to one of them later renews it.
#[derive(Default)]
struct Tags {
    read: Option<(RepositoryName, HashMap<Digest, Vec<Tag>>)>,
}

impl Tags {
    async fn of(
        &mut self,
        content: &Content,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Tag>, Error> {
        if !content.has_revision(name, digest).await? {
            return Ok(Vec::new());
        }
        let read = match self.read.take() {
            Some((read, tags)) if read == *name => (read, tags),
            _ => (name.clone(), content.tags_by_target(name).await?),
        };
        let (_, tags) = self.read.insert(read);
        Ok(tags.remove(digest).unwrap_or_default())
    }
}

impl State {
    /// Whether its time has come.
    fn is_due(&self, fetched: &Fetched, now: OffsetDateTime) -> bool {
        self.entries.get(fetched).is_some_and(|(expiry, _)| *expiry <= now)
    }

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
