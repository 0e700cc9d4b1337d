//! A collection beside the registry, by the admin socket: it takes what nobody relies on, and nothing else.

use std::{
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use oci::Digest;
use registry::collect::{Line, LineError};
use storage::{Disposal, Item, Reason, Removed};

use crate::{
    pusher::{MANIFEST, image, push, push_blob, put, sha256},
    server::{Running, eventually},
};

/// Nothing is younger.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

/// A registry whose promises hold for so long, and a collection beside it as soon as it may begin.
async fn collected(lease: &str) -> (Running, Line) {
    let running = Running::deleting(&format!("regctl: {{lease: {lease}}}\n"));
    let beside = begin(&running).await;
    (running, beside)
}

/// Asks for a collection of the folder that is served.
async fn ask(running: &Running) -> Result<Line, LineError> {
    let store = identity(&running.folder().join("data"));
    Line::begin(running.admin_line(), store, "`data`".to_owned()).await
}

/// As [`storage::Bulk::identity`], without the lease of who opens a folder.
fn identity(folder: &Path) -> String {
    let found = std::fs::metadata(folder).unwrap();
    format!("filesystem {:x} {:x}", found.dev(), found.ino())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_of_another_store_is_refused() {
    let (running, beside) = collected("1ms").await;
    drop(beside);
    let other = tempfile::tempdir().unwrap();
    let begun = Line::begin(running.admin_line(), identity(other.path()), "`/other`".to_owned());
    let refused = begun.await.unwrap_err().to_string();
    assert!(refused.contains("has another storage open than `/other`"), "{refused}");
    assert!(refused.contains("regctl reconfigure"), "{refused}");
    begin(&running).await;
}

async fn begin(running: &Running) -> Line {
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        match ask(running).await {
            Ok(beside) => return beside,
            Err(LineError::Refused(reason)) => {
                let is_passing = reason.contains("has been up") || reason.contains("another");
                assert!(is_passing, "{reason}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no collection may begin");
}

/// Waits until nobody relies on a digest. No promise ends during a collection: this one ends, and another one begins.
async fn forgotten(running: &Running, mut beside: Line, digest: Digest) -> Line {
    while beside.promised(&[digest]).await.unwrap() == [true] {
        drop(beside);
        beside = begin(running).await;
    }
    beside
}

async fn remove(beside: &Line, item: Item, before: SystemTime) -> Removed {
    let removed = beside.remove(&[item], &Disposal::Delete, before).await.unwrap();
    removed.into_iter().next().unwrap().unwrap()
}

fn layer(digest: Digest) -> Item {
    Item::Layer("app".parse().unwrap(), digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_stays_until_the_promise_ends_and_then_goes() {
    let (running, beside) = collected("300ms").await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "garbage").await;
    let digest = sha256("garbage");
    assert_eq!(beside.promised(&[digest, sha256("x")]).await.unwrap(), [true, false]);
    let kept = Removed::Kept(Reason::Promised);
    assert_eq!(remove(&beside, layer(digest), later()).await, kept);
    assert_eq!(remove(&beside, Item::Blob(digest), later()).await, kept);
    let beside = forgotten(&running, beside, digest).await;
    // Somebody asks again.
    client.ask("HEAD", &format!("/v2/app/blobs/{digest}"), "").await.expect(200);
    assert_eq!(remove(&beside, layer(digest), later()).await, kept);
    let beside = forgotten(&running, beside, digest).await;
    assert_eq!(remove(&beside, layer(digest), later()).await, Removed::Gone);
    assert_eq!(remove(&beside, layer(digest), later()).await, Removed::Vanished);
    client.ask("HEAD", &format!("/v2/app/blobs/{digest}"), "").await.expect(404);
    assert_eq!(remove(&beside, Item::Blob(digest), later()).await, Removed::Gone);
    beside.sync().await.unwrap();
    let hex = digest.to_hex();
    assert!(!running.path(&format!("blobs/sha256/{}/{hex}", &hex[..2])).exists());
    assert!(!running.repository("app").join("_layers/sha256").join(&*hex).exists());
    // It can be pushed again.
    push_blob(&mut client, "app", "garbage").await;
    client.ask("GET", &format!("/v2/app/blobs/{digest}"), "").await.expect(200);
}

/// A collection of a large store takes longer than any promise holds: what was pushed since it has decided is still remembered.
#[tokio::test(flavor = "multi_thread")]
async fn no_promise_ends_before_the_collection_that_it_was_made_in() {
    let (running, beside) = collected("20ms").await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let manifest = push(&mut client, "app", &image(MANIFEST, "late")).await;
    let begun = Instant::now();
    let revision = Item::Revision("app".parse().unwrap(), manifest);
    while begun.elapsed() < Duration::from_millis(200) {
        assert_eq!(
            remove(&beside, revision.clone(), later()).await,
            Removed::Kept(Reason::Promised)
        );
    }
    let beside = forgotten(&running, beside, manifest).await;
    assert_eq!(remove(&beside, revision, later()).await, Removed::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_keeps_what_its_manifest_refers_to() {
    let (running, beside) = collected("200ms").await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let config = sha256("{}");
    let beside = forgotten(&running, beside, config).await;
    let document = image(MANIFEST, "late");
    put(&mut client, "/v2/app/manifests/v1", &document, &[]).await.expect(201);
    let manifest = sha256(&document.to_string());
    let kept = Removed::Kept(Reason::Promised);
    for item in [layer(config), Item::Blob(config), Item::Blob(manifest)] {
        assert_eq!(remove(&beside, item.clone(), later()).await, kept, "{item}");
    }
    client.ask("GET", &format!("/v2/app/manifests/{manifest}"), "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_young_stays_and_so_does_what_makes_a_repository() {
    let (running, beside) = collected("1ms").await;
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let manifest = push(&mut client, "app", &image(MANIFEST, "one")).await;
    let beside = forgotten(&running, beside, manifest).await;
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let revision = Item::Revision("app".parse().unwrap(), manifest);
    let young = Removed::Kept(Reason::Young);
    assert_eq!(remove(&beside, revision.clone(), hour_ago).await, young);
    for item in [
        Item::Repository("app".parse().unwrap()),
        Item::Tag("app".parse().unwrap(), "v1".parse().unwrap()),
    ] {
        let refused = beside.remove(&[item], &Disposal::Delete, later()).await.unwrap_err();
        assert!(matches!(refused, LineError::Refused(_)), "{refused}");
    }
    assert_eq!(remove(&beside, revision, later()).await, Removed::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_collection_and_it_ends_with_its_connection() {
    let (running, first) = collected("1ms").await;
    let refused = ask(&running).await.unwrap_err();
    assert!(refused.to_string().contains("another collection"), "{refused}");
    // Nobody else opens the folder meanwhile.
    let config =
        storage::FilesystemConfig { root_directory: running.folder().join("data"), max_threads: 4 };
    let opened = storage::Filesystem::open(&config).unwrap_err();
    assert_eq!(opened.kind(), storage::Kind::Busy);
    drop(first);
    let second = begin(&running).await;
    drop(second);
    eventually("the folder is shared again", || storage::Filesystem::open(&config).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_has_just_begun_or_is_shared_lets_none_begin() {
    let young = Running::start();
    let refused = ask(&young).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("promised content for 3600 s: begin in 3"), "{text}");

    let (running, beside) = collected("1ms").await;
    drop(beside);
    let config =
        storage::FilesystemConfig { root_directory: running.folder().join("data"), max_threads: 4 };
    eventually("the folder is shared again", || storage::Filesystem::open(&config).is_ok()).await;
    let _other = storage::Filesystem::open(&config).unwrap();
    let refused = ask(&running).await.unwrap_err();
    assert!(refused.to_string().contains("another process uses the storage"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_stops_or_becomes_read_only_ends_the_collection() {
    let (mut running, beside) = collected("1ms").await;
    running.control.set_read_only(true);
    let digest = sha256("x");
    let ended = beside.remove(&[layer(digest)], &Disposal::Delete, later()).await.unwrap_err();
    assert!(ended.to_string().contains("read-only"), "{ended}");
    let over = beside.sync().await.unwrap_err();
    assert!(over.to_string().contains("no collection was begun"), "{over}");

    running.control.set_read_only(false);
    drop(beside);
    let beside = begin(&running).await;
    running.stop().await;
    let ended = beside.remove(&[layer(digest)], &Disposal::Delete, later()).await.unwrap_err();
    let is_over = matches!(&ended, LineError::Refused(reason) if reason.contains("about to stop"));
    assert!(is_over || matches!(ended, LineError::Socket(_)), "{ended}");
}
