//! Debian's `docker-registry` with an instance's `config.yml`: it starts, and takes what it knows of it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::support::{Peer, World, certificate::Certified, free_port};

fn applied(text: &str) -> World {
    let world = World::with(text);
    let pair = Certified::new(&["localhost"]);
    fs::write(world.path("server.crt"), pair.certificate).unwrap();
    fs::write(world.path("server.key"), pair.key).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    world
}

/// Asks until it is so, for as long as a slow machine may take.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_starts_with_what_surrounds_ours() {
    let hook = "[[registry.notifications]]\nname = \"hook\"\nurl = \"http://127.0.0.1:9/events\"\n";
    let health = "[registry.health.storagedriver]\nenabled = true\n[[registry.health.file]]\nfile = \"maintenance\"\n[[registry.health.tcp]]\naddr = \"127.0.0.1:9\"\nthreshold = 1000\n[[registry.health.http]]\nuri = \"http://127.0.0.1:9/\"\nheaders = { Accept = \"*/*\" }\ntimeout = \"1s\"\nthreshold = 1000\n";
    for text in [
        health,
        hook,
        "[registry]\ncompatibility_schema1_enabled = true\n",
        "[[registry.middleware.storage]]\nname = \"redirect\"\noptions = { baseurl = \"https://mirror.example.com\" }\n",
        "[registry.storage.redirect]\ndisable = true\n",
        "[registry.storage.cache]\nblobdescriptor = \"redis\"\n[registry.redis]\naddr = \"127.0.0.1:9\"\n",
        "[registry.log.accesslog]\nformatter = \"json\"\n",
        "[registry.validation.manifests.indexes]\nplatforms = \"list\"\nplatformlist = [{ architecture = \"amd64\", os = \"linux\" }]\n",
    ] {
        let world = applied(text);
        let peer = Peer::rendered(&world);
        let answer = crate::support::client().get(peer.url("/v2/")).send().unwrap();
        assert_eq!(answer.status(), 200, "{text}");
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_is_ill_while_a_file_is_there() {
    let text = "[[registry.health.file]]\nfile = \"maintenance\"\ninterval = \"50ms\"\n";
    let world = applied(text);
    let peer = Peer::rendered(&world);
    let status =
        || crate::support::client().get(peer.url("/v2/")).send().unwrap().status().as_u16();
    assert_eq!(status(), 200);
    fs::write(world.path("maintenance"), "").unwrap();
    eventually("it is ill", || status() == 503);
    fs::remove_file(world.path("maintenance")).unwrap();
    eventually("it is well again", || status() == 200);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_serves_metrics_and_tls_where_ours_does() {
    let port = free_port();
    let text = format!(
        "[registry.http.debug]\naddr = \"127.0.0.1:{port}\"\n[registry.http.debug.prometheus]\npath = \"/numbers\"\n[registry.http.tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\n"
    );
    let world = applied(&text);
    let peer = Peer::rendered(&world);
    let certificate = fs::read(world.path("server.crt")).unwrap();
    let certificate = reqwest::Certificate::from_pem(&certificate).unwrap();
    let client = reqwest::blocking::Client::builder().add_root_certificate(certificate);
    let client = client.build().unwrap();
    let answer = client.get(format!("https://localhost:{}/v2/", peer.port())).send().unwrap();
    assert_eq!(answer.status(), 200);
    let numbers = client.get(format!("http://127.0.0.1:{port}/numbers")).send().unwrap();
    assert!(numbers.text().unwrap().contains("registry_http_requests_total"));
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_is_a_cache_where_ours_is() {
    let folder = tempfile::tempdir().unwrap();
    let behind = Peer::start(folder.path());
    let world = applied(&format!("[registry.proxy]\nremoteurl = \"{}\"\n", behind.url("")));
    let peer = Peer::rendered(&world);
    let answer = crate::support::client().get(peer.url("/v2/")).send().unwrap();
    assert_eq!(answer.status(), 200);
}
