//! A registry that is broken: its clients notice, and the cache keeps none of it.

use std::{
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{MANIFEST, code, digest, get, head, manifest, proxy};
use crate::{
    client::Answer,
    server::{Running, eventually},
    upstream::{Asked, Reply, Upstream},
};

const BLOB: &[u8] = b"what it should be";

fn target() -> String {
    format!("/v2/app/blobs/{}", digest(BLOB))
}

/// A registry that answers wrongly, until it is mended.
async fn broken(wrong: Reply) -> (Upstream, Arc<AtomicBool>) {
    let is_mended = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::start({
        let is_mended = Arc::clone(&is_mended);
        move |_: &Asked| match is_mended.load(Ordering::SeqCst) {
            true => Reply::body(BLOB),
            false => wrong.clone(),
        }
    })
    .await;
    (upstream, is_mended)
}

/// Asks for the blob; none when the connection ends before there is an answer.
async fn ask(proxy: &Running) -> Option<Answer> {
    let mut client = proxy.client().await;
    client.begin("GET", &target(), 0).await;
    client.answer().await
}

/// Nothing of what went wrong is left, and the next client gets it all.
async fn is_not_poisoned(proxy: &Running, is_mended: &AtomicBool) {
    eventually("nothing is left", || proxy.sessions().is_empty()).await;
    is_mended.store(true, Ordering::SeqCst);
    let answer = get(proxy, &target()).await.expect(200);
    assert_eq!((answer.body.as_slice(), answer.is_whole), (BLOB, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_cut_or_wrong_reaches_nobody_as_a_whole() {
    let other = b"what it shall not";
    assert_eq!(other.len(), BLOB.len());
    for (what, wrong) in [
        ("cut", Reply::body(&BLOB[..5]).of_length(BLOB.len())),
        ("another", Reply::body(other)),
        ("too short", Reply::body(&BLOB[..5])),
        ("too long", Reply::body(b"what it should be and more")),
    ] {
        let (upstream, is_mended) = broken(wrong).await;
        let proxy = proxy(&upstream.url(), "");
        let answer = ask(&proxy).await;
        assert!(answer.is_none_or(|answer| !answer.is_whole), "{what}");
        is_not_poisoned(&proxy, &is_mended).await;
        // The same while nothing may be kept.
        is_mended.store(false, Ordering::SeqCst);
        let passing = super::proxy(&upstream.url(), "");
        passing.control.set_read_only(true);
        let answer = ask(&passing).await;
        assert!(answer.is_none_or(|answer| !answer.is_whole), "{what}, passing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_blob_is_not_sent_before_all_of_it_is_right() {
    let (upstream, is_mended) = broken(Reply::body(b"what it shall not")).await;
    let proxy = proxy(&upstream.url(), "");
    let answer = proxy.client().await.get(&target(), "Range: bytes=0-3\r\n").await;
    assert_eq!((answer.body.len(), answer.is_whole), (0, false));
    is_not_poisoned(&proxy, &is_mended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_become_answers_that_say_what_is_wrong() {
    let busy = Reply::status(429).header("Retry-After", "17");
    for (reply, status, code_of_it) in [
        (Reply::status(500), 502, "UNAVAILABLE"),
        (Reply::status(503), 502, "UNAVAILABLE"),
        (Reply::status(401), 403, "DENIED"),
        (Reply::status(403), 403, "DENIED"),
        (Reply::status(401).header("WWW-Authenticate", "Basic realm=x"), 403, "DENIED"),
        (Reply::status(302), 502, "UNAVAILABLE"),
        (Reply::status(204), 502, "UNAVAILABLE"),
        (Reply::status(404), 404, "BLOB_UNKNOWN"),
        (busy, 429, "TOOMANYREQUESTS"),
    ] {
        let (upstream, is_mended) = broken(reply).await;
        let proxy = proxy(&upstream.url(), "");
        let answer = get(&proxy, &target()).await.expect(status);
        assert_eq!(code(&answer), code_of_it);
        if status == 429 {
            assert_eq!(answer.header("retry-after"), Some("17"));
        }
        assert_eq!(head(&proxy, &target()).await.status, status);
        is_not_poisoned(&proxy, &is_mended).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_what_its_digest_says_or_nothing() {
    let right = manifest(b"right");
    let asked = format!("/v2/app/manifests/{}", digest(&right));
    for (what, wrong) in [
        ("another", Reply::body(&manifest(b"wrong")).header("Content-Type", MANIFEST)),
        ("a page", Reply::body(b"<html>").header("Content-Type", "text/html")),
        ("no manifest", Reply::body(b"{}x").header("Content-Type", MANIFEST)),
        ("cut", Reply::body(&right[..9]).of_length(right.len()).header("Content-Type", MANIFEST)),
        (
            "schema 1",
            Reply::body(&right)
                .header("Content-Type", "application/vnd.docker.distribution.manifest.v1+json"),
        ),
        ("huge", Reply::body(b"").of_length(5_000_000).header("Content-Type", MANIFEST)),
    ] {
        let upstream = Upstream::start(move |_| wrong.clone()).await;
        let proxy = proxy(&upstream.url(), "");
        assert_eq!(get(&proxy, &asked).await.status, 502, "{what}");
        // A tag whose digest is not said is read as it is, if it is a manifest.
        let by_tag = get(&proxy, "/v2/app/manifests/v1").await.status;
        assert_eq!(by_tag, if what == "another" { 200 } else { 502 }, "{what}");
        assert_eq!(get(&proxy, &asked).await.status, 502, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_says_nothing_is_not_waited_for_by_everybody() {
    let is_silent = Arc::new(AtomicBool::new(false));
    let right = manifest(b"right");
    let upstream = Upstream::start({
        let (is_silent, right) = (Arc::clone(&is_silent), right.clone());
        move |_| match is_silent.load(Ordering::SeqCst) {
            true => Reply::silence(),
            false => Reply::body(&right).header("Content-Type", MANIFEST),
        }
    })
    .await;
    let proxy = proxy(&upstream.url(), "");
    get(&proxy, "/v2/app/manifests/v1").await.expect(200);
    is_silent.store(true, Ordering::SeqCst);
    let asked = upstream.asked("HEAD", "v1").len();
    for _ in 0..3 {
        let stale = get(&proxy, "/v2/app/manifests/v1").await.expect(200);
        assert!(stale.header("warning").is_some());
    }
    assert_eq!(upstream.asked("HEAD", "v1").len(), asked + 1);
    assert_eq!(get(&proxy, "/v2/app/manifests/none").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_to_which_no_connection_comes_about_is_left_alone_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Nobody accepts, and the kernel has room for no more.
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(200);
    let filling: Vec<_> =
        (0..4).map_while(|_| TcpStream::connect_timeout(&address, patience).ok()).collect();
    assert!(filling.len() < 4, "the kernel takes more than it was told");
    let proxy = proxy(&format!("http://{address}"), "");
    assert_eq!(get(&proxy, "/v2/one/manifests/v1").await.status, 504);
    let began = Instant::now();
    assert_eq!(get(&proxy, "/v2/other/manifests/v1").await.status, 502);
    assert!(began.elapsed() < Duration::from_secs(2), "it was asked again");
}
