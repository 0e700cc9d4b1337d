//! Notifications: others are told what is pushed, pulled, mounted and deleted.
//!
//! A request that did something asks for a [`Witness`] and has it tell. An event is in the queue of each endpoint that
//! wants it before the request is answered: with `regctl.notifications.folder` it survives this process from then on, and a power
//! failure a tenth of a second later. Nothing else of delivery touches a request: each endpoint has a worker and a queue of
//! its own, and one that is away, slow or refusing holds up its own events only. Every event is delivered at least once, in the
//! order of its endpoint's queue, unless it is given up, which says so.

mod endpoint;
mod event;
mod post;
mod queue;
mod retry;
mod worker;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::request::Parts;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    auth::User,
    config::{Config, Notifications},
};
pub use endpoint::EndpointStatistics;
use endpoint::{Endpoint, Settings};
pub(crate) use event::{Happened, ManifestFacts, Peer, What};
use event::{RequestRecord, Source};
use queue::Queue;
use worker::Command;
pub use worker::{CommandError, Wish};

/// How long a stopping process goes on delivering what would be gone with it.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// Wishes that wait for their turn; more of them wait to be heard.
const COMMANDS: usize = 16;

/// How long somebody waits for what is to become of events: files that are sick may never answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event that is longer would not be read back.
const LONGEST: usize = 8 * 1024 * 1024;

/// Everybody who is told. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    current: RwLock<Arc<Current>>,
    workers: Mutex<Workers>,
}

/// What requests that begin now go by.
#[derive(Debug)]
struct Current {
    include_references: bool,
    endpoints: Vec<Arc<Endpoint>>,
}

/// The tasks of each endpoint, by its place in [`Current`].
#[derive(Debug, Default)]
struct Workers {
    is_started: bool,
    waiting: Vec<(Arc<Endpoint>, mpsc::Receiver<Command>)>,
    running: Vec<(Arc<Endpoint>, [AbortHandle; 2])>,
}

/// What tells of one request.
#[derive(Clone)]
pub(crate) struct Witness {
    source: Arc<Shared>,
    current: Arc<Current>,
    request: RequestRecord,
    user: Option<User>,
    base: String,
}

