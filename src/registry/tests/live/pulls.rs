//! A tag that the registry pulls from its own storage, over the admin socket.

use serde_json::{Value, json};

use crate::{
    pusher::{INDEX, MANIFEST, descriptor, image, push, push_blob, put, sha256},
    server::Running,
};

async fn pulled(running: &Running, repository: &str, tag: &str, read: bool) -> (u16, Value) {
    let body = json!({ "repository": repository, "tag": tag, "read": read }).to_string();
    let answer = running.admin().await.ask("POST", "/v1/pull", &body).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_pulled_with_all_that_it_names() {
    let running = Running::start();
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let document = image(MANIFEST, "x");
    push(&mut client, "app", &document).await;
    let text = document.to_string();
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, &text)],
    });
    put(&mut client, "/v2/app/manifests/v1", &index, &[]).await.expect(201);
    let bytes = index.to_string().len() + text.len() + 2;
    let digest = sha256(&index.to_string());
    for read in [false, true] {
        let expected = json!({ "schema": 1, "digest": digest, "blobs": 3, "bytes": bytes });
        assert_eq!(pulled(&running, "app", "v1", read).await, (200, expected));
    }
    let (status, said) = pulled(&running, "app", "v2", true).await;
    assert_eq!((status, said["error"].as_str().unwrap().contains("v2")), (409, true), "{said}");
    let (status, said) = pulled(&running, "../app", "v1", true).await;
    assert_eq!(status, 400, "{said}");
    // Its length says nothing about a blob's bytes.
    let hex = sha256("{}").to_hex();
    let path = running.path(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
    std::fs::write(path, "[]").unwrap();
    assert_eq!(pulled(&running, "app", "v1", false).await.0, 200);
    let (status, said) = pulled(&running, "app", "v1", true).await;
    let damaged = format!("the bytes of {} are others than its name says", sha256("{}"));
    assert_eq!((status, &said["error"]), (409, &json!(damaged)));
}
