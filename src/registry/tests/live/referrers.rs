//! Referrers: listed by the API and by a tag that any registry serves, whoever wrote it.

use std::fs;

use oci::{Algorithm, Digest, Tag};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    pusher::{INDEX, MANIFEST, descriptor, image, push, push_blob, put, sha256, with},
    server::Running,
};

const SUBJECT: &str = "what it is about";

/// A referrer of the subject.
fn referrer(name: &str) -> Value {
    with(image(MANIFEST, name), json!({ "subject": descriptor(MANIFEST, SUBJECT) }))
}

fn target(query: &str) -> String {
    format!("/v2/app/referrers/{}{query}", sha256(SUBJECT))
}

fn tag() -> String {
    Tag::of_referrers(&sha256(SUBJECT)).to_string()
}

async fn listed(client: &mut Client, query: &str) -> Vec<Value> {
    let answer = client.ask("GET", &target(query), "").await.expect(200);
    manifests(&answer)
}

fn manifests(answer: &Answer) -> Vec<Value> {
    let index = answer.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(INDEX)));
    assert_eq!(answer.header("content-type"), Some(INDEX));
    index["manifests"].as_array().unwrap().clone()
}

fn sorted(mut digests: Vec<Digest>) -> Vec<String> {
    digests.sort();
    digests.iter().map(ToString::to_string).collect()
}

fn digests(listed: &[Value]) -> Vec<String> {
    listed.iter().map(|listed| listed["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn nobody_gets_a_404_for_a_list_of_referrers() {
    let server = Running::start();
    let mut client = server.client().await;
    assert_eq!(listed(&mut client, "").await, Vec::<Value>::new());
    push_blob(&mut client, "app", "{}").await;
    let answer = client.ask("GET", &target(""), "").await.expect(200);
    assert_eq!(manifests(&answer), Vec::<Value>::new());
    assert_eq!(answer.header("oci-filters-applied"), None);
    let etag = answer.header("etag").unwrap().to_owned();
    let conditional = [("If-None-Match", etag.as_str())];
    client.ask_with(("GET", &target("")), &conditional, "").await.expect(304);
    client.ask_with(("HEAD", &target("")), &[], "").await.expect(200);
    for bad in ["sha256:x", "v1", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"] {
        let answer = client.ask("GET", &format!("/v2/app/referrers/{bad}"), "").await.expect(400);
        assert_eq!(answer.code(), "DIGEST_INVALID", "{bad}");
    }
    client.ask("PUT", &target(""), "").await.expect(405);
}

#[tokio::test]
async fn a_referrer_is_listed_with_its_type_and_annotations_and_by_a_tag() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let of_config = referrer("of config");
    let own = with(referrer("own"), json!({ "artifactType": "text/own" }));
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [],
        "subject": descriptor(MANIFEST, SUBJECT),
    });
    let mut expected = Vec::new();
    for (document, artifact_type) in [
        (&of_config, Some("application/vnd.oci.image.config.v1+json")),
        (&own, Some("text/own")),
        (&index, None),
    ] {
        let tagged = put(&mut client, "/v2/app/manifests/a-tag", document, &[]).await.expect(201);
        assert_eq!(tagged.header("oci-subject"), Some(sha256(SUBJECT).to_string().as_str()));
        assert_eq!(tagged.header("warning"), None);
        let text = document.to_string();
        let mut entry = descriptor(document["mediaType"].as_str().unwrap(), &text);
        if let Some(artifact_type) = artifact_type {
            entry["artifactType"] = json!(artifact_type);
        }
        if !document["annotations"].is_null() {
            entry["annotations"] = document["annotations"].clone();
        }
        expected.push(entry);
    }
    let by_tag = client.ask("GET", &format!("/v2/app/manifests/{}", tag()), "").await.expect(200);
    assert_eq!(manifests(&by_tag), expected);
    expected.sort_by_key(|entry| entry["digest"].to_string());
    assert_eq!(listed(&mut client, "").await, expected);
    let filtered = client.ask("GET", &target("?artifactType=text/own"), "").await.expect(200);
    assert_eq!(digests(&manifests(&filtered)), [sha256(&own.to_string()).to_string()]);
    assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
    assert!(listed(&mut client, "?artifactType=text/none").await.is_empty());
    // Once more changes nothing.
    push(&mut client, "app", &own).await;
    let again = client.ask("GET", &format!("/v2/app/manifests/{}", tag()), "").await;
    assert_eq!(again.body, by_tag.body);
}