/// Why events cannot wait where they should.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the queue of events for `{endpoint}` in `{}`", folder.display())]
pub struct QueueError {
    /// Whose queue it is.
    pub endpoint: String,
    /// Where it should be.
    pub folder: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Events {
    /// Opens the queues; nothing is delivered yet.
    pub(crate) fn open(config: &Config) -> Result<Self, QueueError> {
        let Notifications { include_references, .. } = config.notifications;
        let shared = Shared {
            source: Source::this_process(&config.http.address),
            current: RwLock::new(Arc::new(Current { include_references, endpoints: Vec::new() })),
            workers: Mutex::default(),
        };
        let events = Self { shared: Arc::new(shared) };
        let mut endpoints = Vec::new();
        for settings in settings(&config.notifications) {
            let queue = Queue::open(&settings.queue, &settings.endpoint.name);
            let queue = queue.map_err(|source| QueueError {
                endpoint: settings.endpoint.name.to_string(),
                folder: settings.queue.folder.clone().unwrap_or_default(),
                source,
            })?;
            endpoints.push(events.add(settings, queue));
        }
        events.replace(Current { include_references, endpoints });
        Ok(events)
    }

    /// Begins to deliver, on the runtime that this is called in.
    pub(crate) fn start(&self) {
        let mut workers = self.workers();
        workers.is_started = true;
        workers.start();
    }

    /// Whether anybody is told of anything.
    pub(crate) fn is_on(&self) -> bool {
        !self.current().endpoints.is_empty()
    }

    /// What tells of a request; none if nobody wants to know. `base` is what stands before names in URLs.
    pub(crate) fn witness(
        &self,
        parts: &Parts,
        user: Option<&User>,
        base: impl FnOnce() -> String,
    ) -> Option<Witness> {
        let current = self.current();
        if current.endpoints.is_empty() {
            return None;
        }
        Some(Witness {
            source: Arc::clone(&self.shared),
            current,
            request: RequestRecord::of(parts),
            user: user.cloned(),
            base: base(),
        })
    }

    /// What tells of the work of an administrator's tool; none if nobody wants to know.
    pub(crate) fn witness_of_tool(&self, name: &str, method: &str) -> Option<Witness> {
        let current = self.current();
        let is_wanted = !current.endpoints.is_empty();
        is_wanted.then(|| Witness {
            source: Arc::clone(&self.shared),
            current,
            request: RequestRecord::of_tool(name, method),
            user: None,
            base: String::new(),
        })
    }

    /// Takes over other endpoints, and other settings of the same ones; what waits for one that is gone stays on disk.
    ///
    /// The folder stays as it is until a restart, which is the caller's to see to.
    pub(crate) fn reconfigure(&self, notifications: &Notifications) {
        let before = self.current();
        let mut endpoints = Vec::new();
        for settings in settings(notifications) {
            let name = settings.endpoint.name.to_string();
            match before.endpoints.iter().find(|endpoint| endpoint.name() == name) {
                Some(endpoint) => {
                    endpoint.reconfigure(settings);
                    endpoints.push(Arc::clone(endpoint));
                }
                None => endpoints.push(self.add_or_keep_in_memory(settings)),
            }
        }
        let include_references = notifications.include_references;
        self.replace(Current { include_references, endpoints });
        let current = self.current();
        let mut workers = self.workers();
        workers.end(|endpoint| !current.endpoints.iter().any(|kept| Arc::ptr_eq(kept, endpoint)));
        if workers.is_started {
            workers.start();
        }
    }

    /// Does something to the events of an endpoint, and says to how many.
    pub(crate) async fn command(&self, name: &str, what: Wish) -> Result<u64, CommandError> {
        let current = self.current();
        let Some(endpoint) = current.endpoints.iter().find(|endpoint| endpoint.name() == name)
        else {
            let known = current.endpoints.iter().map(|endpoint| endpoint.name()).collect();
            return Err(CommandError::Unknown { name: name.to_owned(), known });
        };
        let ended = || CommandError::Ended(name.to_owned());
        let (answer, answered) = oneshot::channel();
        let obeyed = timeout(PATIENCE, async {
            let sent = endpoint.commands.send(Command { what, answer }).await;
            sent.map_err(|_| ended())?;
            answered.await.map_err(|_| ended())?
        });
        obeyed.await.unwrap_or_else(|_| Err(CommandError::Busy(name.to_owned())))
    }

    /// The numbers of each endpoint.
    pub(crate) fn statistics(&self) -> Vec<EndpointStatistics> {
        self.current().endpoints.iter().map(|endpoint| endpoint.statistics()).collect()
    }

    /// Ends delivering, when no request can tell anything any more. What waits on disk is the next process's.
    pub(crate) async fn close(&self) {
        let current = self.current();
        let end = Instant::now() + LAST_EVENTS;
        let is_pending = || {
            let in_memory = current.endpoints.iter().filter(|it| !it.queue.is_durable());
            in_memory.map(|endpoint| endpoint.queue.size().events).sum::<u64>()
        };
        while is_pending() > 0 && Instant::now() < end {
            sleep(Duration::from_millis(20)).await;
        }
        if is_pending() > 0 {
            tracing::error!(events = is_pending(), "events are lost: they were in memory");
        }
        self.workers().end(|_| true);
        for endpoint in &current.endpoints {
            let endpoint = Arc::clone(endpoint);
            let ended = tokio::task::spawn_blocking(move || {
                let synced = endpoint.queue.sync();
                endpoint.queue.close();
                synced.map_err(|error| (endpoint.name(), error))
            });
            if let Ok(Err((endpoint, error))) = ended.await {
                tracing::error!(endpoint, %error, "events are not safe on disk");
            }
        }
    }

    fn add(&self, settings: Settings, queue: Queue) -> Arc<Endpoint> {
        let (commands, obeyed) = mpsc::channel(COMMANDS);
        let endpoint = Arc::new(Endpoint::new(settings, queue, commands));
        self.workers().waiting.push((Arc::clone(&endpoint), obeyed));
        endpoint
    }

    /// A registry that serves goes on, whatever a reload brings.
    fn add_or_keep_in_memory(&self, settings: Settings) -> Arc<Endpoint> {
        let queue = Queue::open(&settings.queue, &settings.endpoint.name).unwrap_or_else(|error| {
            let endpoint = &settings.endpoint.name;
            tracing::error!(%endpoint, %error, "its events wait in memory: its queue cannot be opened");
            Queue::in_memory(&settings.queue)
        });
        self.add(settings, queue)
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, current: Current) {
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        // Lists of handles: whoever panicked, they are handles.
        self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers {
    fn start(&mut self) {
        for (endpoint, commands) in self.waiting.drain(..) {
            let delivering = tokio::spawn(worker::deliver(Arc::clone(&endpoint), commands));
            let syncing = tokio::spawn(worker::sync(Arc::clone(&endpoint)));
            self.running.push((endpoint, [delivering, syncing].map(|task| task.abort_handle())));
        }
    }

    /// Ends the work for some endpoints.
    fn end(&mut self, is_ended: impl Fn(&Arc<Endpoint>) -> bool) {
        self.waiting.retain(|(endpoint, _)| !is_ended(endpoint));
        self.running.retain(|(endpoint, tasks)| {
            let is_ended = is_ended(endpoint);
            if is_ended {
                tasks.iter().for_each(AbortHandle::abort);
                // Requests that have begun may still tell it: what they say waits for another process.
                endpoint.numbers.is_delivering.store(false, std::sync::atomic::Ordering::Relaxed);
            }
            !is_ended
        });
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end(|_| true);
    }
}

impl Witness {
    /// Whether somebody wants to know what manifests refer to.
    pub(crate) fn wants_references(&self) -> bool {
        self.current.include_references
    }

    /// Puts an event into the queue of everybody who wants it.
    pub(crate) fn tell(&self, happened: &Happened) {
        let mut line = None;
        for endpoint in self.current.endpoints.iter().filter(|it| it.wants(happened)) {
            endpoint.push(line.get_or_insert_with(|| self.line(happened)));
        }
    }

    fn line(&self, happened: &Happened) -> bytes::Bytes {
        let source = &self.source.source;
        let mut json = happened.to_json(&self.base, &self.request, self.user.as_ref(), source);
        if let (What::Manifest(facts), true) = (&happened.what, json.len() > LONGEST) {
            // References with whole documents in their annotations: the event matters more.
            let facts = ManifestFacts { references: Vec::new(), ..facts.clone() };
            let happened = Happened { what: What::Manifest(facts), ..happened.clone() };
            json = happened.to_json(&self.base, &self.request, self.user.as_ref(), source);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        queue::write(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), &json)
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("request", &self.request).finish_non_exhaustive()
    }
}

fn settings(notifications: &Notifications) -> impl Iterator<Item = Settings> {
    let Notifications { format, endpoints, queue, .. } = notifications;
    endpoints.iter().map(|endpoint| Settings {
        endpoint: endpoint.clone(),
        format: *format,
        queue: queue.clone(),
    })
}
