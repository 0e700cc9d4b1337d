//! Content for a server, and the steps that bring it there.

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

pub(crate) fn sha256(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

pub(crate) fn descriptor(media_type: &str, text: &str) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(text), "size": text.len() })
}

/// An image without layers whose configuration is `{}`.
pub(crate) fn image(media_type: &str, name: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(CONFIG, "{}"),
        "layers": [],
        "annotations": { "name": name },
    })
}

/// A document with fields laid over it.
pub(crate) fn with(mut document: Value, fields: Value) -> Value {
    for (key, value) in fields.as_object().unwrap() {
        document[key] = value.clone();
    }
    document
}

pub(crate) async fn push_blob(client: &mut Client, name: &str, text: &str) {
    let target = format!("/v2/{name}/blobs/uploads/?digest={}", sha256(text));
    client.ask("POST", &target, text).await.expect(201);
}

pub(crate) async fn put(
    client: &mut Client,
    target: &str,
    document: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let media_type = document["mediaType"].as_str().unwrap();
    let headers = [&[("Content-Type", media_type)], headers].concat();
    client.ask_with(("PUT", target), &headers, &document.to_string()).await
}

/// Pushes a manifest by its digest, which is returned.
pub(crate) async fn push(client: &mut Client, name: &str, document: &Value) -> Digest {
    let digest = sha256(&document.to_string());
    put(client, &format!("/v2/{name}/manifests/{digest}"), document, &[]).await.expect(201);
    digest
}
