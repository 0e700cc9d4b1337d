//! Changes to tags that were decided on elsewhere: each is made only if the tag is still what it was then.

use oci::{Digest, RepositoryName, Tag};
use registry::{
    Config,
    changes::{Act, Change, Changed, Changer, Error},
};
use serde_json::json;

use crate::{
    pusher::{MANIFEST, image, push_blob, put, sha256},
    receiver::{Mood::Answers, Receiver},
    server::{Running, eventually},
};

fn change(act: Act, tag: &str, digest: Digest) -> Change {
    let repository: RepositoryName = "app".parse().unwrap();
    let tag: Tag = tag.parse().unwrap();
    Change { act, repository, tag, digest }
}

/// Pushes an image under a tag; returns its digest.
async fn tagged(running: &Running, tag: &str, name: &str) -> Digest {
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let document = image(MANIFEST, name);
    put(&mut client, &format!("/v2/app/manifests/{tag}"), &document, &[]).await.expect(201);
    sha256(&document.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_goes_if_it_is_what_it_was_and_its_siblings_stay() {
    let running = Running::start();
    let (one, other) = (tagged(&running, "one", "x").await, tagged(&running, "other", "y").await);
    assert_eq!(tagged(&running, "sibling", "x").await, one);
    let mut changer = Changer::beside(running.admin_line()).await.unwrap();
    let changes = [
        change(Act::Delete, "one", one),
        change(Act::Delete, "other", one),
        change(Act::Delete, "gone", one),
    ];
    let changed = changer.change(&changes).await.unwrap();
    assert_eq!(changed, [Changed::Done, Changed::Moved, Changed::Vanished]);
    let mut client = running.client().await;
    client.ask("GET", "/v2/app/manifests/one", "").await.expect(404);
    client.ask("GET", "/v2/app/manifests/sibling", "").await.expect(200);
    client.ask("GET", &format!("/v2/app/manifests/{other}"), "").await.expect(200);
    let list = client.ask("GET", "/v2/app/tags/list", "").await.expect(200).json();
    assert_eq!(list["tags"], json!(["other", "sibling"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_comes_back_while_its_manifest_is_there_and_none_has_its_name() {
    let running = Running::deleting("");
    let (one, other) = (tagged(&running, "one", "x").await, tagged(&running, "other", "y").await);
    let mut changer = Changer::beside(running.admin_line()).await.unwrap();
    let gone = [change(Act::Delete, "one", one)];
    assert_eq!(changer.change(&gone).await.unwrap(), [Changed::Done]);
    let back = [
        change(Act::Restore, "one", one),
        change(Act::Restore, "other", one),
        change(Act::Restore, "never", sha256("never")),
    ];
    let changed = changer.change(&back).await.unwrap();
    assert_eq!(changed, [Changed::Done, Changed::Moved, Changed::NoManifest]);
    let mut client = running.client().await;
    client.ask("GET", "/v2/app/manifests/one", "").await.expect(200);
    client.ask("GET", "/v2/app/manifests/never", "").await.expect(404);
    let target = format!("/v2/app/manifests/{other}");
    client.ask("DELETE", &target, "").await.expect(202);
    let lost = [change(Act::Restore, "other", other)];
    assert_eq!(changer.change(&lost).await.unwrap(), [Changed::NoManifest]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_told_and_a_registry_that_is_read_only_refuses() {
    let receiver = Receiver::start(Answers(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let lines = format!(
        "notifications: {{endpoints: [{{name: hook, url: '{}', timeout: 2s}}]}}\n",
        receiver.url()
    );
    let running = Running::in_folder(folder, &lines);
    let one = tagged(&running, "one", "x").await;
    let mut changer = Changer::beside(running.admin_line()).await.unwrap();
    let gone = [change(Act::Delete, "one", one)];
    running.control.set_read_only(true);
    let refused = changer.change(&gone).await.unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    running.control.set_read_only(false);
    assert_eq!(changer.change(&gone).await.unwrap(), [Changed::Done]);
    let told = || {
        let received = receiver.events();
        received.into_iter().find(|event| event["action"] == "delete")
    };
    eventually("the delete is told", || told().is_some()).await;
    let event = told().unwrap();
    assert_eq!(
        (&event["target"]["repository"], &event["target"]["tag"]),
        (&json!("app"), &json!("one"))
    );
    assert!(event["request"]["useragent"].as_str().unwrap().contains("cleanup-policy"), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_read_changes_nothing() {
    let running = Running::start();
    let one = tagged(&running, "one", "x").await;
    let mut admin = running.admin().await;
    let good = format!(
        r#"{{"kind": "delete-tag", "repository": "app", "tag": "one", "digest": "{one}"}}"#
    );
    for bad in [
        r#"{"kind": "delete-tag", "repository": "../app", "tag": "one", "digest": "sha256:00"}"#,
        r#"{"kind": "delete-tag", "repository": "app", "tag": "one"}"#,
        r#"{"kind": "delete-everything"}"#,
    ] {
        let body = format!(r#"{{"changes": [{good}, {bad}]}}"#);
        admin.ask("POST", "/v1/changes", &body).await.expect(400);
    }
    admin.ask("GET", "/v1/changes", "").await.expect(405);
    running.client().await.ask("GET", "/v2/app/manifests/one", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_serves_the_same_is_done_here_and_nobody_else_may_come() {
    let running = Running::start();
    let one = tagged(&running, "one", "x").await;
    let text = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n",
        running.folder().join("data").display()
    );
    let config = Config::parse(&text, &[]).unwrap().config;
    assert!(matches!(Changer::alone(&config).await, Err(Error::Busy(_))));
    let folder = running.into_folder().await;
    let mut changer = Changer::alone(&config).await.unwrap();
    assert!(matches!(Changer::alone(&config).await, Err(Error::Busy(_) | Error::Storage(_))));
    let gone = [change(Act::Delete, "one", one)];
    assert_eq!(changer.change(&gone).await.unwrap(), [Changed::Done]);
    changer.close().await;
    let manifests = folder.path().join("data/docker/registry/v2/repositories/app/_manifests");
    assert!(!manifests.join("tags/one").exists());
    assert!(manifests.join(format!("revisions/sha256/{}/link", one.to_hex())).exists());
    // The folder is everybody's at once.
    let running = Running::in_folder(folder, "");
    running.client().await.ask("GET", "/v2/app/manifests/one", "").await.expect(404);
    running.client().await.ask("GET", &format!("/v2/app/manifests/{one}"), "").await.expect(200);
}
