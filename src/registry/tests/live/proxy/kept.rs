//! What is fetched is kept, and served when the other registry is gone.

use serde_json::json;

use super::{code, digest, get, head, manifest, proxy, push, push_blob};
use crate::server::{Running, eventually};

const STALE: &str = "299 - \"the upstream registry cannot be asked; this may be out of date\"";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_once_and_outlives_the_registry_behind() {
    let upstream = Running::start();
    let pushed = push(&mut upstream.client().await, "group/app", "v1", b"layer").await;
    let proxy = proxy(&format!("http://{}", upstream.address), "");
    let first = get(&proxy, "/v2/group/app/manifests/v1").await.expect(200);
    assert_eq!(first.body, pushed);
    assert_eq!(first.header("docker-content-digest"), Some(&*digest(&pushed).to_string()));
    assert_eq!(first.header("warning"), None);
    let layer = format!("/v2/group/app/blobs/{}", digest(b"layer"));
    assert_eq!(get(&proxy, &layer).await.expect(200).body, b"layer");
    let folder = upstream.into_folder().await;
    let again = get(&proxy, "/v2/group/app/manifests/v1").await.expect(200);
    assert_eq!((again.body.as_slice(), again.header("warning")), (pushed.as_slice(), Some(STALE)));
    let by_digest = format!("/v2/group/app/manifests/{}", digest(&pushed));
    let by_digest = get(&proxy, &by_digest).await.expect(200);
    assert_eq!(by_digest.header("warning"), None, "what a digest names is never out of date");
    assert_eq!(get(&proxy, &layer).await.expect(200).body, b"layer");
    let tags = get(&proxy, "/v2/group/app/tags/list").await.expect(200);
    assert_eq!(tags.json(), json!({ "name": "group/app", "tags": ["v1"] }));
    assert_eq!(tags.header("warning"), Some(STALE));
    assert_eq!(get(&proxy, "/v2/group/app/manifests/v2").await.status, 502);
    assert_eq!(get(&proxy, &format!("/v2/group/app/blobs/{}", digest(b"{}"))).await.status, 502);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_what_it_is_there_now_and_a_tag_that_is_gone_there_is_gone() {
    let upstream = Running::configured("  delete: {enabled: true}", tempfile::tempdir().unwrap());
    let mut client = upstream.client().await;
    push(&mut client, "app", "latest", b"one").await;
    let proxy = proxy(&format!("http://{}", upstream.address), "");
    assert_eq!(get(&proxy, "/v2/app/manifests/latest").await.body, manifest(b"one"));
    push(&mut client, "app", "latest", b"two").await;
    push(&mut client, "app", "other", b"one").await;
    assert_eq!(get(&proxy, "/v2/app/manifests/latest").await.body, manifest(b"two"));
    // What is here under its digest only gets another tag.
    assert_eq!(get(&proxy, "/v2/app/manifests/other").await.body, manifest(b"one"));
    let one = digest(&manifest(b"one")).to_string();
    let link = "docker/registry/v2/repositories/app/_manifests/tags/other/current/link";
    assert_eq!(proxy.stored(link), Some(one));
    client.ask("DELETE", "/v2/app/manifests/latest", "").await.expect(202);
    let gone = get(&proxy, "/v2/app/manifests/latest").await.expect(404);
    assert_eq!(code(&gone), "MANIFEST_UNKNOWN");
    assert_eq!(code(&get(&proxy, "/v2/nothing/tags/list").await.expect(404)), "NAME_UNKNOWN");
    let none = format!("/v2/app/blobs/{}", digest(b"none"));
    assert_eq!(code(&get(&proxy, &none).await.expect(404)), "BLOB_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_says_what_is_there_and_fetches_nothing() {
    let upstream = Running::start();
    let pushed = push(&mut upstream.client().await, "app", "v1", b"layer").await;
    let proxy = proxy(&format!("http://{}", upstream.address), "");
    let said = head(&proxy, "/v2/app/manifests/v1").await.expect(200);
    assert_eq!(said.header("docker-content-digest"), Some(&*digest(&pushed).to_string()));
    assert_eq!(said.header("content-length"), Some(&*pushed.len().to_string()));
    assert_eq!(said.header("content-type"), Some(super::MANIFEST));
    let layer = format!("/v2/app/blobs/{}", digest(b"layer"));
    assert_eq!(head(&proxy, &layer).await.expect(200).header("content-length"), Some("5"));
    assert_eq!(head(&proxy, "/v2/app/manifests/none").await.status, 404);
    let catalog = get(&proxy, "/v2/_catalog").await.expect(200).json();
    assert_eq!(catalog, json!({ "repositories": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pushed_to_a_cache_and_nothing_deleted() {
    let upstream = Running::start();
    push(&mut upstream.client().await, "app", "v1", b"layer").await;
    let sections =
        format!("  delete: {{enabled: true}}\nproxy: {{remoteurl: 'http://{}'}}", upstream.address);
    let proxy = Running::configured(&sections, tempfile::tempdir().unwrap());
    get(&proxy, "/v2/app/manifests/v1").await.expect(200);
    let blob = format!("/v2/app/blobs/{}", digest(b"layer"));
    for (method, target) in [
        ("POST", "/v2/app/blobs/uploads/"),
        ("PUT", "/v2/app/manifests/v1"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("DELETE", &blob),
    ] {
        let refused = proxy.client().await.ask(method, target, "").await.expect(405);
        assert_eq!(code(&refused), "UNSUPPORTED", "{method} {target}");
        assert!(!refused.header("allow").unwrap().contains(method));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_goes_after_its_time_and_what_was_pushed_stays() {
    let upstream = Running::start();
    push(&mut upstream.client().await, "app", "v1", b"fetched").await;
    // The folder was an ordinary registry's before.
    let before = Running::start();
    push(&mut before.client().await, "own", "v1", b"pushed").await;
    push_blob(&mut before.client().await, "own", b"both").await;
    push_blob(&mut upstream.client().await, "app", b"both").await;
    let folder = before.into_folder().await;
    let sections = format!("proxy: {{remoteurl: 'http://{}', ttl: 400ms}}", upstream.address);
    let proxy = Running::configured(&sections, folder);
    get(&proxy, "/v2/app/manifests/v1").await.expect(200);
    for layer in [&b"fetched"[..], b"both"] {
        get(&proxy, &format!("/v2/app/blobs/{}", digest(layer))).await.expect(200);
    }
    let path = |bytes: &[u8]| {
        let hex = digest(bytes).to_hex();
        format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])
    };
    let gone = [path(b"fetched"), path(&manifest(b"fetched"))];
    eventually("it expires", || gone.iter().all(|path| proxy.stored(path).is_none())).await;
    let tag = "docker/registry/v2/repositories/app/_manifests/tags/v1/current/link";
    eventually("the tag goes", || proxy.stored(tag).is_none()).await;
    eventually("the record is empty", || {
        proxy.stored("scheduler-state.json").as_deref() == Some("{}")
    })
    .await;
    let link = format!(
        "docker/registry/v2/repositories/app/_layers/sha256/{}/link",
        digest(b"both").to_hex()
    );
    assert_eq!(proxy.stored(&link), None);
    for stays in [&b"pushed"[..], b"both", &manifest(b"pushed")] {
        assert!(proxy.stored(&path(stays)).is_some(), "{}", String::from_utf8_lossy(stays));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_may_not_write_passes_everything_through() {
    let upstream = Running::start();
    let pushed = push(&mut upstream.client().await, "app", "v1", b"layer").await;
    let proxy = proxy(&format!("http://{}", upstream.address), "");
    proxy.control.set_read_only(true);
    assert_eq!(get(&proxy, "/v2/app/manifests/v1").await.expect(200).body, pushed);
    let layer = format!("/v2/app/blobs/{}", digest(b"layer"));
    assert_eq!(get(&proxy, &layer).await.expect(200).body, b"layer");
    let parts = proxy.client().await.get(&layer, "Range: bytes=1-2\r\n").await.expect(200);
    assert_eq!(parts.body, b"layer");
    assert_eq!(
        proxy.stored("docker/registry/v2/repositories/app/_manifests/tags/v1/current/link"),
        None
    );
    proxy.control.set_read_only(false);
    let parts = proxy.client().await.get(&layer, "Range: bytes=1-2\r\n").await.expect(206);
    assert_eq!(parts.body, b"ay");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_written_when_the_cache_stops() {
    let upstream = Running::start();
    let pushed = push(&mut upstream.client().await, "app", "v1", b"layer").await;
    let proxy = proxy(&format!("http://{}", upstream.address), "");
    get(&proxy, "/v2/app/manifests/v1").await.expect(200);
    let folder = proxy.into_folder().await;
    let text = std::fs::read_to_string(folder.path().join("data/scheduler-state.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let key = format!("app@{}", digest(&pushed));
    assert_eq!((&record[&key]["Key"], &record[&key]["EntryType"]), (&json!(key), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_pushed_stays_when_its_tag_is_moved() {
    let upstream = Running::start();
    let mut client = upstream.client().await;
    push(&mut client, "app", "latest", b"one").await;
    push(&mut client, "app", "fetched", b"two").await;
    // The folder was an ordinary registry's before, and its tag pointed elsewhere.
    let before = Running::start();
    push(&mut before.client().await, "app", "own", b"one").await;
    let folder = before.into_folder().await;
    let sections = format!("proxy: {{remoteurl: 'http://{}', ttl: 400ms}}", upstream.address);
    let proxy = Running::configured(&sections, folder);
    get(&proxy, "/v2/app/manifests/latest").await.expect(200);
    get(&proxy, "/v2/app/manifests/fetched").await.expect(200);
    let tag = |name: &str| {
        proxy.stored(&format!(
            "docker/registry/v2/repositories/app/_manifests/tags/{name}/current/link"
        ))
    };
    assert!(tag("latest").is_some());
    eventually("what was fetched goes", || tag("fetched").is_none()).await;
    eventually("the record is empty", || {
        proxy.stored("scheduler-state.json").as_deref() == Some("{}")
    })
    .await;
    assert_eq!(tag("latest"), Some(digest(&manifest(b"one")).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_repositories_have_fetched_goes_with_the_last() {
    let upstream = Running::start();
    let mut client = upstream.client().await;
    push_blob(&mut client, "one", b"both").await;
    push_blob(&mut client, "other", b"both").await;
    let sections = format!("proxy: {{remoteurl: 'http://{}', ttl: 2s}}", upstream.address);
    let proxy = Running::configured(&sections, tempfile::tempdir().unwrap());
    let hex = digest(b"both").to_hex();
    let fetch = async |name: &str| {
        let target = format!("/v2/{name}/blobs/{}", digest(b"both"));
        get(&proxy, &target).await.expect(200);
    };
    let link = |name: &str| {
        let path = format!("docker/registry/v2/repositories/{name}/_layers/sha256/{hex}/link");
        proxy.stored(&path).is_some()
    };
    let bytes =
        || proxy.stored(&format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    fetch("one").await;
    let began = std::time::Instant::now();
    eventually("some time passes", || began.elapsed().as_millis() > 1000).await;
    fetch("other").await;
    eventually("the first link goes", || !link("one")).await;
    if link("other") {
        assert_eq!(bytes().as_deref(), Some("both"));
    }
    eventually("the other link goes", || !link("other")).await;
    eventually("the bytes go", || bytes().is_none()).await;
}
