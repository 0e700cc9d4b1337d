//! A cache in front of another registry: what it keeps, what it asks, and what it makes of a broken one.

mod broken;
mod full;
mod kept;
mod login;
mod referrers;
mod shared;
mod tolerant;

use oci::{Algorithm, Digest};
use serde_json::json;

use crate::{
    client::{Answer, Client},
    server::Running,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// A cache in front of a registry, with more lines in `proxy`.
fn proxy(url: &str, more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    Running::configured(&format!("proxy: {{remoteurl: '{url}'{more}}}"), folder)
}

/// A manifest of one layer.
fn manifest(layer: &[u8]) -> Vec<u8> {
    let descriptor = |bytes: &[u8]| json!({ "mediaType": "application/x", "digest": digest(bytes).to_string(), "size": bytes.len() });
    let config = descriptor(b"{}");
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [descriptor(layer)] })
        .to_string()
        .into_bytes()
}

async fn push_blob(client: &mut Client, name: &str, bytes: &[u8]) {
    let begun = client.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "").await.expect(202);
    let target = format!("{}&digest={}", begun.location(), digest(bytes));
    client.begin("PUT", &target, bytes.len()).await;
    client.send(bytes).await;
    client.answer().await.unwrap().expect(201);
}

/// Pushes an image of one layer; returns its manifest.
async fn push(client: &mut Client, name: &str, tag: &str, layer: &[u8]) -> Vec<u8> {
    push_blob(client, name, b"{}").await;
    push_blob(client, name, layer).await;
    let manifest = manifest(layer);
    let head = format!(
        "PUT /v2/{name}/manifests/{tag} HTTP/1.1\r\nHost: test\r\nContent-Type: {MANIFEST}\r\nContent-Length: {}\r\n\r\n",
        manifest.len()
    );
    client.send(head.as_bytes()).await;
    client.send(&manifest).await;
    client.answer().await.unwrap().expect(201);
    manifest
}

async fn get(running: &Running, target: &str) -> Answer {
    running.client().await.ask("GET", target, "").await
}

async fn head(running: &Running, target: &str) -> Answer {
    running.client().await.ask("HEAD", target, "").await
}

/// The code of the one error in an answer.
fn code(answer: &Answer) -> String {
    answer.json()["errors"][0]["code"].as_str().unwrap().to_owned()
}
