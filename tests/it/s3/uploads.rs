//! Uploads that several processes see, and blobs that clients get from the bucket itself.

use oci::{Algorithm, Digest};
use serde_json::json;

use super::bucket::Bucket;
use crate::{
    api::fixture::Registry,
    interop::wire::Wire,
    support::{
        Peer,
        http::{Connection, Request, sha256},
    },
};

/// No multiple of anything, and more than a part.
fn bytes(length: u32) -> Vec<u8> {
    (0..length / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn what_one_process_begins_another_ends() {
    for length in [40_000, 6_000_000, 25_000_000] {
        let bucket = Bucket::new();
        let whole = bytes(length);
        let (first, rest) = whole.split_at(whole.len() / 3);
        let (second, third) = rest.split_at(rest.len() / 2);
        let registries = [bucket.ours(), bucket.ours()];
        let [one, other] = registries.each_ref().map(Wire::from);
        let session = one.append(&one.begin("group/app"), first);
        let session = other.append(&session, second);
        let digest = Digest::of(Algorithm::Sha256, &whole);
        one.commit(&session, &digest, third);
        assert!(other.bytes(&format!("group/app/blobs/{digest}")) == whole, "{length}");
        assert_eq!(bucket.names("repositories/group/app/_uploads/"), [""; 0], "{length}");
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn what_was_acknowledged_survives_a_kill_in_the_middle_of_the_next_chunk() {
    let bucket = Bucket::new();
    let whole = bytes(20_000_000);
    let (first, rest) = whole.split_at(12_000_001);
    let registry = bucket.ours();
    let session = {
        let wire = Wire::from(&registry);
        wire.append(&wire.begin("app"), first)
    };
    let mut connection = Connection::open(registry.port());
    let head = format!(
        "PATCH {session} HTTP/1.1\r\nHost: registry.test\r\nContent-Length: {}\r\n\r\n",
        rest.len()
    );
    connection.send(head.as_bytes());
    connection.send(&rest[..rest.len() / 2]);
    registry.kill();

    let registry = bucket.ours();
    let mut client = registry.client();
    let status = client.get(&session).expect(204);
    assert_eq!(status.header("range"), Some(format!("0-{}", first.len() - 1).as_str()));
    let digest = sha256(&whole);
    client.commit(&status.location(), &digest, rest).expect(201);
    assert!(client.get(&format!("/v2/app/blobs/{digest}")).expect(200).body == whole);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_digest_that_is_not_the_contents_leaves_no_blob() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let mut client = registry.client();
    let wrong = sha256(b"something else");
    for length in [1000, 12_000_000] {
        let target = format!("/v2/app/blobs/uploads/?digest={wrong}");
        client.ask(&Request::new("POST", target).body(bytes(length))).expect(400);
        let session = client.begin_upload("app");
        client.commit(&session, &wrong, &bytes(length)).expect(400);
    }
    assert_eq!(bucket.names("blobs/"), [""; 0]);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn clients_are_sent_to_the_bucket_unless_that_is_disabled() {
    let bucket = Bucket::new();
    let mut storage = bucket.storage();
    storage["redirect"] = json!({});
    let registry =
        Registry::with(&json!({ "storage": storage, "http": { "secret": Peer::SECRET } }));
    let mut client = registry.client();
    let digest = client.push_blob("app", b"a layer");
    let answer = client.get(&format!("/v2/app/blobs/{digest}")).expect(307);
    let url = answer.header("location").unwrap();
    assert!(url.contains("X-Amz-Expires=1200") && url.contains(&bucket.root), "{url}");
    // Whoever has the URL needs nothing else.
    assert_eq!(crate::support::client().get(url).send().unwrap().bytes().unwrap(), "a layer");
    assert!(!registry.said().contains("X-Amz-Signature"), "{}", registry.said());
    client.ask(&Request::new("HEAD", format!("/v2/app/blobs/{digest}"))).expect(307);
    let through = bucket.ours();
    let answer = through.client().get(&format!("/v2/app/blobs/{digest}")).expect(200);
    assert_eq!(answer.body, b"a layer");
}
