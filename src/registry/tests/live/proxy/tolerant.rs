//! Registries that answer less than they should, and can be cached all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use super::{MANIFEST, digest, get, head, manifest, proxy, push_blob};
use crate::{
    client::Client,
    receiver::{Mood, Receiver},
    server::{Running, eventually},
    upstream::{Asked, Reply, Upstream},
};

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const SCHEMA2: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A blob of some size.
const BLOB: &[u8] = &[b'a'; 100_000];

fn blob() -> String {
    format!("/v2/app/blobs/{}", digest(BLOB))
}

/// A registry with one image, whose answers are changed.
async fn changed(change: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) -> Upstream {
    let image = manifest(BLOB);
    Upstream::start(move |asked| {
        let reply = match asked.target.contains("/manifests/") {
            true => Reply::body(&image)
                .header("Content-Type", MANIFEST)
                .header("Docker-Content-Digest", digest(&image).to_string()),
            false => Reply::body(BLOB),
        };
        change(asked, reply)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_refuses_head_is_asked_with_get() {
    for status in [405, 501] {
        let upstream = changed(move |asked, reply| match asked.method.as_str() {
            "HEAD" => Reply::status(status),
            _ => reply,
        })
        .await;
        let proxy = proxy(&upstream.url(), "");
        let image = manifest(BLOB);
        let said = head(&proxy, "/v2/app/manifests/v1").await.expect(200);
        assert_eq!(said.header("docker-content-digest"), Some(&*digest(&image).to_string()));
        assert_eq!(said.header("content-length"), Some(&*image.len().to_string()));
        assert_eq!(get(&proxy, "/v2/app/manifests/v1").await.expect(200).body, image);
        let said = head(&proxy, &blob()).await.expect(200);
        assert_eq!(said.header("content-length"), Some(&*BLOB.len().to_string()));
        assert!(get(&proxy, &blob()).await.expect(200).body == BLOB);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_whose_length_only_head_says_is_kept() {
    let upstream = changed(|asked, reply| match asked.method.as_str() {
        "GET" if asked.target.contains("/blobs/") => reply.chunked(),
        _ => reply,
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    for _ in 0..2 {
        let answer = get(&proxy, &blob()).await.expect(200);
        assert_eq!(answer.header("content-length"), Some(&*BLOB.len().to_string()));
        assert!(answer.body == BLOB);
    }
    assert_eq!(upstream.asked("GET", &blob()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_whose_length_nobody_says_passes_through_and_is_verified() {
    let is_wrong = Arc::new(AtomicBool::new(false));
    let upstream = changed({
        let is_wrong = Arc::clone(&is_wrong);
        move |asked, reply| match is_wrong.load(Ordering::SeqCst) {
            _ if !asked.target.contains("/blobs/") => reply,
            true => Reply::body(b"something else").chunked(),
            false => reply.chunked(),
        }
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    // It is there: a HEAD says what a GET does, of which 2.8.2 says 500.
    let said = head(&proxy, &blob()).await.expect(200);
    assert_eq!(said.header("docker-content-digest"), Some(&*digest(BLOB).to_string()));
    assert_eq!(said.header("content-length"), None);
    let answer = get(&proxy, &blob()).await.expect(200);
    assert_eq!(answer.header("content-length"), None);
    assert!(answer.is_whole && answer.body == BLOB);
    is_wrong.store(true, Ordering::SeqCst);
    let mut client = proxy.client().await;
    client.begin("GET", &blob(), 0).await;
    assert!(client.answer().await.is_none_or(|answer| !answer.is_whole));
    assert!(proxy.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_has_bytes_is_never_served_as_one_that_has_none() {
    // The other side says that it is empty, to a HEAD too or to a GET only.
    for methods in [&["GET"][..], &["GET", "HEAD"]] {
        let upstream = changed(move |asked, reply| {
            let is_wrong = asked.target.contains("/blobs/");
            match is_wrong && methods.contains(&asked.method.as_str()) {
                true => Reply::body(b""),
                false => reply,
            }
        })
        .await;
        let proxy = proxy(&upstream.url(), "");
        let mut client = proxy.client().await;
        client.begin("GET", &blob(), 0).await;
        let answer = client.answer().await;
        assert!(answer.is_none_or(|answer| !answer.is_whole || answer.status != 200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_other_side_ends_is_no_failure() {
    let upstream = changed(|_, reply| reply.kept()).await;
    let proxy = proxy(&upstream.url(), "");
    for index in 0..5 {
        let target = format!("/v2/app{index}/blobs/{}", digest(BLOB));
        assert_eq!(head(&proxy, &target).await.status, 200);
        assert!(get(&proxy, &target).await.expect(200).body == BLOB);
        get(&proxy, &format!("/v2/app{index}/manifests/v1")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_hangs_silences_no_other() {
    let upstream = changed(|asked, reply| match asked.target.contains("/hangs/") {
        true => Reply::silence(),
        false => reply,
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    assert_eq!(get(&proxy, "/v2/hangs/manifests/v1").await.status, 504);
    let others = upstream.asked("HEAD", "v1").len();
    get(&proxy, "/v2/app/manifests/v1").await.expect(200);
    assert_eq!(get(&proxy, "/v2/hangs/manifests/v1").await.status, 502, "it is left alone");
    assert_eq!(upstream.asked("HEAD", "v1").len(), others + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_manifest_that_hangs_do_not_wait_one_after_another() {
    let upstream = changed(|_, _| Reply::silence()).await;
    let proxy = proxy(&upstream.url(), "");
    let target = format!("/v2/app/manifests/{}", digest(&manifest(BLOB)));
    let began = Instant::now();
    let ask = || get(&proxy, &target);
    let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
    for answer in [one, two, three, four] {
        assert!(matches!(answer.status, 502 | 504), "{answer:?}");
    }
    // One of them waits for as long as a document may take, which is 20 s.
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(upstream.asked("GET", &target).len(), 1);
}

/// Pushes an image of Docker's schema 2.
async fn push_docker(client: &mut Client) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64",
        "rootfs": { "type": "layers", "diff_ids": [digest(b"a").to_string()] },
        "history": [{ "created_by": "COPY" }],
    })
    .to_string();
    let descriptor = |bytes: &[u8]| json!({ "mediaType": "text/plain", "digest": digest(bytes).to_string(), "size": bytes.len() });
    push_blob(client, "app", config.as_bytes()).await;
    push_blob(client, "app", b"layer").await;
    let (config, layer) = (descriptor(config.as_bytes()), descriptor(b"layer"));
    let image = json!({
        "schemaVersion": 2, "mediaType": SCHEMA2, "config": config, "layers": [layer],
    })
    .to_string();
    let headers = [("content-type", SCHEMA2)];
    client.ask_with(("PUT", "/v2/app/manifests/v1"), &headers, &image).await.expect(201);
    image.into_bytes()
}

/// A cache that knows Docker's schema 1.
fn old(url: &str) -> Running {
    let sections =
        format!("proxy: {{remoteurl: '{url}'}}\ncompatibility: {{schema1: {{enabled: true}}}}");
    Running::configured(&sections, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_made_older_for_old_clients_in_front_of_another_registry_too() {
    let upstream = Running::start();
    push_docker(&mut upstream.client().await).await;
    let proxy = old(&format!("http://{}", upstream.address));
    for method in ["HEAD", "GET"] {
        let answer = proxy.client().await.ask(method, "/v2/app/manifests/v1", "").await.expect(200);
        assert_eq!(answer.header("content-type"), Some(SCHEMA1), "{method}");
    }
    let headers = [("accept", SCHEMA2)];
    let mut client = proxy.client().await;
    let newer = client.ask_with(("GET", "/v2/app/manifests/v1"), &headers, "").await.expect(200);
    assert_eq!(newer.header("content-type"), Some(SCHEMA2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_schema_1_only_is_cached_where_that_is_enabled() {
    let source =
        Running::with_more("draintimeout: 60s", "compatibility: {schema1: {enabled: true}}");
    push_docker(&mut source.client().await).await;
    let signed = get(&source, "/v2/app/manifests/v1").await.expect(200);
    let id = signed.header("docker-content-digest").unwrap().to_owned();
    let upstream = Upstream::start({
        let (document, id) = (signed.body.clone(), id.clone());
        move |_: &Asked| {
            Reply::body(&document)
                .header("Content-Type", SCHEMA1)
                .header("Docker-Content-Digest", id.as_str())
        }
    })
    .await;
    let proxy = old(&upstream.url());
    for target in ["/v2/app/manifests/v1".to_owned(), format!("/v2/app/manifests/{id}")] {
        let said = head(&proxy, &target).await.expect(200);
        let answer = get(&proxy, &target).await.expect(200);
        for answer in [&said, &answer] {
            assert_eq!(answer.header("content-type"), Some(SCHEMA1));
            assert_eq!(answer.header("docker-content-digest"), Some(id.as_str()));
        }
        assert_eq!(said.header("content-length"), Some(&*answer.body.len().to_string()));
        assert_eq!(answer.json()["name"], "app");
    }
    assert_eq!(upstream.asked("GET", "").len(), 1);
    // Where it is not enabled, both say so.
    let newer = super::proxy(&upstream.url(), "");
    assert_eq!(head(&newer, "/v2/app/manifests/v1").await.status, 502);
    assert_eq!(get(&newer, "/v2/app/manifests/v1").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_after_a_manifest_is_told_as_a_pull() {
    let receiver = Receiver::start(Mood::Answers(200)).await;
    let upstream = changed(|_, reply| reply).await;
    let sections = format!(
        "proxy: {{remoteurl: '{}'}}\nnotifications: {{endpoints: [{{name: one, url: '{}', timeout: 2s, backoff: 10ms, threshold: 1}}]}}",
        upstream.url(),
        receiver.url()
    );
    let proxy = Running::configured(&sections, tempfile::tempdir().unwrap());
    head(&proxy, "/v2/app/manifests/v1").await.expect(200);
    eventually("it is told", || receiver.events().len() == 1).await;
    let event = receiver.events().remove(0);
    let image = manifest(BLOB);
    let expected = (json!("pull"), json!(digest(&image).to_string()), json!(image.len()));
    let target = &event["target"];
    assert_eq!(
        (event["action"].clone(), target["digest"].clone(), target["size"].clone()),
        expected
    );
    assert_eq!((&target["tag"], &target["mediaType"]), (&json!("v1"), &json!(MANIFEST)));
}
