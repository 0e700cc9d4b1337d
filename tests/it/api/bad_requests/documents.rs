//! Bodies that are no manifests, though they are sent as one.

use serde_json::{Value, json};

use super::{
    manifests::{image, put, with},
    row::{Peer, Row},
};
use crate::api::fixture::OCI_MANIFEST;

const SHAPE: &str = "as Distribution: MANIFEST_INVALID is 400";

/// Where a pointer or a digest is missing, its handler fails.
const FAILS: Peer = Peer::Differs(500, "UNKNOWN");

/// It reads digests only after it has looked for the blobs.
const LATE: Peer = Peer::Differs(400, "DIGEST_INVALID");

fn bad(name: &'static str, document: impl Into<Vec<u8>>) -> Row {
    Row::new(name, put(OCI_MANIFEST, document))
        .gets(400, "MANIFEST_INVALID", SHAPE)
        .peer(Peer::Same)
}

pub(super) fn rows() -> Vec<Row> {
    [no_json(), nested(), of_wrong_shape(), with_a_wrong_configuration()].concat()
}

fn no_json() -> Vec<Row> {
    let text = image().to_string();
    let mut latin = text.clone().into_bytes();
    let at = text.find("sha256").unwrap();
    latin[at] = 0xff;
    vec![
        bad("nothing is no manifest", ""),
        bad("a word is no manifest", "manifest"),
        bad("a list is no manifest", "[]"),
        bad("null is no manifest", "null").peer(FAILS),
        bad("an empty object is no manifest", "{}").peer(FAILS),
        bad("half a manifest is none", &text[..text.len() / 2]),
        bad("a manifest with more behind it is none", format!("{text}{text}")),
        bad("a manifest begins with no byte order mark", format!("\u{feff}{text}")),
        bad("a manifest is UTF-8", latin).peer(LATE),
    ]
}

fn nested() -> Vec<Row> {
    let deep = |levels: usize| {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        with(image(), &json!({ "x": "DEEP" })).replace("\"DEEP\"", &nested)
    };
    vec![
        bad("nesting a million deep is refused", deep(1_000_000)),
        bad("nesting deeper than Go reads is refused", deep(10_001)),
    ]
}

fn of_wrong_shape() -> Vec<Row> {
    let set = |changes: Value| with(image(), &changes);
    vec![
        bad("a manifest is of version 2", set(json!({ "schemaVersion": 1 }))).peer(FAILS),
        bad("a version is a number", set(json!({ "schemaVersion": "2" }))),
        bad("an image has a configuration", set(json!({ "config": null }))).peer(LATE),
        bad("layers are a list", set(json!({ "layers": {} }))),
    ]
}

fn with_a_wrong_configuration() -> Vec<Row> {
    let bad = |name, field: &str, value: Value| {
        let mut document = image();
        document["config"][field] = value;
        bad(name, document.to_string())
    };
    let md5 = json!("md5:d41d8cd98f00b204e9800998ecf8427e");
    let climbing = json!("sha256:../../../../etc/passwd");
    vec![
        bad("a digest in a manifest is a digest", "digest", json!("sha256:zz")).peer(FAILS),
        bad("a digest in a manifest does not climb", "digest", climbing).peer(FAILS),
        bad("a digest in a manifest has a known algorithm", "digest", md5).peer(FAILS),
        bad("a size is a number", "size", json!("12")),
        bad("a size is not negative", "size", json!(-1)).peer(Peer::Differs(201, "")),
    ]
}
