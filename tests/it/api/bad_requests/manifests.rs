//! Manifests of the wrong kind, of what is not there, or too large.

use serde_json::{Value, json};

use super::row::{Peer, Row};
use crate::{
    api::fixture::{DOCKER_LIST, DOCKER_MANIFEST, Image, OCI_INDEX, OCI_MANIFEST, descriptor},
    support::http::Request,
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// 4 MiB, and one byte.
const TOO_MUCH: usize = 4 * 1024 * 1024 + 1;

const KIND: &str = "as Distribution: missing, unknown or artifact type is 400 MANIFEST_INVALID";
const MISSING: &str = "OCI 1.1, push: MUST result in one or more MANIFEST_BLOB_UNKNOWN";
const ONE_READING: &str = "CVE-2021-41190: one document, one reading";
const TOO_LARGE: &str = "OCI 1.1, pushing manifests: over the limit SHOULD be 413";

pub(super) fn put(media_type: &str, document: impl Into<Vec<u8>>) -> Request {
    let request = Request::new("PUT", "/v2/library/app/manifests/next").body(document);
    if media_type.is_empty() { request } else { request.header("Content-Type", media_type) }
}

/// The document with fields set.
pub(super) fn with(mut document: Value, changes: &Value) -> String {
    for (key, value) in changes.as_object().unwrap() {
        document[key] = value.clone();
    }
    document.to_string()
}

pub(super) fn image() -> Value {
    serde_json::from_slice(&Image::of("one").manifest).unwrap()
}

/// The image without its `mediaType`.
fn untyped() -> Value {
    let mut document = image();
    document.as_object_mut().unwrap().remove("mediaType");
    document
}

fn index(children: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children })
}

fn digest_of(descriptor: &Value) -> Value {
    descriptor["digest"].clone()
}

/// What is sent as what, and what it refers to.
pub(super) fn rows() -> Vec<Row> {
    [kinds(), references(), sizes()].concat()
}

fn kinds() -> Vec<Row> {
    const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    const SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    const UNSIGNED: &str = "application/vnd.docker.distribution.manifest.v1+json";
    const OLD: &str = "src/README.md: schema1 behind compatibility.schema1.enabled";
    let image_with = |changes: Value| with(image(), &changes);
    let children = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    let schema1 = image_with(json!({ "schemaVersion": 1, "fsLayers": [], "history": [] }));
    let rows = [
        ("a manifest says what it is", "", untyped().to_string(), KIND),
        ("a manifest is not just JSON", "application/json", image().to_string(), KIND),
        ("a manifest is not just octets", "application/octet-stream", image().to_string(), KIND),
        ("an OCI artifact manifest is of the past", ARTIFACT, image().to_string(), KIND),
        ("signed schema 1 is of the past", SIGNED, schema1.clone(), OLD),
        ("unsigned schema 1 is of the past", UNSIGNED, schema1, OLD),
        (
            "header and document name the same type",
            OCI_MANIFEST,
            image_with(json!({ "mediaType": DOCKER_MANIFEST })),
            ONE_READING,
        ),
        ("an index is not sent as an image", OCI_MANIFEST, index(&[]).to_string(), ONE_READING),
        ("an image is not sent as an index", OCI_INDEX, image().to_string(), ONE_READING),
        ("a Docker manifest says so itself", DOCKER_MANIFEST, untyped().to_string(), ONE_READING),
        ("a Docker list says so itself", DOCKER_LIST, children, ONE_READING),
        (
            "an image has no list of manifests",
            OCI_MANIFEST,
            image_with(json!({ "manifests": [] })),
            ONE_READING,
        ),
        (
            "an image has no list of manifests in capitals",
            OCI_MANIFEST,
            image_with(json!({ "Manifests": [] })),
            ONE_READING,
        ),
        (
            "an index has no layers",
            OCI_INDEX,
            with(index(&[]), &json!({ "layers": [] })),
            ONE_READING,
        ),
    ];
    let row = |(name, kind, document, source)| {
        Row::new(name, put(kind, document)).gets(400, "MANIFEST_INVALID", source).peer(Peer::Same)
    };
    rows.map(row).to_vec()
}

fn references() -> Vec<Row> {
    let (config, layer) = (descriptor(CONFIG, b"no config"), descriptor(LAYER, b"no layer"));
    let elsewhere = descriptor(LAYER, &Image::of("two").layer);
    let child = descriptor(OCI_MANIFEST, b"no manifest");
    let blob = descriptor(OCI_MANIFEST, &Image::of("one").layer);
    let foreign = json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": layer["digest"], "size": 8, "urls": ["ftp://example.com/layer"],
    });
    let missing = |name, media_type, document: String, details: &[Value]| {
        let mut row = Row::new(name, put(media_type, document));
        row.details = Some(details.iter().map(digest_of).collect());
        row.gets(400, "MANIFEST_BLOB_UNKNOWN", MISSING).peer(Peer::Same)
    };
    vec![
        missing(
            "every blob that is missing is told",
            OCI_MANIFEST,
            with(image(), &json!({ "config": config, "layers": [layer, elsewhere] })),
            &[config.clone(), layer.clone(), elsewhere.clone()],
        ),
        missing(
            "a blob of another repository is missing in this one",
            OCI_MANIFEST,
            with(image(), &json!({ "layers": [elsewhere] })),
            &[elsewhere],
        ),
        missing(
            "a child that nobody pushed is missing",
            OCI_INDEX,
            index(std::slice::from_ref(&child)).to_string(),
            &[child],
        ),
        missing(
            "a blob is no child of an index",
            OCI_INDEX,
            index(std::slice::from_ref(&blob)).to_string(),
            &[blob],
        )
        // It asks only whether the bytes are there.
        .peer(Peer::Differs(201, "")),
        Row::new(
            "a foreign layer under a URL that leads nowhere is not allowed",
            put(
                DOCKER_MANIFEST,
                with(image(), &json!({ "mediaType": DOCKER_MANIFEST, "layers": [foreign] })),
            ),
        )
        .gets(400, "MANIFEST_INVALID", "unlike Distribution: 2.8.2 answers 500")
        .peer(Peer::Differs(500, "UNKNOWN")),
    ]
}

fn sizes() -> Vec<Row> {
    let mut large = with(image(), &json!({ "annotations": { "a": "" } })).into_bytes();
    large.resize(TOO_MUCH, b' ');
    let mut chunked = format!("{TOO_MUCH:x}\r\n").into_bytes();
    chunked.extend_from_slice(&large);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let announced = put(OCI_MANIFEST, "").header("Content-Length", TOO_MUCH.to_string());
    let endless = put(OCI_MANIFEST, chunked).header("Transfer-Encoding", "chunked");
    let too_large = |name, request| {
        Row::new(name, request)
            .gets(413, "MANIFEST_INVALID", TOO_LARGE)
            .peer(Peer::Differs(400, "MANIFEST_INVALID"))
    };
    vec![
        // Not even read: the body never comes.
        too_large("a manifest announced as over 4 MiB is too large", announced)
            .peer(Peer::NotAsked("it waits for the body")),
        too_large("a manifest of over 4 MiB is too large", put(OCI_MANIFEST, large)),
        too_large("a manifest of over 4 MiB in chunks is too large", endless),
    ]
}
