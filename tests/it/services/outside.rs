//! A registry under its supervisor, as the world outside sees it: its own TLS, its health, its access log.

use std::{fs, net::SocketAddr, path::Path};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use super::Supervised;
use crate::support::{World, certificate::Certified, free_port, http::sha256};

const LOG: &str = "var/log/regctl/registry/current";

/// A world with a registry on a free port, and more in its file.
fn world(more: &str) -> (World, u16) {
    let port = free_port();
    let text = format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n{more}");
    (World::with(&text), port)
}

fn started(world: World) -> Supervised {
    let it = Supervised::supervise(world);
    let ran = it.run(&["start"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    it
}

/// Puts a new pair there by renames, as an ACME client does.
fn certify(folder: &Path) -> Client {
    let pair = Certified::new(&["localhost"]);
    for (name, text) in [("server.key", &pair.key), ("server.crt", &pair.certificate)] {
        fs::write(folder.join("staged"), text).unwrap();
        fs::rename(folder.join("staged"), folder.join(name)).unwrap();
    }
    let root = reqwest::Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    Client::builder().add_root_certificate(root).build().unwrap()
}

#[test]
fn tls_that_the_registry_ends_is_pushed_through_and_renewed_without_a_restart() {
    let tls = "[registry.http.tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\n";
    let (world, port) = world(tls);
    let old = certify(world.root());
    let it = started(world);
    let pid = it.pid();
    let base = format!("https://localhost:{port}");

    let digest = sha256(b"content");
    let begun = old.post(format!("{base}/v2/a/blobs/uploads/")).send().unwrap();
    let mut upload = begun.headers()["location"].to_str().unwrap().to_owned();
    assert!(upload.starts_with(&base), "{upload}");
    upload.push_str(if upload.contains('?') { "&" } else { "?" });
    let pushed = old.put(format!("{upload}digest={digest}")).body("content").send().unwrap();
    assert_eq!(pushed.status(), 201);

    let new = certify(it.world.root());
    let pulled = new.get(format!("{base}/v2/a/blobs/{digest}")).send().and_then(Response::text);
    assert_eq!(pulled.unwrap(), "content");
    assert_eq!(it.pid(), pid);
    assert_eq!(it.registry()["restarts"], 0);

    // A client that trusts somebody else is told of in the log, with the reason.
    let stranger = tempfile::tempdir().unwrap();
    certify(stranger.path()).get(format!("{base}/v2/")).send().unwrap_err();
    let says = |log: String| log.lines().any(is_told);
    it.until("the handshake that failed is told", || says(it.world.read(LOG)));
}

fn is_told(line: &str) -> bool {
    line.contains("level=info")
        && line.contains("TLS could not be set up with a client")
        && line.contains("remote=127.0.0.1")
        && line.contains("alert")
}

#[test]
fn status_names_the_check_that_fails_until_it_is_well_again() {
    let (world, port) =
        world("[[registry.health.file]]\nfile = \"maintenance\"\ninterval = \"50ms\"\n");
    let it = started(world);
    let ping = || {
        crate::support::client()
            .get(format!("http://127.0.0.1:{port}/v2/"))
            .send()
            .unwrap()
            .status()
    };
    assert_eq!(ping(), 200);
    fs::write(it.world.path("maintenance"), "").unwrap();
    it.until("it is ill", || ping() == 503);
    let (exit, stdout, _) = it.said("status registry");
    assert!(exit == 0 && stdout.contains("unhealthy: "), "{exit} {stdout}");
    assert!(stdout.contains("maintenance"), "{stdout}");
    let health = it.json("status")["health"].clone();
    assert_eq!(health["healthy"], false);
    assert!(health["problem"].as_str().unwrap().contains("maintenance"), "{health}");
    fs::remove_file(it.world.path("maintenance")).unwrap();
    it.until("it is well", || ping() == 200);
    assert_eq!(it.json("status")["health"], json!({"healthy": true, "problem": null}));
}

#[test]
fn the_access_log_is_gitlabs_json_when_asked_for() {
    let (world, port) = world("[registry.log.accesslog]\nformatter = \"json\"\n");
    let it = started(world);
    let answer = crate::support::client()
        .get(format!("http://127.0.0.1:{port}/v2/a/tags/list?n=7"))
        .header("User-Agent", "tester/1 \"quoted\"")
        .header("Referer", "https://gitlab.example.com/a")
        .header("X-Request-ID", "01F8MECHZX3TBDSZ7XRADM79XE")
        .send()
        .unwrap();
    assert_eq!(answer.status(), 404);
    let length = answer.bytes().unwrap().len();
    let line = || {
        let log = it.world.read(LOG);
        log.lines().find(|line| line.contains("/v2/a/tags/list")).map(str::to_owned)
    };
    let found = || {
        let line = line()?;
        serde_json::from_str::<Value>(&line[line.find('{')?..]).ok()
    };
    it.until("the request is logged", || found().is_some_and(|line| line["msg"] == "access"));
    let found = found().unwrap();
    let expected = json!({
        "level": "info", "msg": "access", "system": "http", "method": "GET", "proto": "HTTP/1.1",
        "host": format!("127.0.0.1:{port}"), "remote_ip": "127.0.0.1",
        "correlation_id": "01F8MECHZX3TBDSZ7XRADM79XE",
        "uri": "/v2/a/tags/list?n=7", "referrer": "https://gitlab.example.com/a",
        "user_agent": "tester/1 \"quoted\"", "status": 404, "written_bytes": length,
        "content_type": "application/json; charset=utf-8",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name} of {found}");
    }
    let peer = found["remote_addr"].as_str().unwrap().parse::<SocketAddr>().unwrap();
    assert!(peer.ip().is_loopback() && peer.port() > 0, "{found}");
    for name in ["duration_ms", "ttfb_ms"] {
        assert!(found[name].is_u64(), "{name} of {found}");
    }
}
