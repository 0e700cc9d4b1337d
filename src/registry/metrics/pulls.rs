//! What a cache in front of another registry was asked for, and where it had it from.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::Page;

/// What is kept, by its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    Blob,
    Manifest,
}

/// The numbers of a cache.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    blobs: OfKind,
    manifests: OfKind,
}

#[derive(Debug, Default)]
struct OfKind {
    hits: AtomicU64,
    misses: AtomicU64,
    pulled: AtomicU64,
    pushed: AtomicU64,
}

impl Pulls {
    /// Counts a request for something that is here.
    pub(crate) fn hit(&self, kind: Kept) {
        self.of(kind).hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request for something that had to be asked for.
    pub(crate) fn missed(&self, kind: Kept) {
        self.of(kind).misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was received from the other registry.
    pub(crate) fn pulled(&self, kind: Kept, bytes: u64) {
        self.of(kind).pulled.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts what clients are sent.
    pub(crate) fn pushed(&self, kind: Kept, bytes: u64) {
        self.of(kind).pushed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes the numbers under the names of Distribution 3; 2.8 has them among its variables alone.
    pub(crate) fn write(&self, page: &mut Page) {
        for (name, help, number) in NUMBERS {
            page.family(name, "counter", help);
            page.sample("", &[("type", "blob")], number(&self.blobs));
            page.sample("", &[("type", "manifest")], number(&self.manifests));
        }
    }

    /// The numbers as `/debug/vars` has them.
    pub(crate) fn variables(&self) -> Value {
        json!({ "blobs": self.blobs.variables(), "manifests": self.manifests.variables() })
    }

    fn of(&self, kind: Kept) -> &OfKind {
        match kind {
            Kept::Blob => &self.blobs,
            Kept::Manifest => &self.manifests,
        }
    }
}

/// A number of a kind, with its name and what it is.
type Number = (&'static str, &'static str, fn(&OfKind) -> u64);

const NUMBERS: [Number; 5] = [
    (
        "registry_proxy_requests_total",
        "The number of total incoming proxy request received",
        |of| of.requests(),
    ),
    ("registry_proxy_hits_total", "The number of total proxy request hits", |of| read(&of.hits)),
    ("registry_proxy_misses_total", "The number of total proxy request misses", |of| {
        read(&of.misses)
    }),
    (
        "registry_proxy_pulled_bytes_total",
        "The size of total bytes pulled from the upstream",
        |of| read(&of.pulled),
    ),
    ("registry_proxy_pushed_bytes_total", "The size of total bytes pushed to the client", |of| {
        read(&of.pushed)
    }),
];

impl OfKind {
    fn requests(&self) -> u64 {
        read(&self.hits) + read(&self.misses)
    }

    fn variables(&self) -> Value {
        json!({
            "Requests": self.requests(),
            "Hits": read(&self.hits),
            "Misses": read(&self.misses),
            "BytesPulled": read(&self.pulled),
            "BytesPushed": read(&self.pushed),
        })
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
