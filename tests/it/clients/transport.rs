//! Ways to a registry besides HTTP/1.1 over TCP: HTTP/2 without TLS, and a unix socket, with TLS and without. curl pushes
//! and pulls over each of them; where Distribution 2.8.2 has it too, the same requests are sent to it.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use super::{
    Way,
    curl::{curl, push_blob, push_blob_in_two, put_manifest, stream_blob},
};
use crate::support::{Server, World, certificate::Certified, daemon::Daemon, program};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What curl is told of a registry.
struct Told {
    origin: String,
    flags: Vec<String>,
}

impl Way for Told {
    fn image(&self, name: &str) -> String {
        name.to_owned()
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn flags_of_curl(&self) -> Vec<String> {
        self.flags.clone()
    }

    fn flags(&self, _end: &str) -> Vec<String> {
        Vec::new()
    }

    fn user(&self) -> Option<String> {
        None
    }
}

/// Pushes an image in both ways that 2.8 has too, pulls it whole and in part, and deletes it.
fn works(way: &dyn Way) {
    let (config, layer) = (b"{}".to_vec(), (0..=250).cycle().take(3_000_000).collect::<Vec<u8>>());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": push_blob_in_two(way, "group/app", &config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "digest": stream_blob(way, "group/app", &layer),
            "size": layer.len(),
        }],
    });
    let put = put_manifest(way, "group/app", "v1", &manifest);
    let digest = put.header("docker-content-digest").unwrap().to_owned();
    // What clients are told to ask next is where they are.
    let url = format!("{}/v2/group/app/manifests/{digest}", way.origin());
    assert_eq!(put.header("location"), Some(&*url));
    let accept = format!("Accept: {MANIFEST}");
    let pulled = curl(way, "/v2/group/app/manifests/v1", &["--header", &accept], &[]).expect(200);
    assert_eq!(pulled.text(), manifest.to_string());
    let blob = format!("/v2/group/app/blobs/{}", manifest["layers"][0]["digest"].as_str().unwrap());
    assert!(curl(way, &blob, &[], &[]).expect(200).body == layer);
    let part = curl(way, &blob, &["--range", "1000000-1999999"], &[]).expect(206);
    assert!(part.body == layer[1_000_000..2_000_000]);
    let head = curl(way, &blob, &["--head"], &[]).expect(200);
    assert_eq!(head.header("content-length"), Some("3000000"));
    let tags = curl(way, "/v2/group/app/tags/list", &[], &[]).expect(200);
    assert_eq!(tags.json(), json!({ "name": "group/app", "tags": ["v1"] }));
    let target = format!("/v2/group/app/manifests/{digest}");
    curl(way, &target, &["--request", "DELETE"], &[]).expect(202);
    assert_eq!(curl(way, &target, &[], &[]).expect(404).codes(), ["MANIFEST_UNKNOWN"]);
}

/// What config.yml says, for both registries.
fn config(world: &World, http: &serde_json::Value) -> std::path::PathBuf {
    let config = json!({
        "version": 0.1,
        "log": { "level": "info", "accesslog": { "disabled": true } },
        "storage": {
            "filesystem": { "rootdirectory": world.path("data") },
            "delete": { "enabled": true },
        },
        "http": http,
    });
    // JSON is YAML.
    fs::write(world.path("config.yml"), config.to_string()).unwrap();
    world.path("config.yml")
}

fn ours(world: &World, http: &serde_json::Value) -> Server {
    let path = config(world, http);
    world.serve(&["registry", "serve", path.to_str().unwrap()])
}

fn theirs(world: &World, http: &serde_json::Value) -> Daemon {
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(config(world, http));
    Daemon::start(&mut command, world.root(), "listening on")
}

/// The port of loopback in a greeting.
fn port(server: &Server) -> u16 {
    server.greeting.trim_end().rsplit([':', '\n']).find_map(|word| word.parse().ok()).unwrap()
}

/// Asks for the base by this version of HTTP; returns the version of the answer.
fn version(way: &Told, flag: &str) -> String {
    let mut command = program::program("curl", &["--silent", "--fail", "--max-time", "60", flag]);
    command.args(&way.flags).args(["--output", "/dev/null", "--write-out", "%{http_version}"]);
    program::succeed(command.arg(format!("{}/v2/", way.origin)))
}

