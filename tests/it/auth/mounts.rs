//! Mounts take only what the client could pull anyway.

use oci::Digest;

use super::fixture::{ANN, Registry, basic, bearing};
use crate::support::{
    http::{Request, sha256},
    issuer::Issuer,
};

const BLOB: &[u8] = b"a layer";

/// Pushes the blob with a token for everything in that repository.
fn push(registry: &Registry, issuer: &Issuer, name: &str) -> Digest {
    let token = issuer.token(&[(name, &["*"])]);
    let begin = Request::new("POST", format!("/v2/{name}/blobs/uploads/")).body("");
    let location = registry.ask(&bearing(begin, &token)).expect(202).location();
    let digest = sha256(BLOB);
    let commit = Request::new("PUT", format!("{location}&digest={digest}")).body(BLOB);
    registry.ask(&bearing(commit, &token)).expect(201);
    digest
}

fn mount(to: &str, digest: &Digest, from: Option<&str>) -> Request {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    Request::new("POST", format!("/v2/{to}/blobs/uploads/?mount={digest}{from}")).body("")
}

#[test]
fn a_mount_needs_pull_on_its_source() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let digest = push(&registry, &issuer, "source");
    let into = ("target", &["pull", "push"][..]);
    for (access, status) in [
        (&[into][..], 202),
        (&[into, ("source", &["push", "delete"])], 202),
        (&[into, ("sourc", &["*"])], 202),
        (&[into, ("source", &["pull"])], 201),
        // Without pushing, not even a mount.
        (&[("target", &["pull"]), ("source", &["pull"])], 401),
        (&[("source", &["*"])], 401),
    ] {
        let request = bearing(mount("target", &digest, Some("source")), &issuer.token(access));
        assert_eq!(registry.ask(&request).status, status, "{access:?}");
        if status == 201 {
            let delete = Request::new("DELETE", format!("/v2/target/blobs/{digest}"));
            let token = issuer.token(&[("target", &["delete"])]);
            registry.ask(&bearing(delete, &token)).expect(202);
        }
    }
}

#[test]
fn a_client_without_a_token_is_told_both_scopes() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let answer = registry.ask(&mount("target", &sha256(BLOB), Some("source"))).expect(401);
    let challenge = answer.header("www-authenticate").unwrap();
    let scope = ",scope=\"repository:target:pull,push repository:source:pull\"";
    assert!(challenge.ends_with(scope), "{challenge}");
}

#[test]
fn a_mount_from_anywhere_looks_only_where_the_token_may_pull() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let digest = push(&registry, &issuer, "secret/source");
    let into = ("target", &["pull", "push"][..]);
    for (access, status) in [
        (&[into][..], 202),
        (&[into, ("other", &["pull"])], 202),
        (&[into, ("secret/source", &["push"])], 202),
        (&[into, ("other", &["pull"]), ("secret/source", &["pull"])], 201),
    ] {
        let request = bearing(mount("target", &digest, None), &issuer.token(access));
        assert_eq!(registry.ask(&request).status, status, "{access:?}");
    }
}

#[test]
fn a_password_opens_every_repository_to_mounts() {
    let registry = Registry::with_passwords(ANN);
    let as_ann = |request: Request| request.header("Authorization", basic("ann", "secret"));
    let begin = as_ann(Request::new("POST", "/v2/source/blobs/uploads/").body(""));
    let location = registry.ask(&begin).expect(202).location();
    let digest = sha256(BLOB);
    let commit = Request::new("PUT", format!("{location}&digest={digest}")).body(BLOB);
    registry.ask(&as_ann(commit)).expect(201);
    for (target, from) in [("one", Some("source")), ("two", None)] {
        registry.ask(&as_ann(mount(target, &digest, from))).expect(201);
    }
    let nowhere = as_ann(mount("three", &sha256(b"unknown"), None));
    registry.ask(&nowhere).expect(202);
}
