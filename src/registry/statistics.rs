//! What a process counts of its work: connections, requests, bytes.
//!
//! Each number is right by itself. Together they are no snapshot: a request may end between two of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use http::{Request, StatusCode, header::CONTENT_LENGTH};

use crate::{
    content::Held,
    metrics::{self, Done, Handler, Requests},
};

/// What a registry has done since it was opened, and does now.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// When it was opened.
    pub started_at: SystemTime,
    /// How long ago that was, whatever was done to the clock since.
    pub uptime: Duration,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were accepted.
    pub connections_accepted: u64,
    /// Requests whose answer has not left completely.
    pub requests_in_flight: u64,
    /// Requests that have ended, in whatever way.
    pub requests_served: u64,
    /// Writes that have begun and not ended, those of clients that have gone away included.
    pub writes_in_flight: u64,
    /// Digests that are promised to be there, and so out of a collector's reach.
    pub digests_leased: u64,
    /// Whether there were too many to tell them apart, so that more than those are.
    pub leases_full: bool,
    /// Whether the process has run for a lease, so that no promise of an earlier one still holds.
    pub leases_complete: bool,
    /// Bytes read from connections, headers included.
    pub bytes_received: u64,
    /// Bytes written to connections, headers included.
    pub bytes_sent: u64,
    /// Those among them that the kernel has sent of files.
    pub bytes_sent_of_files: u64,
}

/// The numbers, as they change.
#[derive(Debug)]
pub(crate) struct Counters {
    started_at: SystemTime,
    started: Instant,
    connections: Gauge,
    requests: Gauge,
    metrics: Option<Requests>,
    received: AtomicU64,
    sent: AtomicU64,
    sent_of_files: AtomicU64,
}

/// How many have begun, and how many have ended.
#[derive(Debug, Default)]
struct Gauge {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A connection, counted until dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<Counters>);

/// A request, counted until dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    counters: Arc<Counters>,
    /// None while nobody may ask for metrics.
    tally: Option<Tally>,
}

/// What metrics are told of a request.
#[derive(Debug)]
struct Tally {
    began: Instant,
    done: Done,
    has_begun: bool,
}

impl Counters {
    /// Counts for metrics too, if somebody may ask for them.
    pub(crate) fn start(with_metrics: bool) -> Self {
        Self {
            started_at: SystemTime::now(),
            started: Instant::now(),
            connections: Gauge::default(),
            requests: Gauge::default(),
            metrics: with_metrics.then(Requests::new),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            sent_of_files: AtomicU64::default(),
        }
    }

    pub(crate) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.begin();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn request<B>(self: &Arc<Self>, request: &Request<B>) -> OpenRequest {
        self.requests.begin();
        let tally = self.metrics.is_some().then(|| Tally::of(request));
        OpenRequest { counters: Arc::clone(self), tally }
    }

    pub(crate) fn metrics(&self) -> Option<&Requests> {
        self.metrics.as_ref()
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent_of_files(&self, bytes: usize) {
        self.sent_of_files.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, writes_in_flight: u64, leases: Held) -> Statistics {
        let (connections_accepted, connections_open, _) = self.connections.read();
        let (_, requests_in_flight, requests_served) = self.requests.read();
        Statistics {
            started_at: self.started_at,
            uptime: self.started.elapsed(),
            connections_open,
            connections_accepted,
            requests_in_flight,
            requests_served,
            writes_in_flight,
            digests_leased: leases.digests as u64,
            leases_full: leases.is_full,
            leases_complete: leases.is_complete,
            bytes_received: self.received.load(Ordering::Relaxed),
            bytes_sent: self.sent.load(Ordering::Relaxed),
            bytes_sent_of_files: self.sent_of_files.load(Ordering::Relaxed),
        }
    }
}

impl Gauge {
    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Release);
    }

    /// How many have begun, are under way, and have ended.
    fn read(&self) -> (u64, u64, u64) {
        // In this order: what has ended is known to have begun.
        let ended = self.ended.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Relaxed);
        (begun, begun.saturating_sub(ended), ended)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.end();
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.counters.requests.end();
        let Some((requests, tally)) = self.counters.metrics.as_ref().zip(self.tally.as_mut())
        else {
            return;
        };
        if tally.has_begun {
            tally.done.took = tally.began.elapsed();
            requests.end(&tally.done);
        }
    }
}

impl Tally {
    fn of<B>(request: &Request<B>) -> Self {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let done = Done {
            handler: Handler::Other,
            method: metrics::method(request.method()),
            status: StatusCode::OK,
            took: Duration::ZERO,
            received: length.and_then(|length| length.parse().ok()).unwrap_or(0),
            sent: 0,
        };
        Self { began: Instant::now(), done, has_begun: false }
    }
}

impl OpenRequest {
    /// Notes what the request is for.
    pub(crate) fn is_for(&mut self, handler: Handler) {
        let Some((requests, tally)) = self.counters.metrics.as_ref().zip(self.tally.as_mut())
        else {
            return;
        };
        if !tally.has_begun {
            tally.has_begun = true;
            tally.done.handler = handler;
            requests.begin(handler);
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        if let Some(tally) = &mut self.tally {
            tally.done.status = status;
        }
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        if let Some(tally) = &mut self.tally {
            tally.done.sent += bytes;
        }
    }
}

/// What somebody else sends of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandedOver {
    pub(crate) bytes: u64,
}
