//! A handle on a registry that serves: switch it to read-only, reload its configuration, look at its numbers.
//!
//! The handle may outlive the server; there is nothing left to control then, and everything still answers.

mod compare;
mod pull;
mod reload;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oci::{RepositoryName, Tag};
use tokio::{sync::watch, time::timeout};

use crate::{
    access::AccessLog,
    api::Api,
    changes::{self, Change, Changed, Error as ChangesError},
    collect::words::Wanted,
    config::{self, Config, UploadPurging},
    content::{Collection, Content, Mend, Mended, NotBegun, Quiet, Thing},
    events::{CommandError, EndpointStatistics, Events, Wish},
    health::Health,
    log,
    migrate::words::Page,
    quota::Fill,
    redis::{Numbers, Redis},
    statistics::{Counters, Statistics},
    tls::Tls,
    verify::{self, MenderError},
};

pub use compare::Reloaded;
pub(crate) use pull::{NotPulled, Pulled};
pub use reload::{ReloadError, Reloader};

/// Controls one server. Clones control the same one.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

/// What the connections of a server, and those who control it, share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) content: Content,
    pub(crate) events: Events,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tls: Option<Tls>,
    pub(crate) health: Arc<Health>,
    checks: watch::Sender<config::Health>,
    purging: watch::Sender<UploadPurging>,
    phase: watch::Sender<Phase>,
    /// As it runs: what needs a restart is as it was at the start.
    running: Mutex<Config>,
}

/// What becomes of connections and requests, in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// What has begun is finished.
    Draining,
    /// What has not finished by now is cut off.
    Cutting,
    Ended,
}

/// A switch that has happened: from here on every request that begins is answered by it.
#[derive(Debug)]
pub struct Switched {
    content: Content,
    was_read_only: bool,
}

/// Why a registry that was switched to read-only may still write.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotQuiet {
    /// They began before the switch.
    #[error("{writes} writes are still under way")]
    Writing {
        /// How many.
        writes: u64,
    },
    /// Writes are taken.
    #[error("the registry is not read-only")]
    Writable,
}

impl Shared {
    pub(crate) fn new(
        config: &Config,
        api: Api,
        content: Content,
        events: Events,
        tls: Option<Tls>,
        health: Arc<Health>,
    ) -> io::Result<Self> {
        content.set_read_only(config.storage.read_only);
        content.set_immutable_tags(&config.immutable_tags);
        content.set_quotas(config.quotas.as_ref());
        let with_metrics = config.http.debug.as_ref().is_some_and(|debug| debug.metrics.is_some());
        if with_metrics {
            content.count_actions();
        }
        Ok(Self {
            api,
            content,
            events,
            access: Arc::new(AccessLog::start(&config.log)?),
            counters: Arc::new(Counters::start(with_metrics)),
            tls,
            health,
            checks: watch::Sender::new(config.health.clone()),
            purging: watch::Sender::new(config.storage.upload_purging),
            phase: watch::Sender::new(Phase::Serving),
            running: Mutex::new(config.clone()),
        })
    }

