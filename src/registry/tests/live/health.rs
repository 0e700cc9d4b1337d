//! Checks take a server out of service, and put it back.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    client::Client,
    server::{Running, eventually},
};

/// What Distribution answers, word for word.
const ILL: &str = r#"{"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"health check failed: please see /debug/health"}]}"#;

/// Somebody whom a check asks, and what they answer.
struct Downstream {
    address: String,
    status: Arc<AtomicU16>,
    heads: Arc<AtomicUsize>,
}

impl Downstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (status, heads) = (Arc::new(AtomicU16::new(200)), Arc::<AtomicUsize>::default());
        let (told, counted) = (Arc::clone(&status), Arc::clone(&heads));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"HEAD /health?key=of-tests HTTP/1.1"));
                let text = String::from_utf8_lossy(&request[..read]).to_lowercase();
                assert!(text.contains("authorization: basic abc"), "{text}");
                counted.fetch_add(1, Ordering::SeqCst);
                let status = told.load(Ordering::SeqCst);
                let answer = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, status, heads }
    }
}

/// Has a server take over these checks.
async fn check(running: &Running, health: &str) {
    running.rewrite(|text| {
        let before = text.split("health:").next().unwrap();
        format!("{before}health: {health}\n")
    });
    running.admin().await.ask("POST", "/v1/reload", "").await.expect(200);
}

async fn unhealthy(running: &Running) -> serde_json::Value {
    let mut admin = running.admin().await;
    admin.ask("GET", "/v1/status", "").await.expect(200).json()["unhealthy"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_takes_every_route_out_of_service_while_it_is_there() {
    let running = Running::start();
    let file = running.folder().join("down");
    check(&running, &format!("{{file: [{{file: '{}', interval: 5ms}}]}}", file.display())).await;
    let mut client = running.client().await;
    client.ask("GET", "/v2/", "").await.expect(200);
    fs::write(&file, "").unwrap();
    eventually("it is ill", || !running.control.failing_checks().is_empty()).await;
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/v2/"),
        ("GET", "/v2/_catalog"),
        ("GET", "/nothing"),
        ("POST", "/v2/app/blobs/uploads/"),
        ("OPTIONS", "/v2/app/tags/list"),
    ] {
        let answer = client.ask(method, target, "").await.expect(503);
        assert_eq!(String::from_utf8(answer.body).unwrap(), ILL, "{method} {target}");
    }
    assert_eq!(unhealthy(&running).await[file.to_str().unwrap()], "file exists");
    fs::remove_file(&file).unwrap();
    eventually("it is well", || running.control.failing_checks().is_empty()).await;
    client.ask("GET", "/v2/", "").await.expect(200);
    assert_eq!(unhealthy(&running).await, serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_is_read_on_while_the_registry_is_ill() {
    let running = Running::start();
    let mut client = running.client().await;
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    let file = running.folder().join("down");
    fs::write(&file, "").unwrap();
    check(&running, &format!("{{file: [{{file: '{}', interval: 1ms}}]}}", file.display())).await;
    eventually("it is ill", || !running.control.failing_checks().is_empty()).await;
    client.ask("PATCH", &upload, &"x".repeat(4 << 20)).await.expect(503);
    client.ask("GET", "/v2/", "").await.expect(503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_must_answer_and_fails_only_at_its_threshold() {
    let downstream = Downstream::start().await;
    let running = Running::start();
    let uri = format!("http://{}/health?key=of-tests", downstream.address);
    let headers = "headers: {Authorization: [Basic abc]}";
    check(
        &running,
        &format!("{{http: [{{uri: '{uri}', {headers}, interval: 5ms, threshold: 3}}]}}"),
    )
    .await;
    eventually("it was asked", || downstream.heads.load(Ordering::SeqCst) > 2).await;
    assert!(running.control.failing_checks().is_empty());
    let before = downstream.heads.load(Ordering::SeqCst);
    downstream.status.store(500, Ordering::SeqCst);
    eventually("it is ill", || !running.control.failing_checks().is_empty()).await;
    assert!(downstream.heads.load(Ordering::SeqCst) >= before + 3);
    let failing = running.control.failing_checks();
    let (name, fault) = failing.first_key_value().unwrap();
    assert_eq!(*name, format!("http://{}/health", downstream.address));
    assert_eq!(fault, "downstream service returned unexpected status: 500");
    downstream.status.store(200, Ordering::SeqCst);
    eventually("it is well", || running.control.failing_checks().is_empty()).await;
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_must_accept_and_a_reload_ends_its_check() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let running = Running::start();
    check(&running, &format!("{{tcp: [{{addr: '{address}', interval: 5ms, timeout: 1s}}]}}")).await;
    drop(listener);
    eventually("it is ill", || !running.control.failing_checks().is_empty()).await;
    let failing = running.control.failing_checks();
    assert!(
        failing[&address].starts_with(&format!("connection to {address} failed")),
        "{failing:?}"
    );
    running.client().await.ask("GET", "/v2/", "").await.expect(503);
    check(&running, "{}").await;
    eventually("it is well", || running.control.failing_checks().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_cannot_be_asked_is_a_failed_check_and_an_empty_one_is_not() {
    let running = Running::start();
    check(&running, "{storagedriver: {enabled: true, interval: 5ms, threshold: 2}}").await;
    let mut client: Client = running.client().await;
    // Nothing was ever pushed: there is no folder of repositories.
    client.ask("GET", "/v2/_catalog", "").await.expect(200);
    assert!(running.control.failing_checks().is_empty());
    let root = running.folder().join("data/docker/registry");
    fs::create_dir_all(&root).unwrap();
    // A name that leads to itself.
    std::os::unix::fs::symlink("v2", root.join("v2")).unwrap();
    eventually("it is ill", || !running.control.failing_checks().is_empty()).await;
    assert!(running.control.failing_checks().contains_key("storagedriver_filesystem"));
    client.ask("GET", "/v2/", "").await.expect(503);
    fs::remove_file(root.join("v2")).unwrap();
    eventually("it is well", || running.control.failing_checks().is_empty()).await;
    client.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_service_stays_so_when_another_check_is_added() {
    let running = Running::start();
    let file = running.folder().join("down");
    fs::write(&file, "").unwrap();
    let named = file.display().to_string();
    check(&running, &format!("{{file: [{{file: '{named}', interval: 5ms}}]}}")).await;
    let fails = |name: &str| running.control.failing_checks().contains_key(name);
    eventually("it is ill", || fails(&named)).await;
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let tcp = format!("tcp: [{{addr: '{closed}', interval: 5ms}}]");
    check(&running, &format!("{{file: [{{file: '{named}', interval: 1h}}], {tcp}}}")).await;
    eventually("the other check is made", || fails(&closed)).await;
    assert!(fails(&named), "nobody has looked whether the file is still there");
    running.client().await.ask("GET", "/v2/", "").await.expect(503);
    // What is no longer checked takes nobody out of service.
    check(&running, &format!("{{{tcp}}}")).await;
    eventually("it is forgotten", || !fails(&named)).await;
}
