//! Docker's schema 1: what one registry took or made, the other serves under the same digest, and keeps.

use std::fs;

use oci::{Algorithm, Digest};
use reqwest::{Method, blocking::Response, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    collected::collect,
    wire::{Wire, expect},
};
use crate::{
    clients::skopeo,
    support::{Peer, Stopped},
};

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const SCHEMA2: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

fn stopped() -> Stopped {
    Stopped::with("compatibility_schema1_enabled = true")
}

/// What an old client sees: the digest, and the document without signatures.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    digest: String,
    payload: String,
}

fn digest(response: &Response) -> String {
    response.headers()["docker-content-digest"].to_str().unwrap().to_owned()
}

/// Pulls a tag as an old client does, and looks at it by HEAD too.
#[track_caller]
fn seen(wire: &Wire, repository: &str, tag: &str) -> Seen {
    let path = format!("{repository}/manifests/{tag}");
    let response = expect(200, wire.ask_silently(Method::GET, &path));
    assert_eq!(response.headers()[CONTENT_TYPE], SCHEMA1, "{path}");
    let digest = digest(&response);
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{digest}\""));
    let length = response.headers()["content-length"].clone();
    let document = response.text().unwrap();
    let head = expect(200, wire.ask_silently(Method::HEAD, &path));
    assert_eq!(head.headers()["docker-content-digest"], *digest);
    assert_eq!(head.headers()["content-length"], length);
    let asked_again = wire.ask_silently(Method::GET, &path).header("if-none-match", etag);
    // The peer holds it against what it has stored.
    assert!(matches!(asked_again.send().unwrap().status().as_u16(), 200 | 304));
    let (head, end) = match document.split_once(",\n   \"signatures\": [") {
        Some((head, _)) => (head, "\n}"),
        None => (document.split_once(",\"signatures\":[").unwrap().0, "}"),
    };
    let payload = format!("{head}{end}");
    assert_eq!(Digest::of(Algorithm::Sha256, payload.as_bytes()).to_string(), digest);
    Seen { digest, payload }
}

/// Pushes an image of two layers, with steps that have none, as schema 2 and under a list.
fn push_schema2(wire: &Wire) {
    let layers: [&[u8]; 2] = [b"the first layer", b"the second layer"];
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-01-02T03:04:05.67890Z",
        "config": { "Env": ["A=<b> & \u{2028}c"], "Cmd": null },
        "rootfs": { "type": "layers", "diff_ids": [digest_of(b"1"), digest_of(b"2")] },
        "history": [
            { "created": "2020-01-02T03:04:05.670+02:00", "created_by": "/bin/sh -c a && b < \"c\"" },
            { "created_by": "ENV A", "empty_layer": true, "comment": "<\u{1}>", "author": "é" },
            { "created": "2020-01-02T03:04:05.67890Z", "created_by": "COPY" },
            { "created": "2020-01-02T03:04:06Z", "created_by": "CMD", "empty_layer": true },
        ],
    });
    let describe = |media_type: &str, bytes: &[u8]| {
        let digest = wire.push_blob("old/app", Algorithm::Sha256, bytes);
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
    };
    let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": SCHEMA2,
        "config": describe(
            "application/vnd.docker.container.image.v1+json",
            config.to_string().as_bytes(),
        ),
        "layers": layers.map(|bytes| describe(layer, bytes)),
    });
    let manifest = manifest.to_string();
    wire.push_manifest("old/app", "image", manifest.as_bytes());
    let child = |architecture: &str| {
        json!({
            "mediaType": SCHEMA2,
            "digest": digest_of(manifest.as_bytes()),
            "size": manifest.len(),
            "platform": { "architecture": architecture, "os": "linux" },
        })
    };
    let list = json!({
        "schemaVersion": 2, "mediaType": LIST, "manifests": [child("arm64"), child("amd64")],
    });
    wire.push_manifest("old/app", "list", list.to_string().as_bytes());
}

fn digest_of(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).to_string()
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn both_make_the_same_manifest_of_an_image_and_of_a_list() {
    let stopped = stopped();
    let peer = Peer::with_schema1(&stopped.storage());
    push_schema2(&Wire::from(&peer));
    let look = |wire: &Wire| ["image", "list"].map(|tag| seen(wire, "old/app", tag));
    drop(peer);
    // First ours, which has to provide the layer without files.
    let demo = stopped.start();
    let ours = look(&Wire::from(&demo));
    let wire = Wire::from(&demo);
    let document: Value = serde_json::from_str(&ours[0].payload).unwrap();
    assert_eq!(document["fsLayers"].as_array().unwrap().len(), 4);
    for layer in document["fsLayers"].as_array().unwrap() {
        let digest = layer["blobSum"].as_str().unwrap();
        assert_eq!(digest_of(&wire.bytes(&format!("old/app/blobs/{digest}"))), digest);
    }
    // Who names schema 2, or asks by digest, gets what was pushed.
    let stored = expect(200, wire.get("old/app/manifests/image"));
    assert_eq!(stored.headers()[CONTENT_TYPE], SCHEMA2);
    let by_digest = format!("old/app/manifests/{}", digest(&stored));
    let by_digest = expect(200, wire.ask_silently(Method::GET, &by_digest));
    assert_eq!(by_digest.headers()[CONTENT_TYPE], SCHEMA2);
    let (stopped, _) = demo.stop();
    collect(&stopped, &[]);
    let peer = Peer::with_schema1(&stopped.storage());
    assert_eq!(look(&Wire::from(&peer)), ours);
}

