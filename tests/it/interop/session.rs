//! An upload session goes on in the other registry, since both have the same `http.secret`.

use oci::{Algorithm, Digest};

use super::wire::{Wire, expect};
use crate::support::{Demo, Peer, Stopped};

/// Longer than a block of SHA-256, and no multiple of it.
fn halves() -> (Vec<u8>, Vec<u8>, Digest) {
    let whole: Vec<u8> = (0..300_001_u32).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(Algorithm::Sha256, &whole);
    let (first, second) = whole.split_at(500_003);
    (first.to_vec(), second.to_vec(), digest)
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_the_peer_began_we_end() {
    let (first, second, digest) = halves();
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    let session = wire.append(&wire.begin("group/app"), &first);
    drop(peer);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    wire.commit(&session, &digest, &second);
    assert_eq!(wire.bytes(&format!("group/app/blobs/{digest}")), [first, second].concat());
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_we_began_the_peer_ends() {
    let (first, second, digest) = halves();
    let demo = Demo::start();
    let wire = Wire::from(&demo);
    let session = wire.append(&wire.begin("group/app"), &first);
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    wire.commit(&session, &digest, &second);
    assert_eq!(wire.bytes(&format!("group/app/blobs/{digest}")), [first, second].concat());
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_session_goes_to_and_fro() {
    let (first, second, digest) = halves();
    let demo = Demo::start();
    let session = Wire::from(&demo).begin("app");
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let session = Wire::from(&peer).append(&session, &first);
    drop(peer);
    let demo = stopped.start();
    let session = Wire::from(&demo).append(&session, &second);
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    wire.commit(&session, &digest, b"");
    assert_eq!(wire.bytes(&format!("app/blobs/{digest}")), [first, second].concat());
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_sees_how_far_our_session_is() {
    let (first, ..) = halves();
    let demo = Demo::start();
    let wire = Wire::from(&demo);
    let session = wire.append(&wire.begin("app"), &first);
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let path = session.strip_prefix("/v2/").unwrap();
    let status = expect(204, Wire::from(&peer).get(path));
    assert_eq!(status.headers()["range"], format!("0-{}", first.len() - 1));
}