#[tokio::test]
async fn a_sha512_subject_and_a_sha512_referrer_are_listed() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let subject = Digest::of(Algorithm::Sha512, SUBJECT.as_bytes());
    let about = json!({ "mediaType": MANIFEST, "digest": subject, "size": 1 });
    let document = with(image(MANIFEST, "sha512"), json!({ "subject": about }));
    let digest = Digest::of(Algorithm::Sha512, document.to_string().as_bytes());
    let own = format!("/v2/app/manifests/{digest}");
    let pushed = put(&mut client, &own, &document, &[]).await.expect(201);
    assert_eq!(pushed.header("oci-subject"), Some(subject.to_string().as_str()));
    let answer = client.ask("GET", &format!("/v2/app/referrers/{subject}"), "").await.expect(200);
    assert_eq!(digests(&manifests(&answer)), [digest.to_string()]);
}

#[tokio::test]
async fn what_a_client_lists_under_the_tag_is_answered_and_kept() {
    let server = Running::deleting("");
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let theirs = push(&mut client, "app", &image(MANIFEST, "pushed elsewhere")).await;
    let entry = json!({ "mediaType": MANIFEST, "digest": theirs, "size": 1, "x-own": true });
    let list = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [entry],
        "annotations": { "by": "a client" },
    });
    let tag = format!("/v2/app/manifests/{}", tag());
    put(&mut client, &tag, &list, &[]).await.expect(201);
    assert_eq!(listed(&mut client, "").await, std::slice::from_ref(&entry));
    let ours = push(&mut client, "app", &referrer("ours")).await;
    assert_eq!(digests(&listed(&mut client, "").await), sorted(vec![theirs, ours]));
    let stored = client.ask("GET", &tag, "").await.expect(200).json();
    assert_eq!((&stored["annotations"], &stored["manifests"][0]), (&list["annotations"], &entry));
    // Ours goes when it is deleted, theirs stays.
    let target = format!("/v2/app/manifests/{ours}");
    client.ask("DELETE", &target, "").await.expect(202);
    assert_eq!(listed(&mut client, "").await, std::slice::from_ref(&entry));
    client.ask("DELETE", &target, "").await.expect(404);
}

#[tokio::test]
async fn the_tag_goes_with_the_last_referrer() {
    let server = Running::deleting("");
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let digest = push(&mut client, "app", &referrer("only")).await;
    let folder = format!("repositories/app/_manifests/tags/{}", tag());
    assert!(server.path(&folder).is_dir());
    client.ask("DELETE", &format!("/v2/app/manifests/{digest}"), "").await.expect(202);
    assert!(!server.path(&folder).exists());
    assert!(listed(&mut client, "").await.is_empty());
}

#[tokio::test]
async fn a_tag_that_is_no_list_stays_and_the_client_is_warned() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let tag = format!("/v2/app/manifests/{}", tag());
    let other = image(MANIFEST, "something else");
    put(&mut client, &tag, &other, &[]).await.expect(201);
    let document = referrer("unlucky");
    let target_of_it = format!("/v2/app/manifests/{}", sha256(&document.to_string()));
    let pushed = put(&mut client, &target_of_it, &document, &[]).await.expect(201);
    assert_eq!(pushed.header("oci-subject"), None);
    let warning = pushed.header("warning").unwrap();
    assert!(warning.starts_with("299 - \"the referrers tag of this subject"), "{warning}");
    assert_eq!(client.ask("GET", &tag, "").await.expect(200).json(), other);
    let answer = client.ask("GET", &target(""), "").await.expect(200);
    assert!(manifests(&answer).is_empty() && answer.header("warning").is_some());
}