/// Pushes an image as schema 1, and returns what is seen of it.
fn push_schema1(wire: &Wire, name: &str) -> Seen {
    let to = wire.image(&format!("{name}:v1"));
    skopeo::copy(&["--format=v2s1"], &wire.image("old/app:image"), &to);
    seen(wire, name, "v1")
}

/// Pulls it with skopeo, and returns the digests of its layers, which are as they say.
fn pull_schema1(wire: &Wire, name: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pulled");
    skopeo::copy(&[], &wire.image(&format!("{name}:v1")), &format!("dir:{}", path.display()));
    let manifest = fs::read(path.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let layers = manifest["fsLayers"].as_array().unwrap().iter();
    let digests: Vec<_> =
        layers.map(|layer| layer["blobSum"].as_str().unwrap().to_owned()).collect();
    for digest in &digests {
        let bytes = fs::read(path.join(digest.trim_start_matches("sha256:"))).unwrap();
        assert_eq!(digest_of(&bytes), *digest);
    }
    digests
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn what_is_pushed_to_one_is_pulled_from_the_other_and_its_collector_keeps_it() {
    let demo = stopped().start();
    let wire = Wire::from(&demo);
    push_schema2(&wire);
    let of_ours = push_schema1(&wire, "from/us");
    let layers = pull_schema1(&wire, "from/us");
    assert_eq!(layers.len(), 4, "steps without files have a layer each");
    let (stopped, _) = demo.stop();
    collect(&stopped, &[]);
    let peer = Peer::with_schema1(&stopped.storage());
    let wire = Wire::from(&peer);
    assert_eq!(seen(&wire, "from/us", "v1"), of_ours);
    assert_eq!(pull_schema1(&wire, "from/us"), layers);
    let of_theirs = push_schema1(&wire, "from/them");
    drop(peer);
    collect(&stopped, &["--delete-untagged"]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(seen(&wire, "from/us", "v1"), of_ours);
    assert_eq!(seen(&wire, "from/them", "v1"), of_theirs);
    assert_eq!(pull_schema1(&wire, "from/them"), layers);
}

/// Pushes a document as schema 1, and returns status, code and digest of the answer.
fn push(wire: &Wire, path: &str, kind: &str, document: &str) -> (u16, String) {
    let request = wire.ask_silently(Method::PUT, path).header(CONTENT_TYPE, kind);
    let response = request.body(document.to_owned()).send().unwrap();
    let status = response.status().as_u16();
    if status == 201 {
        return (status, digest(&response));
    }
    let answer: Value = serde_json::from_str(&response.text().unwrap()).unwrap();
    (status, answer["errors"][0]["code"].as_str().unwrap().to_owned())
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn both_take_and_refuse_the_same_documents() {
    const UNSIGNED: &str = "application/vnd.docker.distribution.manifest.v1+json";
    let (demo, other) = (stopped().start(), stopped());
    let peer = Peer::with_schema1(&other.storage());
    let (ours, theirs) = (Wire::from(&demo), Wire::from(&peer));
    push_schema2(&ours);
    push_schema2(&theirs);
    // Whoever signs it, its digest is the same.
    let converted = |wire: &Wire| {
        expect(200, wire.ask_silently(Method::GET, "old/app/manifests/image")).text().unwrap()
    };
    let (signed, of_theirs) = (converted(&ours), converted(&theirs));
    let digest = seen(&ours, "old/app", "image").digest;
    let (head, _) = signed.split_once(",\n   \"signatures\"").unwrap();
    let unsigned = format!("{head}\n}}");
    let (other_name, other_id) =
        (signed.replace("old/app", "old/ape"), "sha256:".to_owned() + &"0".repeat(64));
    let tag = "old/app/manifests/v1";
    let by_digest = format!("old/app/manifests/{digest}");
    let by_another = format!("old/app/manifests/{other_id}");
    let accepted = (201, digest.clone());
    let refused = |code: &str| (400, code.to_owned());
    let rows = [
        (tag, SCHEMA1, &signed, accepted.clone()),
        (tag, SCHEMA1, &of_theirs, accepted.clone()),
        // The unsigned type is a name for the same; so are those of clients that know no types.
        (tag, UNSIGNED, &signed, accepted.clone()),
        (tag, "application/json", &signed, accepted.clone()),
        (tag, "", &signed, accepted.clone()),
        (&by_digest, SCHEMA1, &signed, accepted),
        (&by_another, SCHEMA1, &signed, refused("DIGEST_INVALID")),
        (tag, SCHEMA1, &other_name, refused("MANIFEST_UNVERIFIED")),
        (tag, SCHEMA1, &unsigned, refused("MANIFEST_INVALID")),
        (tag, UNSIGNED, &unsigned, refused("MANIFEST_INVALID")),
        ("another/app/manifests/v1", SCHEMA1, &signed, refused("MANIFEST_BLOB_UNKNOWN")),
    ];
    for (path, kind, document, expected) in rows {
        for (wire, name) in [(&ours, "ours"), (&theirs, "theirs")] {
            assert_eq!(push(wire, path, kind, document), expected, "{name}: {kind} to {path}");
        }
    }
}
