//! Tokens of an authorization service.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::fixture::{Registry, bearing, token};
use crate::support::{
    Peer,
    http::{Client, Request, sha256},
    issuer::{Issuer, claims, now},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pushes a blob and a manifest that is empty but for it, and pulls them.
fn push_and_pull(port: u16, token: &str, name: &str) {
    let mut client = Client::new(port);
    let mut ask = |request: Request, status| client.ask(&bearing(request, token)).expect(status);
    let bytes = b"{}";
    let digest = sha256(bytes);
    let upload = Request::new("POST", format!("/v2/{name}/blobs/uploads/")).body("");
    let location = ask(upload, 202).location();
    ask(Request::new("PUT", format!("{location}&digest={digest}")).body(bytes), 201);
    let config = json!({
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": digest.to_string(), "size": bytes.len(),
    });
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] });
    let put = Request::new("PUT", format!("/v2/{name}/manifests/v1"));
    ask(put.header("Content-Type", MANIFEST).body(manifest.to_string()), 201);
    let get = Request::get(format!("/v2/{name}/manifests/v1")).header("Accept", MANIFEST);
    assert_eq!(ask(get, 200).json(), manifest);
    assert_eq!(ask(Request::get(format!("/v2/{name}/blobs/{digest}")), 200).body, bytes);
}

#[test]
fn a_token_as_gitlab_rails_signs_it_pushes_and_pulls() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let token = issuer.token(&[("group/app", &["pull", "push"])]);
    push_and_pull(registry.port, &token, "group/app");
    let access = registry.stop().stdout;
    assert!(access.lines().all(|line| line.starts_with("127.0.0.1 - ann [")), "{access}");
}

/// The peer knows keys by libtrust: if it takes the token, the name is the right one.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_takes_the_same_token() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let auth = token(&registry.world, &issuer);
    let peer = Peer::with_auth(&registry.world.path("peer"), &auth.to_string());
    let signed = issuer.token(&[("group/app", &["pull", "push"])]);
    for port in [registry.port, peer.port()] {
        push_and_pull(port, &signed, "group/app");
    }
    let chain = Header { x5c: Some(issuer.chain()), ..Header::new(Algorithm::RS256) };
    let signed = issuer.sign_with(&chain, &claims(&[("group/app", &["*"])]));
    for port in [registry.port, peer.port()] {
        push_and_pull(port, &signed, "group/app");
    }
}

#[test]
fn what_a_token_does_not_allow_is_refused() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let digest = sha256(b"x");
    let (manifest, uploads) = ("/v2/a/manifests/v1", "/v2/a/blobs/uploads/");
    let pull = issuer.token(&[("a", &["pull"])]);
    let push = issuer.token(&[("a", &["pull", "push"])]);
    let delete = issuer.token(&[("a", &["delete"])]);
    let catalog = issuer.token(&[("catalog", &["*"])]);
    let nothing = issuer.token(&[]);
    for (method, target, token, status) in [
        ("GET", "/v2/", &nothing, 200),
        ("GET", manifest, &nothing, 401),
        ("GET", manifest, &pull, 404),
        ("GET", manifest, &delete, 401),
        ("GET", "/v2/b/manifests/v1", &pull, 401),
        ("PUT", manifest, &pull, 401),
        ("PUT", manifest, &push, 400),
        ("POST", uploads, &pull, 401),
        ("POST", uploads, &push, 202),
        ("DELETE", manifest, &push, 401),
        ("DELETE", manifest, &delete, 404),
        ("DELETE", &format!("/v2/a/blobs/{digest}"), &delete, 404),
        ("GET", "/v2/_catalog", &pull, 401),
        ("GET", "/v2/_catalog", &catalog, 200),
        ("GET", manifest, &catalog, 401),
    ] {
        let request = bearing(Request::new(method, target).body(""), token);
        let answer = registry.ask(&request);
        assert_eq!(answer.status, status, "{method} {target} {answer:?}");
        if status == 401 {
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.ends_with(",error=\"insufficient_scope\""), "{challenge}");
        }
    }
}

