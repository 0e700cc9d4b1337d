//! One who is told: what it wants to hear, its queue, and its numbers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::{
    event::Happened,
    queue::{Lost, Queue},
    worker::Command,
};
use crate::config::{self, EventFormat};

/// What an endpoint goes by; a reload replaces it as one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: config::Endpoint,
    pub(super) format: EventFormat,
    pub(super) queue: config::Queue,
}

/// An endpoint, shared by the requests that have something to tell and the worker who tells it.
#[derive(Debug)]
pub(super) struct Endpoint {
    settings: RwLock<Arc<Settings>>,
    pub(super) queue: Queue,
    /// There is something in the queue, or to do otherwise.
    pub(super) woken: Notify,
    /// There is something for the disk to take.
    pub(super) appended: Notify,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) numbers: Numbers,
}

/// What came of it so far.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) delivered: AtomicU64,
    queued: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) given_up: AtomicU64,
    lost: AtomicU64,
    /// Whether the last event had no place in the queue.
    is_losing: AtomicBool,
    pub(super) is_delivering: AtomicBool,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    statuses: BTreeMap<u16, u64>,
    /// None since the last success.
    trouble: Option<String>,
}

/// What an endpoint has been told, and has not.
#[derive(Clone, Debug)]
pub struct EndpointStatistics {
    /// Its name.
    pub name: String,
    /// Where it is, without what may be secret.
    pub url: String,
    /// Whether what waits survives the process.
    pub is_durable: bool,
    /// Whether this process delivers; the one that is being replaced may still do so.
    pub is_delivering: bool,
    /// Events that wait.
    pub pending: u64,
    /// What they take.
    pub pending_bytes: u64,
    /// Events that were given up and are kept.
    pub dead: u64,
    /// Events that were put into the queue by this process.
    pub queued: u64,
    /// Events that were delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// Events that had no place to wait.
    pub lost: u64,
    /// How often it answered with which status.
    pub statuses: BTreeMap<u16, u64>,
    /// Why the last attempt failed; none after a success.
    pub trouble: Option<String>,
}

impl Endpoint {
    pub(super) fn new(settings: Settings, queue: Queue, commands: mpsc::Sender<Command>) -> Self {
        Self {
            settings: RwLock::new(Arc::new(settings)),
            queue,
            woken: Notify::new(),
            appended: Notify::new(),
            commands,
            numbers: Numbers::default(),
        }
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other settings; a pause ends, since they may be what was wrong.
    pub(super) fn reconfigure(&self, settings: Settings) {
        if *self.settings() != settings {
            *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
            self.woken.notify_one();
        }
    }

    /// Whether it wants to be told.
    pub(super) fn wants(&self, happened: &Happened) -> bool {
        let Settings { endpoint, .. } = &*self.settings();
        let is_ignored = |media_type| endpoint.ignored_media_types.contains(media_type);
        !endpoint.ignored_actions.contains(&happened.action)
            && !happened.media_type().is_some_and(is_ignored)
    }

    /// Puts an event into the queue. What finds no place there is counted, and said once.
    pub(super) fn push(&self, line: &Bytes) {
        let numbers = &self.numbers;
        match self.queue.push(line) {
            Ok(()) => {
                numbers.queued.fetch_add(1, Ordering::Relaxed);
                if numbers.is_losing.swap(false, Ordering::Relaxed) {
                    let (name, lost) = (self.name(), numbers.lost.load(Ordering::Relaxed));
                    tracing::warn!(endpoint = name, lost, "events wait again");
                }
                self.woken.notify_one();
                self.appended.notify_one();
            }
            Err(error) => {
                numbers.lost.fetch_add(1, Ordering::Relaxed);
                if !numbers.is_losing.swap(true, Ordering::Relaxed) {
                    self.say_lost(&error);
                }
            }
        }
    }

    fn say_lost(&self, error: &Lost) {
        let pending = self.queue.size().events;
        tracing::error!(endpoint = self.name(), pending, %error, "events are lost from now on");
    }

    pub(super) fn name(&self) -> String {
        self.settings().endpoint.name.to_string()
    }

    pub(super) fn statistics(&self) -> EndpointStatistics {
        let Settings { endpoint, .. } = &*self.settings();
        let (size, numbers) = (self.queue.size(), &self.numbers);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let answers = numbers.answers();
        EndpointStatistics {
            name: endpoint.name.to_string(),
            url: endpoint.url.to_string(),
            is_durable: self.queue.is_durable(),
            is_delivering: numbers.is_delivering.load(Ordering::Relaxed),
            pending: size.events,
            pending_bytes: size.bytes,
            dead: self.queue.dead(),
            queued: count(&numbers.queued),
            delivered: count(&numbers.delivered),
            failures: count(&numbers.failures),
            given_up: count(&numbers.given_up),
            lost: count(&numbers.lost),
            statuses: answers.statuses.clone(),
            trouble: answers.trouble.clone(),
        }
    }
}

impl Numbers {
    /// Counts an answer.
    pub(super) fn answered(&self, status: u16) {
        *self.answers().statuses.entry(status).or_default() += 1;
    }

    /// Notes why an attempt failed, or that one did not.
    pub(super) fn note(&self, trouble: Option<String>) {
        self.answers().trouble = trouble;
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        // A map and a text are whole between two calls.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
