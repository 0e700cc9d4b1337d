//! The admin socket, asked as its protocol says, and otherwise.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Command,
};

use serde_json::json;

use crate::server::{Running, eventually};

/// A user without rights, by tradition.
const NOBODY: u32 = 65534;

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_the_server_does() {
    let running = Running::start();
    let mut client = running.client().await;
    client.ask("GET", "/v2/", "").await.expect(200);
    client.ask("GET", "/v2/app/tags/list", "").await.expect(404);
    // Its last byte has arrived before the server knows that it has left.
    let mut admin = running.admin().await;
    eventually("both are done", || running.control.statistics().requests_served == 2).await;
    let status = admin.ask("GET", "/v1/status", "").await.expect(200);
    assert_eq!(status.header("content-type"), Some("application/json"));
    let status = status.json();
    assert_eq!(status["schema"], 1);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["pid"], std::process::id());
    assert_eq!((&status["read_only"], &status["draining"]), (&json!(false), &json!(false)));
    assert_eq!(status["connections"], json!({ "open": 1, "accepted": 1 }));
    assert_eq!(status["requests"], json!({ "in_flight": 0, "served": 2 }));
    assert_eq!(status["writes_in_flight"], 0);
    assert!(status["bytes"]["received"].as_u64() > Some(50), "{status}");
    assert!(status["bytes"]["sent"].as_u64() > Some(100), "{status}");
    assert!(status["started_at"].as_str().unwrap().ends_with('Z'), "{status}");
    drop(client);
    eventually("it is closed", || running.control.statistics().connections_open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_is_switched_there_and_back() {
    let running = Running::start();
    let (mut admin, mut client) = (running.admin().await, running.client().await);
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    let switched = admin.ask("PUT", "/v1/read-only", r#"{"enabled": true}"#).await.expect(200);
    let expected = json!({
        "schema": 1, "read_only": true, "was": false, "quiet": true, "writes_in_flight": 0,
    });
    assert_eq!(switched.json(), expected);
    for (method, target) in [
        ("POST", "/v2/app/blobs/uploads/"),
        ("PATCH", &upload),
        ("PUT", &upload),
        ("DELETE", &upload),
        ("PUT", "/v2/app/manifests/v1"),
        ("DELETE", "/v2/app/manifests/v1"),
    ] {
        let refused = client.ask(method, target, "").await.expect(405).json();
        assert_eq!(refused["errors"][0]["code"], "UNSUPPORTED", "{method}");
        let message = refused["errors"][0]["message"].as_str().unwrap();
        assert!(message.ends_with("the registry is read-only"), "{method}: {message}");
    }
    let options = client.ask("OPTIONS", "/v2/app/manifests/v1", "").await.expect(200);
    assert_eq!(options.header("allow"), Some("GET, HEAD"));
    client.ask("GET", &upload, "").await.expect(204);
    let status = admin.ask("GET", "/v1/status", "").await.expect(200).json();
    assert_eq!(status["read_only"], true);
    let back = admin.ask("PUT", "/v1/read-only", r#"{"enabled": false}"#).await.expect(200);
    let expected = json!({
        "schema": 1, "read_only": false, "was": true, "quiet": false, "writes_in_flight": 0,
    });
    assert_eq!(back.json(), expected);
    client.ask("PATCH", &upload, "abc").await.expect(202);
    let options = client.ask("OPTIONS", "/v2/app/manifests/v1", "").await.expect(200);
    assert_eq!(options.header("allow"), Some("GET, HEAD, PUT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_while_the_registry_is_read_only_for_some_seconds() {
    let mut running = Running::start();
    let (mut admin, mut client) = (running.admin().await, running.client().await);
    let body = r#"{"enabled": true, "brief": true}"#;
    admin.ask("PUT", "/v1/read-only", body).await.expect(200);
    client.begin("POST", "/v2/app/blobs/uploads/", 0).await;
    // A pull does not wait.
    let mut other = running.client().await;
    other.ask("GET", "/v2/app/tags/list", "").await.expect(404);
    admin.ask("PUT", "/v1/read-only", r#"{"enabled": false}"#).await.expect(200);
    client.answer().await.unwrap().expect(202);
    // A registry that ends keeps nobody.
    admin.ask("PUT", "/v1/read-only", body).await.expect(200);
    client.begin("POST", "/v2/app/blobs/uploads/", 0).await;
    eventually("it waits", || running.control.statistics().requests_in_flight == 1).await;
    running.stop().await;
    let refused = client.answer().await.unwrap().expect(503);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.code(), "UNAVAILABLE");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_waits_for_the_writes_before_it_when_asked_to() {
    let running = Running::start();
    let (mut admin, mut client) = (running.admin().await, running.client().await);
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 10).await;
    let short = r#"{"enabled": true, "wait_quiet": "10ms"}"#;
    let switched = admin.ask("PUT", "/v1/read-only", short).await.expect(200).json();
    assert_eq!((&switched["quiet"], &switched["writes_in_flight"]), (&json!(false), &json!(1)));
    let body = r#"{"enabled": true, "wait_quiet": "10m"}"#;
    admin.begin("PUT", "/v1/read-only", body.len()).await;
    admin.send(body.as_bytes()).await;
    client.send(b"0123456789").await;
    let written = client.answer().await.unwrap().expect(202);
    assert_eq!(written.header("range"), Some("0-9"));
    let switched = admin.answer().await.unwrap().expect(200).json();
    assert_eq!((&switched["quiet"], &switched["writes_in_flight"]), (&json!(true), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_client_has_gone_counts_until_it_has_ended() {
    let running = Running::start();
    let (mut admin, mut client) = (running.admin().await, running.client().await);
    let upload = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202).location();
    client.begin_when_wanted("PATCH", &upload, 10).await;
    client.send(b"01234").await;
    drop(client);
    let body = r#"{"enabled": true, "wait_quiet": "10m"}"#;
    let switched = admin.ask("PUT", "/v1/read-only", body).await.expect(200).json();
    assert_eq!(switched["quiet"], true);
    assert_eq!(running.sessions(), [b"01234"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_changes_nothing_and_is_told_why() {
    let running = Running::start();
    let long = format!("{{\"enabled\": true, \"wait_quiet\": \"{}\"}}", "1".repeat(20_000));
    let rows = [
        ("GET", "/", "", 404, "no such resource"),
        ("GET", "/v2/", "", 404, "no such resource"),
        ("GET", "/v1/status/", "", 404, "no such resource"),
        ("POST", "/v1/status", "", 405, "takes GET only"),
        ("GET", "/v1/read-only", "", 405, "takes PUT only"),
        ("PUT", "/v1/reload", "", 405, "takes POST only"),
        ("PUT", "/v1/read-only", "", 400, "EOF"),
        ("PUT", "/v1/read-only", "true", 400, "expected"),
        ("PUT", "/v1/read-only", r#"{"enabled": "yes"}"#, 400, "boolean"),
        ("PUT", "/v1/read-only", r#"{"wait_quiet": "1s"}"#, 400, "missing field `enabled`"),
        ("PUT", "/v1/read-only", r#"{"enabled": true, "wait": "1s"}"#, 400, "unknown field `wait`"),
        ("PUT", "/v1/read-only", r#"{"enabled": true, "wait_quiet": "11m"}"#, 400, "at most 10m"),
        ("PUT", "/v1/read-only", r#"{"enabled": true, "wait_quiet": "soon"}"#, 400, "`soon`"),
        ("PUT", "/v1/read-only", r#"{"enabled": true, "wait_quiet": "-1s"}"#, 400, "`-1s`"),
        ("PUT", "/v1/read-only", r#"{"enabled": false, "wait_quiet": "1s"}"#, 400, "goes with"),
        ("PUT", "/v1/read-only", &long, 413, "longer than"),
    ];
    for (method, target, body, status, reason) in rows {
        let mut admin = running.admin().await;
        admin.begin(method, target, body.len()).await;
        admin.send(body.as_bytes()).await;
        let answer = admin.answer().await.unwrap().expect(status);
        assert_eq!(answer.json()["schema"], 1);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(reason), "{method} {target} {body}: {error}");
        assert_eq!(answer.header("allow").is_some(), status == 405);
    }
    assert!(!running.control.is_read_only());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_over_what_it_can_and_lists_the_rest() {
    let running = Running::start();
    let (mut admin, mut client) = (running.admin().await, running.client().await);
    let unchanged = admin.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(unchanged, json!({ "schema": 1, "applied": [], "needs_restart": [] }));
    running.rewrite(|text| {
        text.replace("127.0.0.1:0", "127.0.0.1:1")
            .replace("secret:", "headers: {X-Test: [new]}, secret:")
            .replace(
                "storage:\n",
                "storage:\n  delete: {enabled: true}\n  maintenance: {readonly: {enabled: true}}\n",
            )
    });
    let reloaded = admin.ask("POST", "/v1/reload", "").await.expect(200).json();
    let applied =
        json!(["storage.delete.enabled", "storage.maintenance.readonly.enabled", "http.headers"]);
    assert_eq!(
        reloaded,
        json!({ "schema": 1, "applied": applied, "needs_restart": ["http.addr"] })
    );
    // The connection was there before.
    let refused = client.ask("PUT", "/v2/app/manifests/v1", "").await.expect(405);
    assert_eq!(refused.header("x-test"), Some("new"));
    running.rewrite(|text| text.replace("readonly: {enabled: true}", "readonly: {enabled: false}"));
    admin.ask("POST", "/v1/reload", "").await.expect(200);
    let options = client.ask("OPTIONS", "/v2/app/manifests/v1", "").await.expect(200);
    assert_eq!(options.header("allow"), Some("DELETE, GET, HEAD, PUT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_read_only_is_what_the_configuration_says_whatever_was_switched() {
    let running = Running::start();
    let mut admin = running.admin().await;
    running.control.set_read_only(true);
    running.rewrite(|text| text.replace("secret:", "relativeurls: true, secret:"));
    let reloaded = admin.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(
        reloaded["applied"],
        json!(["storage.maintenance.readonly.enabled", "http.relativeurls"])
    );
    assert!(!running.control.is_read_only());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_problems_lists_them_all_and_changes_nothing() {
    let running = Running::start();
    let mut admin = running.admin().await;
    running.rewrite(|text| {
        text.replace(
            "secret:",
            "relativeurls: maybe, prefix: '?', headers: {X-Test: [new]}, secret:",
        )
    });
    let refused = admin.ask("POST", "/v1/reload", "").await.expect(422).json();
    let problems = refused["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{refused}");
    assert!(problems[0].as_str().unwrap().contains("`http.relativeurls` is `maybe`"), "{refused}");
    let answer = running.client().await.ask("GET", "/v2/", "").await.expect(200);
    assert_eq!(answer.header("x-test"), None);
    running.rewrite(|_| "panic".to_owned());
    let failed = admin.ask("POST", "/v1/reload", "").await.expect(500).json();
    assert!(failed["error"].as_str().unwrap().contains("panicked"), "{failed}");
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_that_say_nothing_hold_nobody_up_for_good() {
    let running = Running::start();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(running.admin().await);
    }
    // The last ones wait in the queue until the first ones are given up.
    let mut admin = running.admin().await;
    admin.ask("GET", "/v1/status", "").await.expect(200);
}

/// Another user can be had by root only; who is none gets in as the own user.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_sent_away() {
    let running = Running::start();
    let socket = running.admin_socket();
    let mut ask = Command::new("curl");
    ask.args(["--silent", "--max-time", "20", "--unix-socket"]).arg(&socket);
    ask.arg("http://localhost/v1/status");
    let is_other = rustix::process::geteuid().is_root();
    if is_other {
        // Only the check of the peer is left to keep it out.
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        ask.uid(NOBODY).gid(NOBODY);
    }
    let said = tokio::task::spawn_blocking(move || ask.output().unwrap()).await.unwrap();
    assert_eq!(said.status.success(), !is_other, "{said:?}");
    assert_eq!(said.stdout.is_empty(), is_other, "{said:?}");
    running.admin().await.ask("GET", "/v1/status", "").await.expect(200);
}
