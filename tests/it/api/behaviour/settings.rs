//! What settings change: each with its rows, for a registry that was filled before they were made.

use serde_json::{Value, json};

use crate::{
    api::{
        fixture::{DOCKER_MANIFEST, Image, Registry},
        table::{
            Expected::{self, Begins, Code, Has, Is},
            Row,
            Theirs::{self, Other},
            Words, ask_ours, ask_theirs, row,
        },
    },
    support::{
        Peer,
        http::{Client, sha256},
    },
};

const BEGIN: &str = "/v2/app/blobs/uploads/";
const IMAGE: &[(&str, &str)] = &[("Content-Type", DOCKER_MANIFEST)];
const TAKES_IMAGE: &[(&str, &str)] = &[("Accept", DOCKER_MANIFEST)];
const REFUSED: &[Expected] = &[Code("UNSUPPORTED")];
const BARE: Theirs = Other(405, &[Has("Allow")], "2.8.2 says so without a body");

#[rustfmt::skip] // One request a line reads as the table that it is.
const RELATIVE: &[Row] = &[
    row("2.8: http.relativeurls", "POST", BEGIN, 202, &[Begins("Location", "/v2/app/blobs/uploads/")]).with(&[("X-Forwarded-Proto", "https")]),
    row("2.8: http.relativeurls", "PUT", "/v2/app/manifests/v2", 201, &[Is("Location", "/v2/app/manifests/{image}")]).with(IMAGE).body("{image}"),
    row("2.8: http.relativeurls", "GET", "/v2/_catalog?n=1", 200, &[Is("Link", "</v2/_catalog?last=app&n=1>; rel=\"next\"")]),
];

#[rustfmt::skip]
const HOST: &[Row] = &[
    row("2.8: http.host beats every header", "POST", BEGIN, 202, &[Begins("Location", "https://registry.example.com:8443/v2/app/blobs/uploads/")]).with(&[("X-Forwarded-Host", "a.example"), ("X-Forwarded-Proto", "http")]),
    row("2.8: http.host", "PUT", "/v2/app/manifests/v2", 201, &[Is("Location", "https://registry.example.com:8443/v2/app/manifests/{image}")]).with(IMAGE).body("{image}"),
];

#[rustfmt::skip]
const PREFIX: &[Row] = &[
    row("2.8: http.prefix", "GET", "/hub/v2/", 200, &[]),
    row("2.8: http.prefix", "GET", "/v2/", 404, &[]),
    row("2.8: http.prefix", "GET", "/hub/v2", 301, &[Is("Location", "/hub/v2/")]),
    row("2.8: http.prefix", "POST", "/hub/v2/app/blobs/uploads/", 202, &[Begins("Location", "http://registry.test/hub/v2/app/blobs/uploads/")]),
    row("2.8: http.prefix", "PUT", "/hub/v2/app/manifests/v2", 201, &[Is("Location", "http://registry.test/hub/v2/app/manifests/{image}")]).with(IMAGE).body("{image}"),
    row("2.8: http.prefix", "GET", "/hub/v2/app/manifests/v2", 200, &[Is("Docker-Content-Digest", "{image}")]).with(TAKES_IMAGE),
    row("2.8: http.prefix", "GET", "/hub/v2/_catalog?n=1", 200, &[Is("Link", "</hub/v2/_catalog?last=app&n=1>; rel=\"next\"")]),
];

#[rustfmt::skip]
const HEADERS: &[Row] = &[
    row("2.8: http.headers", "GET", "/v2/", 200, &[Is("X-Content-Type-Options", "nosniff"), Is("Content-Type", "application/json; charset=utf-8")]),
    row("2.8: http.headers, on errors", "GET", "/v2/none/tags/list", 404, &[Is("X-Content-Type-Options", "nosniff")]),
    row("2.8: http.headers, on blobs", "HEAD", "/v2/app/blobs/{layer}", 200, &[Is("X-Content-Type-Options", "nosniff")]),
];

#[rustfmt::skip]
const NO_DELETES: &[Row] = &[
    row("2.8: storage.delete.enabled", "DELETE", "/v2/app/manifests/{image}", 405, REFUSED),
    row("2.8: storage.delete.enabled", "DELETE", "/v2/app/blobs/{layer}", 405, REFUSED),
    row("2.8: storage.delete.enabled", "DELETE", "/v2/app/manifests/v1", 405, REFUSED),
    row("2.8: an upload may be given up nevertheless", "DELETE", "{upload}", 204, &[]),
    row("2.8: storage.delete.enabled", "GET", "/v2/app/manifests/v1", 200, &[Is("Docker-Content-Digest", "{image}")]).with(TAKES_IMAGE),
];

