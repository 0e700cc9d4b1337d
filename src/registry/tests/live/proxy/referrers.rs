//! Referrers of another registry: those that its API lists, and those of a tag where it has none.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use serde_json::{Value, json};

use super::{digest, get, proxy};
use crate::{
    client::Answer,
    upstream::{Asked, Reply, Upstream},
};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

const STALE: &str = "299 - \"the upstream registry cannot be asked; this may be out of date\"";

fn entry(text: &str, kind: &str) -> Value {
    json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(text.as_bytes()).to_string(),
        "size": text.len(),
        "artifactType": kind,
    })
}

fn index(entries: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string().into_bytes()
}

fn target(query: &str) -> String {
    format!("/v2/app/referrers/{}{query}", digest(b"subject"))
}

fn listed(answer: &Answer) -> Vec<String> {
    let index = answer.json();
    let entries = index["manifests"].as_array().unwrap().iter();
    let mut digests: Vec<_> =
        entries.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect();
    digests.sort();
    digests
}

fn digests(texts: &[&str]) -> Vec<String> {
    let mut digests: Vec<_> =
        texts.iter().map(|text| digest(text.as_bytes()).to_string()).collect();
    digests.sort();
    digests
}

/// A registry with the API, in two pages, and no tag; it fails, or lists nothing, when told.
async fn with_api() -> (Upstream, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(0));
    let upstream = Upstream::start({
        let mood = Arc::clone(&mood);
        move |asked: &Asked| {
            let is_api = asked.target.contains("/referrers/");
            let page = match mood.load(Ordering::SeqCst) {
                1 => return Reply::status(503),
                2 if is_api => index(&[]),
                _ if !is_api => return Reply::status(404),
                _ if asked.target.ends_with("?page=2") => index(&[entry("b", "text/b")]),
                _ => {
                    let next = format!("<{}?page=2>; rel=\"next\"", asked.target);
                    let page = index(&[entry("a", "text/a")]);
                    return Reply::body(&page).header("Content-Type", INDEX).header("Link", next);
                }
            };
            Reply::body(&page).header("Content-Type", INDEX)
        }
    })
    .await;
    (upstream, mood)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_there_lists_is_listed_filtered_and_kept() {
    let (upstream, mood) = with_api().await;
    let proxy = proxy(&upstream.url(), "");
    let all = get(&proxy, &target("")).await.expect(200);
    assert_eq!((listed(&all), all.header("warning")), (digests(&["a", "b"]), None));
    let some = get(&proxy, &target("?artifactType=text/b")).await.expect(200);
    assert_eq!(listed(&some), digests(&["b"]));
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    let page = get(&proxy, &target("?n=1")).await.expect(200);
    assert_eq!(listed(&page).len(), 1);
    assert!(page.header("link").is_some());
    mood.store(1, Ordering::SeqCst);
    let stale = get(&proxy, &target("")).await.expect(200);
    assert_eq!((listed(&stale), stale.header("warning")), (digests(&["a", "b"]), Some(STALE)));
    // An empty list that would not be true is worse than none.
    let unknown = format!("/v2/app/referrers/{}", digest(b"unknown"));
    assert_eq!(get(&proxy, &unknown).await.status, 502);
    mood.store(2, Ordering::SeqCst);
    let none = get(&proxy, &target("")).await.expect(200);
    assert_eq!((listed(&none), none.header("warning")), (Vec::new(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_api_the_tag_lists_them() {
    let tag = format!("/v2/app/manifests/{}", digest(b"subject").to_string().replace(':', "-"));
    let list = index(&[entry("a", "text/a")]);
    let by_digest = format!("/v2/app/manifests/{}", digest(&list));
    for missing in [404, 405, 400, 403] {
        let upstream = Upstream::start({
            let (tag, list, by_digest) = (tag.clone(), list.clone(), by_digest.clone());
            move |asked: &Asked| match asked.target == tag || asked.target == by_digest {
                true => Reply::body(&list)
                    .header("Content-Type", INDEX)
                    .header("Docker-Content-Digest", digest(&list).to_string()),
                false => Reply::status(missing),
            }
        })
        .await;
        let proxy = proxy(&upstream.url(), "");
        assert_eq!(listed(&get(&proxy, &target("")).await.expect(200)), digests(&["a"]));
    }
    // Refused, an empty list would not be true.
    let upstream = Upstream::start(|asked| {
        Reply::status(if asked.target.contains("/referrers/") { 403 } else { 404 })
    })
    .await;
    let refused = proxy(&upstream.url(), "");
    assert_eq!(get(&refused, &target("")).await.status, 403);
    let upstream = Upstream::start(|_| Reply::status(404)).await;
    let proxy = proxy(&upstream.url(), "");
    assert_eq!(listed(&get(&proxy, &target("")).await.expect(200)), Vec::<String>::new());
}