    /// Goes on to a phase; there is no way back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let is_later = phase > *current;
            *current = phase.max(*current);
            is_later
        });
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Waits for a phase, or one after it.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender is alive as long as this.
        let _ = self.phase.subscribe().wait_for(|current| *current >= phase).await;
    }

    pub(crate) fn purging(&self) -> watch::Receiver<UploadPurging> {
        self.purging.subscribe()
    }

    pub(crate) fn checks(&self) -> watch::Receiver<config::Health> {
        self.checks.subscribe()
    }

    /// `http.draintimeout`.
    pub(crate) fn drain_timeout(&self) -> Duration {
        self.running().http.drain_timeout
    }

    /// It is replaced as a whole, so a thread that panicked has left it as it was.
    fn running(&self) -> MutexGuard<'_, Config> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether the registry takes no writes.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.shared.content.is_read_only()
    }

    /// What Redis was told of deletes; none where nobody tells it.
    pub(crate) fn redis(&self) -> Option<Numbers> {
        self.shared.content.redis().map(Redis::numbers)
    }

    /// Whether the server has been told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// Switches to read-only, or back; of several switches, and a reload that changes the setting, the last one
    /// counts.
    ///
    /// When this returns, every write that begins is refused with 405; those that began before go on, and are
    /// acknowledged. Pulls notice nothing, and no upload is purged.
    pub fn set_read_only(&self, read_only: bool) -> Switched {
        self.shared.content.have_writes_wait(false);
        self.switch_to(read_only)
    }

    /// Switches to read-only for some seconds: every write that begins meanwhile waits up to 10 s for the way back, and
    /// then gets 503.
    pub fn set_read_only_briefly(&self) -> Switched {
        self.shared.content.have_writes_wait(true);
        self.switch_to(true)
    }

    fn switch_to(&self, read_only: bool) -> Switched {
        // A reload compares with what runs.
        self.shared.running().storage.read_only = read_only;
        self.switch(read_only)
    }

    fn switch(&self, read_only: bool) -> Switched {
        let content = self.shared.content.clone();
        let was_read_only = content.set_read_only(read_only);
        if was_read_only != read_only {
            tracing::info!(readonly = read_only, "read-only is switched");
            // Meanwhile a collection may have taken what nobody has told of.
            if let Some(redis) = content.redis().filter(|_| was_read_only) {
                redis.forget_all();
            }
        }
        Switched { content, was_read_only }
    }

    /// Takes over what a configuration changes and can change now, and says what has to wait for a restart.
    ///
    /// It is compared with the one that runs, key by key, switches by [`Control::set_read_only`] included: what the
    /// configuration says of read-only is so afterwards. One after the other become valid: what shapes
    /// answers (each request has all of the old settings or all of the new ones), the log, purging, read-only. None
    /// of these steps can fail. What needs a restart is left as it runs, and listed again by the next reload.
    pub fn reload(&self, config: &Config) -> Reloaded {
        let shared = &self.shared;
        let mut running = shared.running();
        let mut next = running.clone();
        let reloaded = compare::take_over(&mut next, config);
        shared.api.reconfigure(&next);
        shared.events.reconfigure(&next.notifications);
        shared.content.set_immutable_tags(&next.immutable_tags);
        shared.content.set_quotas(next.quotas.as_ref());
        if reloaded.has_applied("log.level") {
            log::set_level(next.log.level);
        }
        shared.access.switch(&next.log);
        replace(&shared.purging, &next.storage.upload_purging);
        replace(&shared.checks, &next.health);
        if reloaded.has_applied("storage.maintenance.readonly.enabled") {
            self.switch(next.storage.read_only);
        }
        *running = next;
        reloaded
    }

    /// Looks for a new certificate now; without this it is found by the next connection.
    pub(crate) async fn refresh(&self) {
        if let Some(tls) = &self.shared.tls {
            tls.refresh().await;
        }
    }

    /// The numbers of this moment.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let content = &self.shared.content;
        self.shared.counters.read(content.writes_in_flight(), content.leases())
    }

    /// What each endpoint of `notifications` has been told, and what waits for it.
    #[must_use]
    pub fn events(&self) -> Vec<EndpointStatistics> {
        self.shared.events.statistics()
    }

    /// Has events that were given up delivered after all, or forgotten; says how many.
    ///
    /// # Errors
    /// There is no such endpoint, or this process does not deliver to it, or its files cannot be used.
    pub async fn command_events(&self, endpoint: &str, wish: Wish) -> Result<u64, CommandError> {
        self.shared.events.command(endpoint, wish).await
    }

    /// How far quotas are used.
    #[must_use]
    pub fn quotas(&self) -> Vec<Fill> {
        self.shared.content.quotas()
    }

    /// Makes changes to tags; the answers stand in their order.
    pub(crate) async fn change(&self, changes: Vec<Change>) -> Result<Vec<Changed>, ChangesError> {
        changes::apply(&self.shared.content, &self.shared.events, changes).await
    }

    /// Makes repairs of the store with this identity; the answers stand in their order.
    pub(crate) async fn mend(
        &self,
        store: Option<&str>,
        repairs: Vec<Mend>,
    ) -> Result<Vec<Mended>, MenderError> {
        let content = &self.shared.content;
        if store.is_some_and(|store| content.identity().as_deref() != Some(store)) {
            return Err(MenderError::Elsewhere);
        }
        verify::mend(content, repairs).await.ok_or(MenderError::ReadOnly)
    }

    /// Looks at a tag and all that it names as a client would; with `read` every byte is read and hashed.
    pub(crate) async fn pull(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        read: bool,
    ) -> Result<Pulled, NotPulled> {
        pull::pull(&self.shared.content, repository, tag, read).await
    }

    /// Begins to write down what is changed; what was changed before is seen by whoever looks from now on.
    pub(crate) async fn begin_journal(&self, run: String) {
        self.shared.content.begin_journal(run).await;
    }

    /// A part of what was changed since a run has begun to have it written down; none if that is not known.
    pub(crate) async fn read_journal(&self, run: &str, from: usize) -> Option<Page> {
        let page = self.shared.content.read_journal(run, from).await?;
        let (mut items, mut parts) = (Vec::new(), Vec::new());
        for thing in page.things {
            match thing {
                Thing::Object(item) => items.push(item),
                Thing::Folder(name, part) => parts.push((name, part)),
            }
        }
        Some(Page::new((items.iter(), parts.iter()), page.is_complete, page.next))
    }

    pub(crate) fn end_journal(&self, run: &str) {
        self.shared.content.end_journal(run);
    }

    /// Begins a collection beside the registry.
    pub(crate) async fn begin_collection(&self, wanted: &Wanted) -> Result<Collection, NotBegun> {
        self.shared.content.begin_collection(&wanted.store, &wanted.place).await
    }

    /// The health checks that fail, and why; the registry is in service when there is none.
    #[must_use]
    pub fn failing_checks(&self) -> BTreeMap<String, String> {
        self.shared.health.failing()
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(&self) {
        self.shared.reached(Phase::Ended).await;
    }
}

/// Tells those who wait only of what is new to them.
fn replace<T: Clone + PartialEq>(current: &watch::Sender<T>, new: &T) {
    current.send_if_modified(|current| {
        let is_new = current != new;
        current.clone_from(new);
        is_new
    });
}

impl Switched {
    /// What the registry was before.
    #[must_use]
    pub fn was_read_only(&self) -> bool {
        self.was_read_only
    }

    /// Waits until the last write that began before the switch has ended.
    ///
    /// From then on nothing in this process changes the storage, until it is switched back.
    ///
    /// # Errors
    /// Writes are still under way after `patience`, or the registry takes writes.
    pub async fn quiet(&self, patience: Duration) -> Result<(), NotQuiet> {
        match timeout(patience, self.content.quiet()).await {
            Ok(Quiet::Reached) => Ok(()),
            Ok(Quiet::SwitchedBack) => Err(NotQuiet::Writable),
            Err(_) => Err(NotQuiet::Writing { writes: self.content.writes_in_flight() }),
        }
    }
}