#[test]
fn tokens_that_prove_nothing_are_refused_with_a_reason_in_the_log_only() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let registry = Registry::with_tokens_of(&issuer);
    let good = claims(&[("a", &["*"])]);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        issuer.sign(&claims)
    };
    let header = |alg| Header { kid: Some(issuer.key_name()), ..Header::new(alg) };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let shared = |secret: &[u8]| {
        encode(&header(Algorithm::HS256), &good, &EncodingKey::from_secret(secret)).unwrap()
    };
    let none = json!({ "alg": "none", "kid": issuer.key_name() });
    let foreign = Header { x5c: Some(stranger.chain()), ..Header::new(Algorithm::RS256) };
    let stolen = Header { x5c: Some(issuer.chain()), ..Header::new(Algorithm::RS256) };
    let rows = [
        (with("exp", json!(now() - 120)), "expired 12"),
        (with("nbf", json!(now() + 500)), "the clocks of issuer and registry differ"),
        (with("iss", json!("other")), "issued by `other`"),
        (with("aud", json!("other")), "for `other`"),
        (shared(issuer.certificate().as_bytes()), "`HS256`, which is not allowed"),
        (shared(&issuer.public_key()), "`HS256`, which is not allowed"),
        (format!("{}.{}.", part(&none), part(&good)), "`none`, which is not allowed"),
        (stranger.sign(&good), "none of those trusted"),
        (
            stranger.sign_with(&header(Algorithm::RS256), &good),
            "not signed by the key that it names",
        ),
        (stranger.sign_with(&foreign, &good), "does not lead to a trusted certificate"),
        (stranger.sign_with(&stolen, &good), "not signed by the key that it names"),
        ("x".to_owned(), "malformed"),
    ];
    for (token, _) in &rows {
        let answer = registry.ask(&bearing(Request::get("/v2/a/tags/list"), token)).expect(401);
        assert_eq!(answer.codes(), ["UNAUTHORIZED"]);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.ends_with(",error=\"invalid_token\""), "{challenge}");
    }
    let log = registry.stop().stderr;
    let refused: Vec<_> = log.lines().filter(|line| line.contains("access refused")).collect();
    assert_eq!(refused.len(), rows.len(), "{log}");
    for (line, (token, words)) in refused.into_iter().zip(&rows) {
        assert!(line.contains(words), "{line}\nlacks {words}");
        assert!(token.len() < 5 || !log.contains(token.as_str()), "{line}");
    }
}

#[test]
fn a_new_key_counts_at_once_and_the_old_one_no_longer() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let registry = Registry::with_tokens_of(&old);
    let status =
        |issuer: &Issuer| registry.ask(&bearing(Request::get("/v2/"), &issuer.token(&[]))).status;
    assert_eq!([status(&old), status(&new)], [200, 401]);
    registry.write("root.crt", &format!("{}{}", old.certificate(), new.certificate()));
    assert_eq!([status(&old), status(&new)], [200, 200]);
    let remembered = old.token(&[]);
    registry.write("root.crt", &new.certificate());
    assert_eq!([status(&old), status(&new)], [401, 200]);
    registry.ask(&bearing(Request::get("/v2/"), &remembered)).expect(401);
    registry.write("root.crt", "nothing\n");
    assert_eq!([status(&old), status(&new)], [401, 200]);
}

#[test]
fn keys_may_come_from_a_set() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let registry = Registry::start(|world| {
        let mut auth = token(world, &stranger);
        auth["token"]["jwks"] = json!(world.path("keys.json"));
        auth["token"].as_object_mut().unwrap().remove("rootcertbundle");
        let (n, e) = numbers(&issuer.public_key());
        let keys = json!({ "keys": [{ "kty": "RSA", "kid": "1", "use": "sig", "n": n, "e": e }] });
        std::fs::write(world.path("keys.json"), keys.to_string()).unwrap();
        auth
    });
    let header = |kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    let ask = |token: &str| registry.ask(&bearing(Request::get("/v2/"), token)).status;
    assert_eq!(ask(&issuer.sign_with(&header("1"), &claims(&[]))), 200);
    assert_eq!(ask(&issuer.sign_with(&header("2"), &claims(&[]))), 401);
    assert_eq!(ask(&stranger.sign_with(&header("1"), &claims(&[]))), 401);
}

/// Modulus and exponent at the end of a public RSA key of 2048 bits in DER.
pub(super) fn numbers(public_key: &[u8]) -> (String, String) {
    let (rest, exponent) = public_key.split_at(public_key.len() - 3);
    let modulus = &rest[rest.len() - 2 - 256..rest.len() - 2];
    (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent))
}

#[test]
fn a_bundle_without_keys_is_refused_at_the_start() {
    let issuer = Issuer::new();
    let world = crate::support::World::new();
    let auth = token(&world, &issuer);
    std::fs::write(world.path("root.crt"), "").unwrap();
    let config = super::fixture::config(&world, &auth);
    let ran = world.run(&["registry", "serve", config.to_str().unwrap()]);
    assert_eq!(ran.exit, 78);
    assert!(ran.stderr.contains("`[ROOT]/root.crt` holds no certificate"), "{}", ran.stderr);
}
