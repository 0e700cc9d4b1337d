//! How those are answered who are not let in: in the peer's words.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use super::fixture::{ANN, Registry, basic, htpasswd, token};
use crate::support::{
    Peer, World,
    http::{Answer, Client, HOST, Request, sha256},
    issuer::{Issuer, claims, now},
};

/// What clients rely on: status, challenge, error. The peer's scopes come in any order.
fn essence(answer: &Answer) -> Value {
    let challenge = answer.header("www-authenticate").map(|text| {
        let (before, rest) = text.split_once(",scope=\"").unwrap_or((text, "\""));
        let (scope, after) = rest.split_once('"').unwrap();
        let scopes: BTreeSet<Vec<&str>> = scope
            .split(' ')
            .map(|scope| {
                let mut parts: Vec<_> = scope.split([':', ',']).collect();
                parts.get_mut(2..).unwrap_or_default().sort_unstable();
                parts
            })
            .collect();
        (before.to_owned(), scopes, after.to_owned())
    });
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    json!({
        "status": answer.status,
        "challenge": format!("{challenge:?}"),
        "body": body,
        "type": answer.header("content-type"),
        "version": answer.header("docker-distribution-api-version"),
    })
}

/// Every kind of request, with nothing to find.
fn requests() -> Vec<Request> {
    let digest = sha256(b"nothing");
    let uploads = "/v2/a/b/blobs/uploads/";
    [
        ("GET", "/v2/".to_owned()),
        ("HEAD", "/v2/".to_owned()),
        ("POST", "/v2/".to_owned()),
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", "/v2/a/b/tags/list".to_owned()),
        ("GET", "/v2/a/b/manifests/v1".to_owned()),
        ("HEAD", "/v2/a/b/manifests/v1".to_owned()),
        ("PUT", "/v2/a/b/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/a/b/manifests/{digest}")),
        ("OPTIONS", "/v2/a/b/manifests/v1".to_owned()),
        ("GET", format!("/v2/a/b/blobs/{digest}")),
        ("DELETE", format!("/v2/a/b/blobs/{digest}")),
        ("POST", uploads.to_owned()),
        ("POST", format!("{uploads}?mount={digest}&from=c/d")),
        ("PATCH", format!("{uploads}0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5")),
        ("DELETE", format!("{uploads}0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5")),
    ]
    .into_iter()
    .map(|(method, target)| Request::new(method, target))
    .collect()
}

/// Asks both, and compares.
fn compare(ours: &Registry, peer: &Peer, credentials: &[String]) {
    let mut theirs = Client::new(peer.port());
    for request in requests() {
        for credential in credentials {
            let mut request = request.clone();
            if !credential.is_empty() {
                request = request.header("Authorization", credential);
            }
            let (ours, theirs) = (ours.ask(&request), theirs.ask(&request));
            assert_eq!(theirs.status, 401, "{request:?} {theirs:?}");
            assert_eq!(essence(&ours), essence(&theirs), "{request:?}");
        }
    }
}

fn peer(world: &World, auth: &Value) -> Peer {
    Peer::with_auth(&world.path("peer"), &auth.to_string())
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn silly_is_as_silly_as_the_peer() {
    let auth = json!({ "silly": { "realm": "a \"b\" \\c", "service": "ours" } });
    let ours = Registry::start(|_| auth.clone());
    let peer = peer(&ours.world, &auth);
    compare(&ours, &peer, &[String::new()]);
    let anything = Request::get("/v2/").header("Authorization", "x");
    assert_eq!(ours.ask(&anything).status, 200);
    assert_eq!(Client::new(peer.port()).ask(&anything).status, 200);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn passwords_are_refused_as_by_the_peer() {
    let ours = Registry::with_passwords(ANN);
    let peer = peer(&ours.world, &htpasswd(&ours.world, ANN));
    let refused = [
        String::new(),
        basic("ann", "wrong"),
        basic("ann", ""),
        basic("nobody", "secret"),
        "Basic !".to_owned(),
        "Bearer x".to_owned(),
    ];
    compare(&ours, &peer, &refused);
    let request = Request::get("/v2/").header("Authorization", basic("ann", "secret"));
    assert_eq!(ours.ask(&request).status, 200);
    assert_eq!(Client::new(peer.port()).ask(&request).status, 200);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn tokens_are_refused_as_by_the_peer() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let ours = Registry::with_tokens_of(&issuer);
    let auth = token(&ours.world, &issuer);
    let peer = peer(&ours.world, &auth);
    let with = |name: &str, value: Value| {
        let mut claims = claims(&[]);
        claims[name] = value;
        format!("Bearer {}", issuer.sign(&claims))
    };
    let kid = Some(issuer.key_name());
    let foreign = Header { x5c: Some(stranger.chain()), ..Header::new(Algorithm::RS256) };
    let stolen = Header { kid, ..Header::new(Algorithm::RS256) };
    let refused = [
        String::new(),
        "Basic YW5uOnNlY3JldA==".to_owned(),
        "Bearer".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer a b".to_owned(),
        with("exp", json!(now() - 120)),
        with("nbf", json!(now() + 120)),
        with("iss", json!("other")),
        with("aud", json!("other")),
        format!("Bearer {}", stranger.token(&[("a/b", &["*"])])),
        format!("Bearer {}", stranger.sign_with(&stolen, &claims(&[("a/b", &["*"])]))),
        format!("Bearer {}", stranger.sign_with(&foreign, &claims(&[("a/b", &["*"])]))),
    ];
    compare(&ours, &peer, &refused);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_token_that_does_not_reach_is_refused_as_by_the_peer() {
    let issuer = Issuer::new();
    let ours = Registry::with_tokens_of(&issuer);
    let auth = token(&ours.world, &issuer);
    let peer = peer(&ours.world, &auth);
    let mut theirs = Client::new(peer.port());
    for access in [
        &[][..],
        &[("a/b", &["pull"][..])],
        &[("a/b", &["push"][..])],
        &[("a/b", &["pull", "push"][..])],
        &[("a/b", &["delete"][..])],
        &[("a/b", &["*"][..]), ("c/d", &["pull"][..])],
        &[("a", &["*"][..]), ("c/d", &["*"][..])],
        &[("catalog", &["*"][..])],
        &[("catalog", &["pull"][..])],
    ] {
        let token = issuer.token(access);
        for request in requests() {
            let request = request.header("Authorization", format!("Bearer {token}"));
            let (ours, theirs) = (ours.ask(&request), theirs.ask(&request));
            // A mount from what is not granted is an upload here.
            if request.target.contains("from=") && ours.status == 202 {
                continue;
            }
            let refused = [ours.status == 401, theirs.status == 401];
            assert_eq!(refused[0], refused[1], "{access:?} {request:?} {ours:?} {theirs:?}");
            if refused[0] {
                assert_eq!(essence(&ours), essence(&theirs), "{access:?} {request:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn autoredirect_names_the_host_of_the_request_as_the_peer() {
    let issuer = Issuer::new();
    let redirecting = |world: &World| {
        let mut auth = token(world, &issuer);
        auth["token"]["autoredirect"] = json!(true);
        auth
    };
    let ours = Registry::start(redirecting);
    let peer = peer(&ours.world, &redirecting(&ours.world));
    compare(&ours, &peer, &[String::new(), "Bearer x".to_owned()]);
    let found = ours.ask(&Request::get("/v2/"));
    let challenge = found.header("www-authenticate").unwrap();
    assert!(challenge.contains(&format!("realm=\"https://{HOST}/auth/token\"")), "{challenge}");
}