#[rustfmt::skip]
const READ_ONLY: &[Row] = &[
    row("2.8: maintenance.readonly", "POST", BEGIN, 405, REFUSED).but(BARE),
    row("2.8: maintenance.readonly", "POST", "/v2/other/blobs/uploads/?mount={layer}&from=app", 405, REFUSED).but(BARE),
    row("2.8: maintenance.readonly", "PATCH", "{upload}", 405, REFUSED).body("x").but(BARE),
    row("2.8: maintenance.readonly", "PUT", "{upload}&digest={of x}", 405, REFUSED).body("x").but(BARE),
    row("2.8: maintenance.readonly", "DELETE", "{upload}", 405, REFUSED).but(BARE),
    row("2.8: maintenance.readonly", "PUT", "/v2/app/manifests/v2", 405, REFUSED).with(IMAGE).body("{image}").but(BARE),
    row("2.8: maintenance.readonly", "DELETE", "/v2/app/manifests/{image}", 405, REFUSED).but(BARE),
    row("2.8: maintenance.readonly", "DELETE", "/v2/app/blobs/{layer}", 405, REFUSED).but(BARE),
    row("2.8: maintenance.readonly", "GET", "/v2/app/manifests/v1", 200, &[Is("Docker-Content-Digest", "{image}")]).with(TAKES_IMAGE),
    row("2.8: maintenance.readonly", "GET", "{upload}", 204, &[Is("Range", "0-4")]),
    row("2.8: maintenance.readonly", "OPTIONS", "/v2/app/manifests/v1", 200, &[Is("Allow", "GET, HEAD")]),
];

#[rustfmt::skip]
const CATALOG: &[Row] = &[
    row("2.8: catalog.maxentries", "GET", "/v2/_catalog?n=2", 200, &[Is("Content-Type", "application/json; charset=utf-8")]),
    row("2.8: catalog.maxentries", "GET", "/v2/_catalog?n=3", 400, &[Code("PAGINATION_NUMBER_INVALID")]),
];

/// Every table with its settings.
fn tables() -> Vec<(Value, &'static [Row])> {
    vec![
        (json!({ "http": { "relativeurls": true } }), RELATIVE),
        (json!({ "http": { "host": "https://registry.example.com:8443" } }), HOST),
        (json!({ "http": { "prefix": "/hub/" } }), PREFIX),
        (json!({ "http": { "headers": { "X-Content-Type-Options": ["nosniff"] } } }), HEADERS),
        (json!({ "storage": { "delete": { "enabled": false } } }), NO_DELETES),
        (json!({ "storage": { "maintenance": { "readonly": { "enabled": true } } } }), READ_ONLY),
        (json!({ "catalog": { "maxentries": 2 } }), CATALOG),
    ]
}

/// Pushes an image, another repository, and the beginning of a blob.
fn prepare(client: &mut Client) -> Words {
    let image = Image::of("app");
    image.push_blobs(client, "app");
    client.push_blob("other", b"bytes");
    let mut document: Value = serde_json::from_slice(&image.manifest).unwrap();
    document["mediaType"] = json!(DOCKER_MANIFEST);
    let text = document.to_string();
    client.put_manifest("app", "v1", DOCKER_MANIFEST, text.as_bytes()).expect(201);
    let begun = client.begin_upload("app");
    let words = vec![
        ("{image}", sha256(text.as_bytes()).to_string()),
        ("{layer}", sha256(&image.layer).to_string()),
        ("{upload}", client.append(&begun, b"hello")),
    ];
    Words { words, documents: vec![("{image}", text)] }
}

#[test]
fn settings_change_what_the_tables_say() {
    for (settings, rows) in tables() {
        let registry = Registry::start();
        let words = prepare(&mut registry.client());
        ask_ours(&registry.restarted(&settings), rows, |_| words);
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn settings_change_the_same_at_the_peer_but_where_a_row_says_why_not() {
    for (settings, rows) in tables() {
        let storage = tempfile::tempdir().unwrap();
        let words = prepare(&mut Client::new(Peer::start(storage.path()).port()));
        ask_theirs(&Peer::with_settings(storage.path(), &settings), rows, |_| words);
    }
}