#[tokio::test]
async fn a_list_that_is_full_is_answered_and_the_client_is_warned() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let theirs = push(&mut client, "app", &image(MANIFEST, "large")).await;
    let entry =
        json!({ "mediaType": MANIFEST, "digest": theirs, "size": 1, "annotations": { "a": "" } });
    let mut list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let rest = (4 << 20) - list.to_string().len();
    list["manifests"][0]["annotations"]["a"] = json!("x".repeat(rest));
    put(&mut client, &format!("/v2/app/manifests/{}", tag()), &list, &[]).await.expect(201);
    let document = referrer("too much");
    let own = format!("/v2/app/manifests/{}", sha256(&document.to_string()));
    let pushed = put(&mut client, &own, &document, &[]).await.expect(201);
    assert!(pushed.header("warning").unwrap().contains("is full"));
    assert_eq!(pushed.header("oci-subject"), None);
    assert_eq!(digests(&listed(&mut client, "").await), [theirs.to_string()]);
    client.ask("GET", &own, "").await.expect(200);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_lose_nobody() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let theirs = push(&mut client, "app", &image(MANIFEST, "one of many")).await;
    let entry = |index: usize| {
        let digest = if index == 0 { theirs } else { sha256(&index.to_string()) };
        let kind = if index.is_multiple_of(2) { "text/even" } else { "text/odd" };
        json!({ "mediaType": MANIFEST, "digest": digest, "size": 1, "artifactType": kind })
    };
    let entries: Vec<Value> = (0..2500).map(entry).collect();
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    // Clients list what lies elsewhere too, where the registry is told to take it.
    server.rewrite(|text| {
        format!("{text}validation: {{manifests: {{indexes: {{platforms: none}}}}}}\n")
    });
    server.admin().await.ask("POST", "/v1/reload", "").await.expect(200);
    put(&mut client, &format!("/v2/app/manifests/{}", tag()), &list, &[]).await.expect(201);
    for (query, count) in [("", 2500), ("?n=999", 2500), ("?artifactType=text/odd", 1250)] {
        let (mut found, mut next) = (Vec::new(), Some(target(query)));
        while let Some(page) = next {
            let answer = client.ask("GET", &page, "").await.expect(200);
            let filtered = query.contains("artifactType").then_some("artifactType");
            assert_eq!(answer.header("oci-filters-applied"), filtered, "{page}");
            let shown = digests(&manifests(&answer));
            assert!(!shown.is_empty() && shown.len() <= 1000, "{page}: {}", shown.len());
            found.extend(shown);
            next = answer.header("link").map(|link| {
                let target = link.strip_prefix('<').unwrap();
                target.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
            });
        }
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!((found.len(), once.len()), (count, count), "{query}");
    }
}

#[tokio::test]
async fn referrers_pushed_at_once_are_all_listed() {
    const COUNT: usize = 32;
    let server = Running::deleting("");
    push_blob(&mut server.client().await, "app", "{}").await;
    let mut pushes = Vec::new();
    for index in 0..COUNT {
        let mut client = server.client().await;
        let document = referrer(&format!("number {index}"));
        pushes.push(tokio::spawn(async move { push(&mut client, "app", &document).await }));
    }
    let mut pushed = Vec::new();
    for push in pushes {
        pushed.push(push.await.unwrap());
    }
    let mut client = server.client().await;
    assert_eq!(digests(&listed(&mut client, "").await), sorted(pushed.clone()));
    // Half of them go while others come.
    let mut changes = Vec::new();
    for (index, digest) in pushed.iter().enumerate().take(COUNT / 2) {
        let (mut going, mut coming) = (server.client().await, server.client().await);
        let target = format!("/v2/app/manifests/{digest}");
        let document = referrer(&format!("late {index}"));
        changes.push(tokio::spawn(async move {
            going.ask("DELETE", &target, "").await.expect(202);
            push(&mut coming, "app", &document).await
        }));
    }
    let mut expected = pushed.split_off(COUNT / 2);
    for change in changes {
        expected.push(change.await.unwrap());
    }
    assert_eq!(digests(&listed(&mut client, "").await), sorted(expected));
}

#[tokio::test]
async fn a_tag_whose_list_was_lost_is_begun_anew() {
    let server = Running::start();
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    push(&mut client, "app", &referrer("first")).await;
    let link = format!("repositories/app/_manifests/tags/{}/current/link", tag());
    let index: Digest = server.file(&link).unwrap().parse().unwrap();
    let hex = index.to_hex();
    fs::remove_dir_all(server.path(&format!("blobs/sha256/{}/{hex}", &hex[..2]))).unwrap();
    assert!(listed(&mut client, "").await.is_empty());
    let second = push(&mut client, "app", &referrer("second")).await;
    assert_eq!(digests(&listed(&mut client, "").await), [second.to_string()]);
}
