//! Docker's schema 1, where it is enabled and where it is not.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    client::{Answer, Client},
    server::Running,
};

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const SCHEMA2: &str = "application/vnd.docker.distribution.manifest.v2+json";
const IMAGE: &str = "/v2/app/manifests/image";
const EMPTY: &str = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";

fn digest(bytes: impl AsRef<[u8]>) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

async fn push_blob(client: &mut Client, bytes: &str) -> Value {
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    let digest = digest(bytes);
    client.ask("PUT", &format!("{upload}&digest={digest}"), bytes).await.expect(201);
    json!({ "mediaType": "text/plain", "digest": digest, "size": bytes.len() })
}

/// Pushes an image of schema 2 whose second step has no layer.
async fn push_image(client: &mut Client) {
    let config = json!({
        "architecture": "amd64",
        "rootfs": { "type": "layers", "diff_ids": [digest("a")] },
        "history": [{ "created_by": "COPY" }, { "created_by": "CMD", "empty_layer": true }],
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": SCHEMA2,
        "config": push_blob(client, &config.to_string()).await,
        "layers": [push_blob(client, "layer").await],
    });
    let headers = [("content-type", SCHEMA2)];
    client.ask_with(("PUT", IMAGE), &headers, &manifest.to_string()).await.expect(201);
}

async fn enable(running: &Running, enabled: bool) {
    running.rewrite(|text| {
        let text =
            text.lines().filter(|line| !line.starts_with("compatibility")).collect::<Vec<_>>();
        format!("{}\ncompatibility: {{schema1: {{enabled: {enabled}}}}}\n", text.join("\n"))
    });
    let reloaded = running.admin().await.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(reloaded["applied"], json!(["compatibility.schema1.enabled"]));
}

fn kind(answer: &Answer) -> &str {
    answer.header("content-type").unwrap()
}

/// Pulls the image as an old client, which gets schema 1.
async fn converted(client: &mut Client) -> Answer {
    let answer = client.ask("GET", IMAGE, "").await.expect(200);
    assert_eq!(kind(&answer), SCHEMA1);
    assert_eq!(answer.header("vary"), Some("Accept"));
    answer
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_enables_it_and_old_clients_get_what_they_can_read() {
    let running = Running::start();
    let mut client = running.client().await;
    push_image(&mut client).await;
    let stored = client.ask("GET", IMAGE, "").await.expect(200);
    assert_eq!((kind(&stored), stored.header("vary")), (SCHEMA2, None));
    enable(&running, true).await;
    let made = converted(&mut client).await;
    assert_ne!(made.header("docker-content-digest"), stored.header("docker-content-digest"));
    let layers = made.json()["fsLayers"].clone();
    assert_eq!(layers, json!([{ "blobSum": EMPTY }, { "blobSum": digest("layer") }]));
    let empty = client.ask("GET", &format!("/v2/app/blobs/{EMPTY}"), "").await.expect(200);
    assert_eq!(digest(empty.body), EMPTY);
    let etag = made.header("etag").unwrap();
    client.ask_with(("GET", IMAGE), &[("if-none-match", etag)], "").await.expect(304);
    // The same to whoever knows no more, and what was pushed to the others.
    for accept in ["*/*", "application/json", SCHEMA1] {
        let answer = client.ask_with(("GET", IMAGE), &[("accept", accept)], "").await.expect(200);
        assert_eq!(answer.header("etag"), made.header("etag"), "{accept}");
    }
    for accept in [SCHEMA2, "text/plain, application/vnd.oci.image.manifest.v1+json"] {
        let answer = client.ask_with(("GET", IMAGE), &[("accept", accept)], "").await.expect(200);
        assert_eq!(answer.body, stored.body, "{accept}");
    }
    let by_digest = stored.header("docker-content-digest").unwrap();
    let by_digest = format!("/v2/app/manifests/{by_digest}");
    assert_eq!(client.ask("GET", &by_digest, "").await.expect(200).body, stored.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_verified_and_served_signed_whatever_is_enabled_then() {
    let running = Running::start();
    let mut client = running.client().await;
    push_image(&mut client).await;
    enable(&running, true).await;
    let made = converted(&mut client).await;
    let id = made.header("docker-content-digest").unwrap().to_owned();
    let document = text(&made);
    let headers = [("content-type", SCHEMA1)];
    let old = "/v2/app/manifests/old";
    let pushed = client.ask_with(("PUT", old), &headers, &document).await.expect(201);
    assert_eq!(pushed.header("docker-content-digest"), Some(&*id));
    let refusals = [
        (old, document.replace("amd64", "arm64"), "MANIFEST_UNVERIFIED"),
        ("/v2/other/manifests/old", document.clone(), "MANIFEST_BLOB_UNKNOWN"),
        (&format!("/v2/app/manifests/{EMPTY}"), document.clone(), "DIGEST_INVALID"),
        (old, "{\"schemaVersion\": 1}".to_owned(), "MANIFEST_INVALID"),
    ];
    for (target, document, code) in refusals {
        let refused = client.ask_with(("PUT", target), &headers, &document).await.expect(400);
        assert_eq!(refused.json()["errors"][0]["code"], code);
    }
    let is_whole = |answer: &Answer| {
        assert_eq!((kind(answer), answer.header("docker-content-digest")), (SCHEMA1, Some(&*id)));
        let text = text(answer);
        let (payload, _) = text.split_once(",\n   \"signatures\"").unwrap();
        digest(format!("{payload}\n}}")) == id
    };
    let by_digest = format!("/v2/app/manifests/{id}");
    for target in [old, &by_digest] {
        assert!(is_whole(&client.ask("GET", target, "").await.expect(200)), "{target}");
    }
    enable(&running, false).await;
    assert!(is_whole(&client.ask("GET", old, "").await.expect(200)));
    for kind in [SCHEMA1, "application/json"] {
        let headers = [("content-type", kind)];
        let refused = client.ask_with(("PUT", old), &headers, &document).await.expect(400).json();
        assert_eq!(refused["errors"][0]["code"], "MANIFEST_INVALID");
        let message = refused["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("schema 1 is disabled (compatibility.schema1.enabled)"),
            "{message}"
        );
    }
    assert_eq!(kind(&client.ask("GET", IMAGE, "").await.expect(200)), SCHEMA2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_read_only_stores_no_layer_for_old_clients() {
    let running = Running::start();
    let mut client = running.client().await;
    push_image(&mut client).await;
    enable(&running, true).await;
    running.control.set_read_only(true);
    assert_eq!(kind(&client.ask("GET", IMAGE, "").await.expect(200)), SCHEMA2);
    running.control.set_read_only(false);
    converted(&mut client).await;
    // It is there now.
    running.control.set_read_only(true);
    converted(&mut client).await;
}
