//! Metrics, beside those of Debian's `docker-registry`: what both have has the same names and labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;

use super::fixture::Registry;
use crate::support::{Peer, World, free_port, http::Client};

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

/// Uses a registry a little, and reads what it counted.
fn used(port: u16, debug: u16) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut client = Client::new(port);
    let digest = client.push_blob("app", b"{}");
    client.get(&format!("/v2/app/blobs/{digest}")).expect(200);
    client.get("/v2/app/manifests/none").expect(404);
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", debug)).is_err() {
        assert!(Instant::now() < end, "the debug server never listens");
        std::thread::yield_now();
    }
    families(&Client::new(debug).get("/metrics").expect(200).text())
}

/// 2.8 (metrics/prometheus.go), read from its own page.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_both_registries_count_has_the_same_names_and_labels() {
    let (own_debug, peer_debug) = (free_port(), free_port());
    let debug =
        json!({ "addr": format!("127.0.0.1:{own_debug}"), "prometheus": { "enabled": true } });
    let registry = Registry::with(&json!({ "http": { "debug": debug } }));
    let own = used(registry.port(), own_debug);
    let world = World::new();
    let peer = Peer::with_metrics(&world.path("data"), peer_debug);
    let theirs = used(peer.port(), peer_debug);
    let both = [
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "registry_http_in_flight_requests",
        "registry_http_request_duration_seconds",
        "registry_http_request_size_bytes",
        "registry_http_requests_total",
        "registry_http_response_size_bytes",
        "registry_storage_action_seconds",
    ];
    for name in both {
        assert!(own.contains_key(name), "{name} is missing");
        assert_eq!(own.get(name), theirs.get(name), "{name}");
    }
    // This one has no such cache, and says so by having no such family.
    let is_missing = |name: &&String| name.starts_with("registry_") && !own.contains_key(*name);
    let missing: Vec<_> = theirs.keys().filter(is_missing).collect();
    assert_eq!(missing, ["registry_storage_cache_total"]);
}
