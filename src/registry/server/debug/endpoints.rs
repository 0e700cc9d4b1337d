//! The numbers of notifications, as Distribution has them: for each endpoint, of this process.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{events::EndpointStatistics, metrics::Page};

/// What became of events, under Distribution's names.
struct Outcomes {
    /// Those that were put into the queue.
    events: u64,
    successes: u64,
    /// Attempts that were answered with a refusal.
    failures: u64,
    /// Attempts that were not answered.
    errors: u64,
}

impl Outcomes {
    fn of(endpoint: &EndpointStatistics) -> Self {
        let answers: u64 = endpoint.statuses.values().sum();
        let failures = answers.saturating_sub(endpoint.delivered);
        Self {
            events: endpoint.queued,
            successes: endpoint.delivered,
            failures,
            errors: endpoint.failures.saturating_sub(failures),
        }
    }
}

/// `registry.notifications` of `/debug/vars`. Settings are left out: headers are secrets more often than not.
pub(super) fn variables(endpoints: &[EndpointStatistics]) -> Value {
    let endpoints: Vec<_> = endpoints.iter().map(variables_of).collect();
    json!({ "endpoints": endpoints })
}

fn variables_of(endpoint: &EndpointStatistics) -> Value {
    let Outcomes { events, successes, failures, errors } = Outcomes::of(endpoint);
    let statuses: Map<_, _> =
        endpoint.statuses.iter().map(|(code, count)| (status(*code), json!(count))).collect();
    json!({
        "name": endpoint.name,
        "url": endpoint.url,
        "Metrics": {
            "Pending": endpoint.pending,
            "Events": events,
            "Successes": successes,
            "Failures": failures,
            "Errors": errors,
            "Statuses": statuses,
        },
    })
}

/// Writes the numbers for Prometheus; nothing if nobody is told of anything.
pub(super) fn write(page: &mut Page, endpoints: &[EndpointStatistics]) {
    if endpoints.is_empty() {
        return;
    }
    write_events(page, endpoints);
    let help = "The number of status code";
    page.family("registry_notifications_status_total", "counter", help);
    for endpoint in endpoints {
        for (code, count) in &endpoint.statuses {
            let labels = [("code", status(*code)), ("endpoint", endpoint.name.clone())];
            page.sample("", &labels.each_ref().map(|(name, value)| (*name, value.as_str())), count);
        }
    }
    for (name, kind, help, number) in NUMBERS {
        page.family(name, kind, help);
        for endpoint in endpoints {
            page.sample("", &[("endpoint", &endpoint.name)], number(endpoint));
        }
    }
}

fn write_events(page: &mut Page, endpoints: &[EndpointStatistics]) {
    let help = "The number of total events";
    page.family("registry_notifications_events_total", "counter", help);
    for endpoint in endpoints {
        let Outcomes { events, successes, failures, errors } = Outcomes::of(endpoint);
        let all = [
            ("Events", events),
            ("Successes", successes),
            ("Failures", failures),
            ("Errors", errors),
        ];
        for (kind, count) in all {
            page.sample("", &[("endpoint", &endpoint.name), ("type", kind)], count);
        }
    }
}

/// A family, its type, what it is, and where it is.
type Number = (&'static str, &'static str, &'static str, fn(&EndpointStatistics) -> u64);

const NUMBERS: [Number; 5] = [
    (
        "registry_notifications_pending_total",
        "gauge",
        "The gauge of pending events in queue",
        |endpoint| endpoint.pending,
    ),
    (
        "registry_notifications_pending_bytes",
        "gauge",
        "What the events that wait take.",
        |endpoint| endpoint.pending_bytes,
    ),
    (
        "registry_notifications_dead",
        "gauge",
        "Events that were given up, and are kept to be replayed.",
        |endpoint| endpoint.dead,
    ),
    (
        "registry_notifications_given_up_total",
        "counter",
        "Events that were given up.",
        |endpoint| endpoint.given_up,
    ),
    (
        "registry_notifications_lost_total",
        "counter",
        "Events that had no place to wait.",
        |endpoint| endpoint.lost,
    ),
];

/// A status as Go writes it: `200 OK`.
fn status(code: u16) -> String {
    let reason = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
    format!("{code} {}", reason.unwrap_or_default())
}
