//! What Prometheus is told of requests, storage and cache, under the names that Distribution gives it.
//!
//! There is no `registry_storage_cache_*`: nothing is cached that a stat does not answer as fast, and a zero would
//! say that a cache misses.
//!
//! Requests are counted in shards, one for a thread or a few, by relaxed atomics: who counts waits for nobody. Who reads
//! adds the shards up. Nothing is counted unless somebody may ask.

mod actions;
mod collections;
mod histogram;
mod pulls;
mod text;

use std::{
    array,
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use http::{Method, StatusCode};

pub(crate) use actions::{Action, Actions};
pub(crate) use collections::{Collections, Outcome};
use histogram::{BYTES, Counted, Histogram, NANOSECONDS};
pub(crate) use pulls::{Kept, Pulls};
pub(crate) use text::Page;

/// More threads than that share shards.
const SHARDS: usize = 16;

/// The statuses that are counted by themselves; others are counted as one.
const STATUSES: [u16; 21] = [
    200, 201, 202, 204, 206, 301, 304, 307, 400, 401, 403, 404, 405, 408, 413, 416, 429, 500, 502,
    503, 507,
];

/// The methods, as labels; the last one stands for all others.
const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "other"];

/// A resource, under Distribution's name for what handles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Handler {
    Base,
    Blob,
    BlobUpload,
    BlobUploadChunk,
    Catalog,
    Manifest,
    Tags,
    /// Which Distribution has not.
    Referrers,
    /// What Distribution does not count.
    Other,
}

