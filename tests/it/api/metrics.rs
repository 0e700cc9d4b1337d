//! Metrics, beside those of Debian's `docker-registry`: what both have has the same names and labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::fixture::Registry;
use crate::support::{
    Peer, World, free_port,
    http::{Client, sha256},
    receiver::Receiver,
};

/// The families of a page, each with its type and the labels of its samples.
fn families(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::<String, (String, BTreeSet<String>)>::new();
    let mut current = String::new();
    for line in page.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            name.clone_into(&mut current);
            families.insert(current.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let (_, names) = families.get_mut(&current).unwrap();
            let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            names.extend(pairs.map(|(name, _)| name.to_owned()));
        }
    }
    families
}

type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// Uses a registry a little, and reads what it counted as soon as all of this has been.
fn used(port: u16, debug: u16, is_cache: bool, wanted: &[&str]) -> Families {
    let mut client = Client::new(port);
    if is_cache {
        client.get(&format!("/v2/app/blobs/{}", sha256(b"{}"))).expect(200);
    } else {
        let digest = client.push_blob("app", b"{}");
        client.get(&format!("/v2/app/blobs/{digest}")).expect(200);
    }
    client.get("/v2/app/manifests/none").expect(404);
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < end, "the debug server never says all of {wanted:?}");
        // It may not listen yet.
        if TcpStream::connect(("127.0.0.1", debug)).is_ok() {
            let page = families(&Client::new(debug).get("/metrics").expect(200).text());
            // What has not happened yet is a family without samples.
            let is_counted = |name: &&str| page.get(*name).is_some_and(|it| !it.1.is_empty());
            if wanted.iter().all(is_counted) {
                return page;
            }
        }
        std::thread::yield_now();
    }
}

/// What 2.8.2 counts that this registry does not, and why.
const INTENDED: [(&str, &str); 1] = [(
    "registry_storage_cache_total",
    "there is no cache of descriptors here, so nothing to count",
)];

/// What Distribution 3 counts besides, as its `metrics.go` and `proxymetrics.go` name it; 2.8.2 tells people of it, in
/// `/debug/vars`, and Prometheus nothing.
const NOTIFICATIONS: [(&str, &str, &[&str]); 3] = [
    ("registry_notifications_events_total", "counter", &["endpoint", "type"]),
    ("registry_notifications_pending_total", "gauge", &["endpoint"]),
    ("registry_notifications_status_total", "counter", &["code", "endpoint"]),
];
const PROXY: [(&str, &str, &[&str]); 5] = [
    ("registry_proxy_hits_total", "counter", &["type"]),
    ("registry_proxy_misses_total", "counter", &["type"]),
    ("registry_proxy_pulled_bytes_total", "counter", &["type"]),
    ("registry_proxy_pushed_bytes_total", "counter", &["type"]),
    ("registry_proxy_requests_total", "counter", &["type"]),
];

/// Holds ours against theirs: every family of the registry's, with its type and labels, and those of 3.
fn hold(own: &Families, theirs: &Families, of_3: &[(&str, &str, &[&str])]) {
    let of_2 = theirs.iter().filter(|(name, _)| name.starts_with("registry_"));
    for (name, family) in of_2.clone() {
        match INTENDED.iter().find(|(intended, _)| intended == name) {
            Some((_, why)) => assert!(!own.contains_key(name), "{name}: {why}"),
            None => assert_eq!(own.get(name), Some(family), "{name}"),
        }
    }
    // A page without these would prove nothing.
    for name in ["registry_http_requests_total", "registry_storage_action_seconds"] {
        assert!(of_2.clone().any(|(found, _)| found == name), "{name}: {theirs:?}");
    }
    for (name, kind, labels) in of_3 {
        assert!(!theirs.contains_key(*name), "{name}");
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(own.get(*name), Some(&((*kind).to_owned(), labels)), "{name}");
    }
}

/// The pages of both registries, with these sections in JSON, after the same requests.
fn pages(sections: &Value, is_cache: bool, of_3: &[(&str, &str, &[&str])]) -> (Families, Families) {
    let (own_debug, peer_debug) = (free_port(), free_port());
    let debug =
        json!({ "addr": format!("127.0.0.1:{own_debug}"), "prometheus": { "enabled": true } });
    let mut settings = sections.clone();
    settings["http"] = json!({ "debug": debug });
    let registry = Registry::with(&settings);
    let wanted: Vec<_> = of_3.iter().map(|(name, ..)| *name).collect();
    let own = used(registry.port(), own_debug, is_cache, &wanted);
    let world = World::new();
    // A line of JSON is a section of YAML.
    let more = sections.as_object().unwrap().iter();
    let more: String = more.map(|(name, section)| format!("{name}: {section}\n")).collect();
    let peer = Peer::with_metrics(&world.path("data"), peer_debug, &more);
    (own, used(peer.port(), peer_debug, is_cache, &[]))
}

/// 2.8 (metrics/prometheus.go), read from its own page; 3 (notifications/metrics.go).
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_both_registries_count_has_the_same_names_and_labels() {
    let receiver = Receiver::start(200);
    let endpoint = json!({ "name": "one", "url": receiver.url(), "timeout": "5s", "threshold": 1, "backoff": "1s" });
    let sections = json!({ "notifications": { "endpoints": [endpoint] } });
    let (own, theirs) = pages(&sections, false, &NOTIFICATIONS);
    hold(&own, &theirs, &NOTIFICATIONS);
    for name in [
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert_eq!(own.get(name), theirs.get(name), "{name}");
    }
}

/// 2.8 (metrics/prometheus.go), read from its own page; 3 (registry/proxy/proxymetrics.go).
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_both_caches_count_has_the_same_names_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Peer::start(folder.path());
    Client::new(upstream.port()).push_blob("app", b"{}");
    let sections = json!({ "proxy": { "remoteurl": upstream.url("") } });
    let (own, theirs) = pages(&sections, true, &PROXY);
    hold(&own, &theirs, &PROXY);
}