fn over_tcp(port: u16, flags: &[&str]) -> Told {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Told { origin: format!("http://127.0.0.1:{port}"), flags }
}

const PRIOR_KNOWLEDGE: &str = "--http2-prior-knowledge";

#[test]
#[ignore = "needs curl: run cargo xtask test"]
fn an_image_is_pushed_and_pulled_over_http2_without_tls() {
    let world = World::new();
    // Distribution 3: `http.h2c.enabled`; 2.8 does not know it.
    let http = json!({ "addr": "127.0.0.1:0", "h2c": { "enabled": true } });
    let server = ours(&world, &http);
    let way = over_tcp(port(&server), &[PRIOR_KNOWLEDGE]);
    assert_eq!(version(&way, PRIOR_KNOWLEDGE), "2");
    works(&way);
    push_blob(&way, "group/app", b"in a single POST");
    // RFC 9113, section 3.1, has given up `Upgrade: h2c`: a client that offers it goes on with HTTP/1.1.
    let way = over_tcp(port(&server), &["--http2"]);
    assert_eq!(version(&way, "--http2"), "1.1");
    works(&way);
}

#[test]
#[ignore = "needs curl and docker-registry: run cargo xtask test"]
fn without_h2c_no_http2_is_spoken_without_tls_as_in_2_8() {
    let [own, others] = [World::new(), World::new()];
    let http = json!({ "addr": "127.0.0.1:0" });
    let server = ours(&own, &http);
    let peer = crate::support::Peer::start(&others.path("data"));
    for port in [port(&server), peer.port()] {
        let url = format!("http://127.0.0.1:{port}/v2/");
        let arguments = ["--silent", "--max-time", "60", PRIOR_KNOWLEDGE, &url];
        let output = program::program("curl", &arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{port}: {output:?}");
        let way = over_tcp(port, &["--http2"]);
        assert_eq!(version(&way, "--http2"), "1.1");
        works(&way);
    }
}

fn over_socket(socket: &Path, scheme: &str, more: &[&str]) -> Told {
    let mut flags = vec!["--unix-socket".to_owned(), socket.to_str().unwrap().to_owned()];
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    Told { origin: format!("{scheme}://localhost"), flags }
}

#[test]
#[ignore = "needs curl and docker-registry: run cargo xtask test"]
fn an_image_is_pushed_and_pulled_over_a_unix_socket() {
    let [own, others] = [World::new(), World::new()];
    let http = |world: &World| json!({ "net": "unix", "addr": world.path("socket") });
    let _server = ours(&own, &http(&own));
    let _peer = theirs(&others, &http(&others));
    for world in [&own, &others] {
        works(&over_socket(&world.path("socket"), "http", &[]));
    }
}

#[test]
#[ignore = "needs curl and docker-registry: run cargo xtask test"]
fn an_image_is_pushed_and_pulled_over_a_unix_socket_with_tls() {
    let [own, others] = [World::new(), World::new()];
    let pair = Certified::new(&["localhost"]);
    let http = |world: &World| {
        fs::write(world.path("own.crt"), &pair.certificate).unwrap();
        fs::write(world.path("own.key"), &pair.key).unwrap();
        let tls = json!({ "certificate": world.path("own.crt"), "key": world.path("own.key") });
        json!({ "net": "unix", "addr": world.path("socket"), "tls": tls })
    };
    let _server = ours(&own, &http(&own));
    let _peer = theirs(&others, &http(&others));
    for world in [&own, &others] {
        let socket = world.path("socket");
        let authority = world.path("own.crt");
        for (version_of_http, flag) in [("2", "--http2"), ("1.1", "--http1.1")] {
            let more = ["--cacert", authority.to_str().unwrap(), flag];
            let way = over_socket(&socket, "https", &more);
            assert_eq!(version(&way, flag), version_of_http, "{}", world.root().display());
            works(&way);
        }
        // Who speaks HTTP there is told what is wrong, in Go's words.
        let mut command = program::program("curl", &["--silent", "--max-time", "60"]);
        command.arg("--unix-socket").arg(&socket).arg("http://localhost/v2/");
        // A socket that is closed before all of the request was read ends with an error, after the answer.
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(said, "Client sent an HTTP request to an HTTPS server.\n");
    }
}
