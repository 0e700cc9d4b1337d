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

use crate::content::Held;

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
}

/// The numbers, as they change.
#[derive(Debug)]
pub(crate) struct Counters {
    started_at: SystemTime,
    started: Instant,
    connections: Gauge,
    requests: Gauge,
    received: AtomicU64,
    sent: AtomicU64,
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
pub(crate) struct OpenRequest(Arc<Counters>);

impl Counters {
    pub(crate) fn start() -> Self {
        Self {
            started_at: SystemTime::now(),
            started: Instant::now(),
            connections: Gauge::default(),
            requests: Gauge::default(),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
        }
    }

    pub(crate) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.begin();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn request(self: &Arc<Self>) -> OpenRequest {
        self.requests.begin();
        OpenRequest(Arc::clone(self))
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
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
        self.0.requests.end();
    }
}

/// What somebody else sends of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandedOver {
    pub(crate) bytes: u64,
}
