//! Repairs that a verification asks for, over the admin socket.

use serde_json::{Value, json};

use crate::{
    pusher::{MANIFEST, image, push_blob, put, sha256},
    server::Running,
};

async fn mended(running: &Running, repair: Value) -> Value {
    let body = json!({ "repairs": [repair] }).to_string();
    let answer = running.admin().await.ask("POST", "/v1/repairs", &body).await.expect(200).json();
    answer["answers"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_repaired_that_is_in_order() {
    let running = Running::start();
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    push_blob(&mut client, "other", "secret").await;
    let document = image(MANIFEST, "x");
    put(&mut client, "/v2/app/manifests/v1", &document, &[]).await.expect(201);
    let (manifest, config) = (sha256(&document.to_string()), sha256("{}"));
    let begin = json!({"kind": "begin", "run": "20261123T000000Z-0", "index": "{}"});
    assert_eq!(mended(&running, begin).await, json!({"outcome": "done"}));
    for repair in [
        json!({"kind": "tag-index", "repository": "app", "tag": "v1", "digest": manifest}),
        json!({"kind": "tag-index", "repository": "app", "tag": "v1", "digest": config}),
        json!({"kind": "tag-index", "repository": "app", "tag": "v2", "digest": manifest}),
        json!({"kind": "tag", "repository": "app", "tag": "v1", "digest": config}),
        json!({"kind": "revision", "repository": "app", "digest": manifest}),
        json!({"kind": "revision", "repository": "other", "digest": manifest}),
        json!({"kind": "layer", "repository": "app", "digest": config, "manifest": manifest}),
        // Another repository's blob, which no manifest of this one names.
        json!({"kind": "layer", "repository": "app", "digest": sha256("secret"), "manifest": manifest}),
        json!({"kind": "layer", "repository": "other", "digest": config, "manifest": manifest}),
        json!({"kind": "dangling", "repository": "app", "digest": config}),
        json!({"kind": "quarantine", "digest": config, "run": "20261123T000000Z-0"}),
        json!({"kind": "folders", "repository": "nobody"}),
    ] {
        assert_eq!(
            mended(&running, repair.clone()).await,
            json!({"outcome": "unneeded"}),
            "{repair}"
        );
    }
    client.ask("GET", &format!("/v2/app/blobs/{config}"), "").await.expect(200);
    client.ask("GET", &format!("/v2/app/blobs/{}", sha256("secret")), "").await.expect(404);
    client.ask("GET", "/v2/app/manifests/v1", "").await.expect(200);
    client.ask("GET", "/v2/nobody/tags/list", "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_read_and_a_registry_that_is_read_only_change_nothing() {
    let running = Running::start();
    let mut admin = running.admin().await;
    for bad in [
        json!({"kind": "everything"}),
        json!({"kind": "folders", "repository": "../app"}),
        json!({"kind": "folders", "repository": "app", "more": 1}),
        json!({"kind": "dangling", "repository": "app"}),
    ] {
        let body = json!({ "repairs": [bad] }).to_string();
        admin.ask("POST", "/v1/repairs", &body).await.expect(400);
    }
    admin.ask("GET", "/v1/repairs", "").await.expect(405);
    running.control.set_read_only(true);
    let body = json!({ "repairs": [] }).to_string();
    let refused = admin.ask("POST", "/v1/repairs", &body).await.expect(409);
    assert!(refused.json()["error"].as_str().unwrap().contains("read-only"));
    running.control.set_read_only(false);
    let repair = json!({"kind": "begin", "run": "20261123T000000Z-1", "index": "{}"});
    let body = json!({ "store": "filesystem 0 0", "repairs": [repair] }).to_string();
    let refused = admin.ask("POST", "/v1/repairs", &body).await.expect(409);
    assert!(refused.json()["error"].as_str().unwrap().contains("another storage"));
}
