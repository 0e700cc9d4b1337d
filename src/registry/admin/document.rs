//! What is said over the admin socket, as it is written.

use std::{collections::BTreeMap, process};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    control::{Control, Pulled, Reloaded},
    events::{EndpointStatistics, Wish},
    quota::Fill,
};

/// Of all answers here.
const SCHEMA: u32 = 1;

/// `GET /v1/status`.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    schema: u32,
    version: &'static str,
    pid: u32,
    started_at: String,
    uptime_seconds: u64,
    read_only: bool,
    draining: bool,
    writes_in_flight: u64,
    unhealthy: BTreeMap<String, String>,
    connections: Connections,
    requests: Requests,
    leases: Leases,
    bytes: Bytes,
    quotas: Vec<Fill>,
}

#[derive(Debug, Serialize)]
struct Connections {
    open: u64,
    accepted: u64,
}

#[derive(Debug, Serialize)]
struct Requests {
    in_flight: u64,
    served: u64,
}

#[derive(Debug, Serialize)]
struct Leases {
    digests: u64,
    full: bool,
    complete: bool,
}

#[derive(Debug, Serialize)]
struct Bytes {
    received: u64,
    sent: u64,
    sent_of_files: u64,
}

/// What `PUT /v1/read-only` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    pub(super) enabled: bool,
    pub(super) wait_quiet: Option<String>,
    #[serde(default)]
    pub(super) brief: bool,
}

/// What `PUT /v1/read-only` answers.
#[derive(Debug, Serialize)]
pub(super) struct ReadOnly {
    schema: u32,
    read_only: bool,
    was: bool,
    quiet: bool,
    writes_in_flight: u64,
}

/// What `POST /v1/pull` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pull {
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) read: bool,
}

/// What `POST /v1/pull` answers.
#[derive(Debug, Serialize)]
pub(super) struct PullAnswer {
    schema: u32,
    digest: String,
    blobs: u64,
    bytes: u64,
}

/// `POST /v1/reload`.
#[derive(Debug, Serialize)]
pub(super) struct Reload {
    schema: u32,
    applied: Vec<&'static str>,
    needs_restart: Vec<&'static str>,
}

/// `GET /v1/events`.
#[derive(Debug, Serialize)]
pub(super) struct Events {
    schema: u32,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    name: String,
    url: String,
    durable: bool,
    delivering: bool,
    pending: u64,
    pending_bytes: u64,
    dead: u64,
    delivered: u64,
    failures: u64,
    given_up: u64,
    lost: u64,
    statuses: BTreeMap<u16, u64>,
    trouble: Option<String>,
}

/// What `POST /v1/events` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) endpoint: String,
    wish: WishName,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WishName {
    Replay,
    ForgetDead,
    ForgetPending,
}

/// What `POST /v1/events` answers.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    schema: u32,
    events: u64,
}

/// Any answer that is an error.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    schema: u32,
    error: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl Status {
    pub(super) fn of(control: &Control) -> Self {
        let now = control.statistics();
        let started_at = OffsetDateTime::from(now.started_at).replace_nanosecond(0).ok();
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            pid: process::id(),
            // A year past 9999 is the only one that has no such text.
            started_at: started_at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default(),
            uptime_seconds: now.uptime.as_secs(),
            read_only: control.is_read_only(),
            draining: control.is_draining(),
            writes_in_flight: now.writes_in_flight,
            unhealthy: control.failing_checks(),
            connections: Connections {
                open: now.connections_open,
                accepted: now.connections_accepted,
            },
            requests: Requests { in_flight: now.requests_in_flight, served: now.requests_served },
            leases: Leases {
                digests: now.digests_leased,
                full: now.leases_full,
                complete: now.leases_complete,
            },
            bytes: Bytes {
                received: now.bytes_received,
                sent: now.bytes_sent,
                sent_of_files: now.bytes_sent_of_files,
            },
            quotas: control.quotas(),
        }
    }
}

impl ReadOnly {
    /// After a switch: what was before it, and what is now.
    pub(super) fn of(control: &Control, was: bool) -> Self {
        let read_only = control.is_read_only();
        let writes_in_flight = control.statistics().writes_in_flight;
        let quiet = read_only && writes_in_flight == 0;
        Self { schema: SCHEMA, read_only, was, quiet, writes_in_flight }
    }
}

impl From<Pulled> for PullAnswer {
    fn from(Pulled { digest, blobs, bytes }: Pulled) -> Self {
        Self { schema: SCHEMA, digest: digest.to_string(), blobs, bytes }
    }
}

impl Events {
    pub(super) fn of(control: &Control) -> Self {
        let endpoints = control.events().into_iter().map(Endpoint::from).collect();
        Self { schema: SCHEMA, endpoints }
    }
}

impl From<EndpointStatistics> for Endpoint {
    fn from(of: EndpointStatistics) -> Self {
        Self {
            name: of.name,
            url: of.url,
            durable: of.is_durable,
            delivering: of.is_delivering,
            pending: of.pending,
            pending_bytes: of.pending_bytes,
            dead: of.dead,
            delivered: of.delivered,
            failures: of.failures,
            given_up: of.given_up,
            lost: of.lost,
            statuses: of.statuses,
            trouble: of.trouble,
        }
    }
}

impl Wanted {
    pub(super) fn wish(&self) -> Wish {
        match self.wish {
            WishName::Replay => Wish::Replay,
            WishName::ForgetDead => Wish::ForgetDead,
            WishName::ForgetPending => Wish::ForgetPending,
        }
    }
}

impl Done {
    pub(super) fn to(events: u64) -> Self {
        Self { schema: SCHEMA, events }
    }
}

impl From<Reloaded> for Reload {
    fn from(Reloaded { applied, needs_restart }: Reloaded) -> Self {
        Self { schema: SCHEMA, applied, needs_restart }
    }
}

impl Failed {
    pub(super) fn because(error: impl Into<String>) -> Self {
        Self { schema: SCHEMA, error: error.into(), problems: Vec::new() }
    }

    pub(super) fn with_problems(mut self, problems: Vec<String>) -> Self {
        self.problems = problems;
        self
    }
}
