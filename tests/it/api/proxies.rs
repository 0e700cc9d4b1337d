//! A cache in front of another registry, ours beside Distribution's, in front of Distribution's.

use std::{
    fs,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::fixture::{Image, Registry};
use crate::support::{
    Peer,
    http::{Client, Request, sha256},
    issuer::Issuer,
};

/// What one answers with: the status, and the code of an error.
fn said(client: &mut Client, method: &str, target: &str) -> (u16, Vec<String>) {
    let mut request = Request::new(method, target);
    if !["GET", "HEAD"].contains(&method) {
        request = request.body("");
    }
    let answer = client.ask(&request);
    let codes = if method == "HEAD" { Vec::new() } else { answer.codes() };
    (answer.status, codes)
}

/// 2.8 (registry/proxy), asked beside it.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_cache_answers_as_distribution_s_does() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let upstream = Peer::start(folders[0].path());
    let image = Image::of("upstream");
    let mut pusher = Client::new(upstream.port());
    image.push(&mut pusher, "group/app", "v1");
    image.push(&mut pusher, "group/app", "v2");
    let theirs = Peer::proxy_of(folders[1].path(), &upstream.url(""));
    let ours = Registry::with(&json!({ "proxy": { "remoteurl": upstream.url("") } }));
    let layer = format!("/v2/group/app/blobs/{}", sha256(&image.layer));
    let none = format!("/v2/group/app/blobs/{}", sha256(b"none"));
    let by_digest = format!("/v2/group/app/manifests/{}", image.digest());
    for port in [theirs.port(), ours.port()] {
        let mut client = Client::new(port);
        for (method, target, status, code) in [
            ("HEAD", "/v2/group/app/manifests/v1", 200, ""),
            ("HEAD", &layer, 200, ""),
            ("GET", &layer, 200, ""),
            ("GET", &by_digest, 200, ""),
            ("GET", &none, 404, "BLOB_UNKNOWN"),
            ("GET", "/v2/group/app/manifests/none", 404, "MANIFEST_UNKNOWN"),
            ("POST", "/v2/group/app/blobs/uploads/", 405, "UNSUPPORTED"),
            ("DELETE", &by_digest, 405, "UNSUPPORTED"),
            ("DELETE", &layer, 405, "UNSUPPORTED"),
        ] {
            // 2.8 sends no Accept of its own, and asks for what it is asked for.
            let (found, codes) = match (method, target.contains("/manifests/")) {
                ("GET" | "HEAD", true) => {
                    let request =
                        Request::new(method, target).header("Accept", super::fixture::OCI_MANIFEST);
                    let answer = client.ask(&request);
                    let codes = if method == "GET" { answer.codes() } else { Vec::new() };
                    (answer.status, codes)
                }
                _ => said(&mut client, method, target),
            };
            let code = if code.is_empty() { vec![] } else { vec![code.to_owned()] };
            assert_eq!((found, codes), (status, code), "{port}: {method} {target}");
        }
        let tags = client.get("/v2/group/app/tags/list").expect(200).json();
        let mut names: Vec<Value> = tags["tags"].as_array().unwrap().clone();
        names.sort_by_key(Value::to_string);
        assert_eq!(names, ["v1", "v2"]);
    }
    // 2.8 fetches a blob for itself beside the client, and answers before it has it.
    let kept = format!(
        "docker/registry/v2/repositories/group/app/_layers/sha256/{}/link",
        sha256(&image.layer).to_string().trim_start_matches("sha256:")
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read(folders[1].path().join(&kept)).map_or(true, |link| link.is_empty()) {
        assert!(Instant::now() < deadline, "the peer never kept {kept}");
        thread::sleep(Duration::from_millis(10));
    }
    drop(upstream);
    for port in [theirs.port(), ours.port()] {
        let mut client = Client::new(port);
        assert_eq!(client.get(&layer).expect(200).body, image.layer, "{port}");
    }
}

/// 2.8: proxy.username; RFC 7617.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_cache_proves_itself_to_a_distribution_with_users() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("htpasswd");
    let arguments = ["-nbB", "-C", "5", "reader", "of the reader"];
    let written = Command::new("htpasswd").args(arguments).output().unwrap();
    fs::write(&users, written.stdout).unwrap();
    let image = Image::of("private");
    {
        let open = Peer::start(folder.path());
        image.push(&mut Client::new(open.port()), "app", "v1");
    }
    let auth = format!("{{htpasswd: {{realm: r, path: '{}'}}}}", users.display());
    let upstream = Peer::with_auth(folder.path(), &auth);
    let proxy = |password: &str| {
        let (url, username) = (upstream.url(""), "reader");
        let proxy = json!({ "remoteurl": url, "username": username, "password": password });
        Registry::with(&json!({ "proxy": proxy }))
    };
    let right = proxy("of the reader");
    let mut client = right.client();
    assert_eq!(client.get("/v2/app/manifests/v1").expect(200).body, image.manifest);
    let layer = format!("/v2/app/blobs/{}", sha256(&image.layer));
    assert_eq!(client.get(&layer).expect(200).body, image.layer);
    let wrong = proxy("another");
    let refused = wrong.client().get("/v2/app/manifests/v1").expect(403);
    assert_eq!(refused.codes(), ["DENIED"]);
}

/// 2.8 (docs/spec/auth/token.md).
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_cache_gets_tokens_from_the_realm_that_a_distribution_names() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::of("for bearers");
    {
        let open = Peer::start(folder.path());
        image.push(&mut Client::new(open.port()), "group/app", "v1");
    }
    let issuer = Arc::new(Issuer::new());
    let bundle = folder.path().join("issuer.crt");
    fs::write(&bundle, issuer.certificate()).unwrap();
    let auth = format!(
        "{{token: {{realm: '{}', service: {}, issuer: {}, rootcertbundle: '{}'}}}}",
        issuer.serve(),
        Issuer::SERVICE,
        Issuer::NAME,
        bundle.display()
    );
    let upstream = Peer::with_auth(folder.path(), &auth);
    let ours = Registry::with(&json!({ "proxy": { "remoteurl": upstream.url("") } }));
    let mut client = ours.client();
    assert_eq!(client.get("/v2/group/app/manifests/v1").expect(200).body, image.manifest);
    let layer = format!("/v2/group/app/blobs/{}", sha256(&image.layer));
    assert_eq!(client.get(&layer).expect(200).body, image.layer);
}
