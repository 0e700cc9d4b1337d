//! Blobs that nginx sends: who gets such an answer, and to what.

use oci::{Algorithm, Digest};

use crate::{
    client::{Answer, Client},
    receiver::{Mood::Answers, Receiver},
    server::{Running, eventually},
};

const HTTP: &str = "headers: {X-Own: [one]}";
const SECTION: &str =
    "regctl: {sendfile: {secret: nobody-guesses-this, location: /=storage=/, headers: [x-own]}}";
const PROOF: &str = "X-Regctl-Sendfile: nobody-guesses-this\r\n";

/// Pushes so many bytes, and returns their digest.
async fn push(client: &mut Client, size: usize) -> String {
    let content = "x".repeat(size);
    let digest = Digest::of(Algorithm::Sha256, content.as_bytes()).to_string();
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.ask("PUT", &format!("{upload}&digest={digest}"), &content).await.expect(201);
    digest
}

fn is_handed_over(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    let redirect = answer.header("x-accel-redirect");
    assert_eq!(redirect.is_some(), answer.body.is_empty(), "{answer:?}");
    redirect.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_is_told_where_a_large_blob_is() {
    let running = Running::with_more(HTTP, SECTION);
    let mut client = running.client().await;
    let digest = push(&mut client, 64 << 10).await;
    let target = format!("/v2/app/blobs/{digest}");
    let direct = client.get(&target, "").await.expect(200);
    let handed = client.get(&target, PROOF).await.expect(200);
    assert_eq!((direct.body.len(), handed.body.len()), (64 << 10, 0));
    let hex = digest.strip_prefix("sha256:").unwrap();
    let place = format!("/=storage=/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    assert_eq!(handed.header("x-accel-redirect"), Some(place.as_str()));
    for name in [
        "docker-content-digest",
        "etag",
        "content-type",
        "docker-distribution-api-version",
        "x-own",
    ] {
        assert_eq!(handed.header(name), direct.header(name), "{name}");
        assert!(direct.header(name).is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_told() {
    let running = Running::with_more(HTTP, SECTION);
    let mut client = running.client().await;
    let digest = push(&mut client, 64 << 10).await;
    let target = format!("/v2/app/blobs/{digest}");
    for lines in [
        "X-Regctl-Sendfile:\r\n",
        "X-Regctl-Sendfile: nobody-guesses-thiz\r\n",
        "X-Regctl-Sendfile: nobody-guesses-thi\r\n",
        "X-Regctl-Sendfile: nobody-guesses-this, nobody-guesses-this\r\n",
        // nginx says it once.
        "X-Regctl-Sendfile: other\r\nX-Regctl-Sendfile: nobody-guesses-this\r\n",
        "X-Accel-Redirect: /=storage=/\r\n",
    ] {
        assert!(!is_handed_over(&client.get(&target, lines).await), "{lines}");
    }
    assert!(is_handed_over(&client.get(&target, PROOF).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_would_answer_otherwise_is_the_registrys() {
    let running = Running::with_more(HTTP, SECTION);
    let mut client = running.client().await;
    let (small, large) =
        (push(&mut client, (64 << 10) - 1).await, push(&mut client, 64 << 10).await);
    let (small, target) = (format!("/v2/app/blobs/{small}"), format!("/v2/app/blobs/{large}"));
    assert!(!is_handed_over(&client.get(&small, PROOF).await));
    for (line, status) in [
        ("Range: bytes=0-9", 206),
        ("Range: bytes=0-9,20-29", 206),
        ("Range: bytes=99999999-", 416),
        (&format!("If-None-Match: \"{large}\""), 304),
        ("If-Match: \"other\"", 412),
        ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 200),
    ] {
        let answer = client.get(&target, &format!("{PROOF}{line}\r\n")).await.expect(status);
        assert_eq!(answer.header("x-accel-redirect"), None, "{line}");
    }
    // A part of something else is no part: all of it is sent.
    let stale = format!("{PROOF}Range: bytes=0-9\r\nIf-Range: \"other\"\r\n");
    assert!(is_handed_over(&client.get(&target, &stale).await));
    let modified = format!("{PROOF}If-None-Match: \"other\"\r\n");
    assert!(is_handed_over(&client.get(&target, &modified).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_nginx_would_lose_keeps_blobs_here() {
    for http in ["headers: {X-Other: [one]}", "headers: {X-Own: [one, two]}"] {
        let running = Running::with_more(http, SECTION);
        let mut client = running.client().await;
        let digest = push(&mut client, 64 << 10).await;
        let answer = client.get(&format!("/v2/app/blobs/{digest}"), PROOF).await;
        assert!(!is_handed_over(&answer), "{http}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_switches_it() {
    let running = Running::with_more(HTTP, "");
    let mut client = running.client().await;
    let digest = push(&mut client, 64 << 10).await;
    let target = format!("/v2/app/blobs/{digest}");
    assert!(!is_handed_over(&client.get(&target, PROOF).await));
    running.rewrite(|text| format!("{text}{SECTION}\n"));
    let mut admin = running.admin().await;
    admin.ask("POST", "/v1/reload", "").await.expect(200);
    assert!(is_handed_over(&client.get(&target, PROOF).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_nginx_asks_for_again_is_told_once() {
    let receiver = Receiver::start(Answers(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let queues = folder.path().join("events");
    let lines = format!(
        "{SECTION}\nnotifications: {{endpoints: [{{name: one, url: '{}', timeout: 2s, backoff: 10ms}}]}}",
        receiver.url()
    );
    let lines = lines.replace(
        "regctl: {",
        &format!("regctl: {{notifications: {{folder: '{}'}}, ", queues.display()),
    );
    let running = Running::with_more(HTTP, &lines);
    let mut client = running.client().await;
    let digest = push(&mut client, 64 << 10).await;
    let target = format!("/v2/app/blobs/{digest}");
    let again = PROOF.replace(": ", ": again ");
    for (asked, is_whole) in
        [(PROOF, false), (&again, true), ("X-Regctl-Sendfile: again other\r\n", true)]
    {
        let answer = client.get(&target, asked).await.expect(200);
        assert_eq!(answer.body.len(), if is_whole { 64 << 10 } else { 0 }, "{asked}");
    }
    // In order: when the second push is there, all before it are.
    push(&mut client, 10).await;
    let told = || receiver.events().iter().map(|event| event["action"].clone()).collect::<Vec<_>>();
    eventually("both pushes are told", || {
        told().iter().filter(|action| **action == "push").count() == 2
    })
    .await;
    assert_eq!(told(), ["push", "pull", "pull", "push"]);
}
