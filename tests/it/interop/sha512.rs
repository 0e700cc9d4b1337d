//! Content that we stored under sha512: the peer never writes it so, but serves it and keeps it.

use oci::{Algorithm, Digest};

use super::{collected::collect, wire::Wire};
use crate::support::{Demo, Peer, Stopped};

const LAYER: &[u8] = b"named by sha512";

/// What was pushed by sha512: a layer, and manifests that name it so.
struct Pushed {
    layer: Digest,
    untagged: Digest,
    manifest: Vec<u8>,
}

fn push() -> (Stopped, Pushed) {
    let demo = Demo::start();
    let wire = Wire::from(&demo);
    let manifest = wire.push_parts("app", Algorithm::Sha512, LAYER);
    wire.push_manifest("app", "v1", &manifest);
    let untagged = Digest::of(Algorithm::Sha512, &manifest);
    wire.push_manifest("app", &untagged.to_string(), &manifest);
    let layer = Digest::of(Algorithm::Sha512, LAYER);
    (demo.stop().0, Pushed { layer, untagged, manifest })
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_serves_it_by_its_sha512_digest() {
    let (stopped, pushed) = push();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    assert_eq!(wire.bytes(&format!("app/blobs/{}", pushed.layer)), LAYER);
    assert_eq!(wire.bytes("app/manifests/v1"), pushed.manifest);
    assert_eq!(wire.bytes(&format!("app/manifests/{}", pushed.untagged)), pushed.manifest);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn it_survives_the_peers_collection() {
    let (stopped, pushed) = push();
    collect(&stopped, &[]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(wire.bytes(&format!("app/blobs/{}", pushed.layer)), LAYER);
    assert_eq!(wire.bytes(&format!("app/manifests/{}", pushed.untagged)), pushed.manifest);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_tag_keeps_it_through_a_collection_of_what_is_untagged() {
    let (stopped, pushed) = push();
    collect(&stopped, &["-m"]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(wire.bytes(&format!("app/blobs/{}", pushed.layer)), LAYER);
    assert_eq!(wire.bytes("app/manifests/v1"), pushed.manifest);
}
