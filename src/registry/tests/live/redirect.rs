//! Blobs that clients get elsewhere.

use oci::{Algorithm, Digest};

use crate::{client::Client, server::Running};

const REDIRECT: &str = "middleware: {storage: [{name: redirect, options: {baseurl: 'https://cdn.example.com/base/'}}]}";

async fn pushed(running: &Running) -> (Client, Digest) {
    let mut client = running.client().await;
    let digest = Digest::of(Algorithm::Sha256, b"hello");
    let begun = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.ask("PUT", &format!("{begun}&digest={digest}"), "hello").await.expect(201);
    (client, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_found_under_its_path_in_the_storage() {
    let running = Running::configured(REDIRECT, tempfile::tempdir().unwrap());
    let (mut client, digest) = pushed(&running).await;
    let target = format!("/v2/app/blobs/{digest}");
    let hex = digest.to_hex();
    let url = format!(
        "https://cdn.example.com/base/docker/registry/v2/blobs/sha256/{}/{hex}/data",
        &hex[..2]
    );
    for method in ["GET", "HEAD"] {
        let answer = client.ask(method, &target, "").await.expect(307);
        assert_eq!(answer.header("location"), Some(url.as_str()));
        assert_eq!(answer.header("docker-content-digest"), Some(&*digest.to_string()));
    }
    client.get(&target, &format!("If-None-Match: \"{digest}\"\r\n")).await.expect(304);
    let none = Digest::of(Algorithm::Sha256, b"none");
    client.ask("GET", &format!("/v2/app/blobs/{none}"), "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_are_disabled_send_nobody_away() {
    let sections = format!("  redirect: {{disable: true}}\n{REDIRECT}");
    let running = Running::configured(&sections, tempfile::tempdir().unwrap());
    let (mut client, digest) = pushed(&running).await;
    let answer = client.ask("GET", &format!("/v2/app/blobs/{digest}"), "").await.expect(200);
    assert_eq!(answer.body, b"hello");
}