impl Handler {
    const ALL: [Self; 9] = [
        Self::Base,
        Self::Blob,
        Self::BlobUpload,
        Self::BlobUploadChunk,
        Self::Catalog,
        Self::Manifest,
        Self::Tags,
        Self::Referrers,
        Self::Other,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Blob => "blob",
            Self::BlobUpload => "blob_upload",
            Self::BlobUploadChunk => "blob_upload_chunk",
            Self::Catalog => "catalog",
            Self::Manifest => "manifest",
            Self::Tags => "tags",
            Self::Referrers => "referrers",
            Self::Other => "other",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// A request that has been answered completely, or whose client has gone.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) handler: Handler,
    pub(crate) method: usize,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
    /// The body's length, as far as the request said it.
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// All requests.
#[derive(Debug)]
pub(crate) struct Requests {
    shards: Box<[Shard]>,
}

/// Aligned to what processors exchange at once, so that shards do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    handlers: [OfHandler; Handler::ALL.len()],
}

#[derive(Debug, Default)]
struct OfHandler {
    /// A request may end in another shard than it began in: only the sum means anything.
    in_flight: AtomicI64,
    received: Histogram<{ BYTES.len() }>,
    sent: Histogram<{ BYTES.len() }>,
    methods: [OfMethod; METHODS.len()],
}

#[derive(Debug)]
struct OfMethod {
    took: Histogram<{ NANOSECONDS.len() }>,
    statuses: [AtomicU64; STATUSES.len() + 1],
}

impl Default for OfMethod {
    fn default() -> Self {
        Self { took: Histogram::default(), statuses: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

/// The number of a method in what is counted.
pub(crate) fn method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        _ => METHODS.len() - 1,
    }
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Counts a request whose resource is known.
    pub(crate) fn begin(&self, handler: Handler) {
        let shard = &self.shards[own_shard()].handlers[handler.index()];
        shard.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of a request that has begun.
    pub(crate) fn end(&self, done: &Done) {
        let shard = &self.shards[own_shard()].handlers[done.handler.index()];
        shard.in_flight.fetch_sub(1, Ordering::Relaxed);
        shard.received.count(&BYTES, done.received);
        shard.sent.count(&BYTES, done.sent);
        let method = &shard.methods[done.method];
        let took = u64::try_from(done.took.as_nanos()).unwrap_or(u64::MAX);
        method.took.count(&NANOSECONDS, took);
        let code = done.status.as_u16();
        let status = STATUSES.iter().position(|known| *known == code).unwrap_or(STATUSES.len());
        method.statuses[status].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what was counted.
    pub(crate) fn write(&self, page: &mut Page) {
        page.family("registry_http_in_flight_requests", "gauge", "The in-flight HTTP requests");
        for handler in Handler::ALL {
            let sum: i64 = self.of(handler).map(|of| of.in_flight.load(Ordering::Relaxed)).sum();
            page.sample("", &[("handler", handler.label())], sum.max(0));
        }
        self.write_durations(page);
        self.write_statuses(page);
        let name = "registry_http_request_size_bytes";
        self.write_sizes(page, name, "The HTTP request sizes in bytes.", |of| &of.received);
        let name = "registry_http_response_size_bytes";
        self.write_sizes(page, name, "The HTTP response sizes in bytes.", |of| &of.sent);
    }

    fn of(&self, handler: Handler) -> impl Iterator<Item = &OfHandler> {
        self.shards.iter().map(move |shard| &shard.handlers[handler.index()])
    }

    fn write_durations(&self, page: &mut Page) {
        let name = "registry_http_request_duration_seconds";
        page.family(name, "histogram", "The HTTP request latencies in seconds.");
        for (handler, method, label) in methods() {
            let mut counted = Counted::default();
            self.of(handler).for_each(|of| of.methods[method].took.add_to(&mut counted));
            if counted.all > 0 {
                let labels = [("handler", handler.label()), ("method", label)];
                page.histogram(&labels, &NANOSECONDS, &counted, 1e9);
            }
        }
    }

    fn write_statuses(&self, page: &mut Page) {
        let name = "registry_http_requests_total";
        page.family(name, "counter", "Total number of HTTP requests made.");
        for (handler, method, label) in methods() {
            for status in 0..=STATUSES.len() {
                let counts = self.of(handler).map(|of| &of.methods[method].statuses[status]);
                let sum: u64 = counts.map(|count| count.load(Ordering::Relaxed)).sum();
                if sum > 0 {
                    let code = STATUSES.get(status).map(u16::to_string);
                    let code = code.as_deref().unwrap_or("other");
                    let labels = [("code", code), ("handler", handler.label()), ("method", label)];
                    page.sample("", &labels, sum);
                }
            }
        }
    }

    fn write_sizes(
        &self,
        page: &mut Page,
        name: &str,
        help: &str,
        sizes: fn(&OfHandler) -> &Histogram<{ BYTES.len() }>,
    ) {
        page.family(name, "histogram", help);
        for handler in Handler::ALL {
            let mut counted = Counted::default();
            self.of(handler).for_each(|of| sizes(of).add_to(&mut counted));
            if counted.all > 0 {
                page.histogram(&[("handler", handler.label())], &BYTES, &counted, 1.0);
            }
        }
    }
}

fn methods() -> impl Iterator<Item = (Handler, usize, &'static str)> {
    let of =
        |handler| METHODS.into_iter().enumerate().map(move |(index, name)| (handler, index, name));
    Handler::ALL.into_iter().flat_map(of)
}

/// The shard of this thread.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    OWN.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_all_threads_are_added_up() {
        let requests = Requests::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    requests.begin(Handler::Base);
                    requests.end(&Done {
                        handler: Handler::Base,
                        method: method(&Method::GET),
                        status: StatusCode::OK,
                        took: Duration::from_millis(7),
                        received: 0,
                        sent: 2000,
                    });
                });
            }
        });
        requests.begin(Handler::Blob);
        let mut page = Page::default();
        requests.write(&mut page);
        let text = page.into_text();
        for line in [
            "registry_http_in_flight_requests{handler=\"base\"} 0",
            "registry_http_in_flight_requests{handler=\"blob\"} 1",
            "registry_http_requests_total{code=\"200\",handler=\"base\",method=\"get\"} 4",
            "registry_http_request_duration_seconds_bucket{handler=\"base\",method=\"get\",le=\"0.005\"} 0",
            "registry_http_request_duration_seconds_bucket{handler=\"base\",method=\"get\",le=\"0.01\"} 4",
            "registry_http_request_duration_seconds_bucket{handler=\"base\",method=\"get\",le=\"+Inf\"} 4",
            "registry_http_request_duration_seconds_sum{handler=\"base\",method=\"get\"} 0.028",
            "registry_http_response_size_bytes_bucket{handler=\"base\",le=\"2048\"} 4",
            "registry_http_response_size_bytes_count{handler=\"base\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
    }
}
