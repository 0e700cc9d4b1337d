//! Referrers: the peer has no API for them, but serves the tag that lists them and keeps it.

use oci::{Algorithm, Digest, Tag};
use serde_json::{Value, json};

use super::{
    collected::collect,
    wire::{MANIFEST, Wire},
};
use crate::support::{Demo, Peer, Stopped};

/// An image and a signature of it, which has no tag of its own.
struct Signed {
    image: Digest,
    signature: Digest,
    /// Configuration and layer of the signature.
    parts: Vec<Digest>,
}

impl Signed {
    fn push(wire: &Wire) -> Self {
        let image = wire.push_image("app", "v1", b"what is signed");
        let (signature, parts) = sign(wire, &image, b"a signature");
        Self { image, signature, parts }
    }

    /// What the tag lists.
    fn listed(&self, wire: &Wire) -> Vec<Digest> {
        digests(&wire.bytes(&format!("app/manifests/{}", Tag::of_referrers(&self.image))))
    }
}

fn sign(wire: &Wire, image: &Digest, layer: &[u8]) -> (Digest, Vec<Digest>) {
    let manifest = wire.push_parts("app", Algorithm::Sha256, layer);
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": image, "size": 1 });
    let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap().parse().unwrap();
    let parts = vec![digest(&manifest["config"]), digest(&manifest["layers"][0])];
    let bytes = manifest.to_string().into_bytes();
    let signature = Digest::of(Algorithm::Sha256, &bytes);
    wire.push_manifest("app", &signature.to_string(), &bytes);
    (signature, parts)
}

fn digests(index: &[u8]) -> Vec<Digest> {
    let index: Value = serde_json::from_slice(index).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    manifests.iter().map(|entry| entry["digest"].as_str().unwrap().parse().unwrap()).collect()
}

fn signed() -> (Stopped, Signed) {
    let demo = Demo::start();
    let signed = Signed::push(&Wire::from(&demo));
    (demo.stop().0, signed)
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_serves_the_list_and_what_it_lists() {
    let (stopped, signed) = signed();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    assert_eq!(signed.listed(&wire), [signed.signature]);
    wire.bytes(&format!("app/manifests/{}", signed.signature));
    for part in &signed.parts {
        wire.bytes(&format!("app/blobs/{part}"));
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peers_collector_keeps_the_list_and_without_m_what_is_listed() {
    for flags in [&[][..], &["-m"]] {
        let (stopped, signed) = signed();
        collect(&stopped, flags);
        let demo = stopped.start();
        let wire = Wire::from(&demo);
        assert_eq!(signed.listed(&wire), [signed.signature], "{flags:?}");
        let api = wire.bytes(&format!("app/referrers/{}", signed.image));
        assert_eq!(digests(&api), [signed.signature], "{flags:?}");
        // Of what an index lists, 2.8's `-m` keeps no links: neither those of an image for several platforms.
        if flags.is_empty() {
            wire.bytes(&format!("app/manifests/{}", signed.signature));
            for part in &signed.parts {
                wire.bytes(&format!("app/blobs/{part}"));
            }
        }
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_clients_listed_at_the_peer_is_answered_and_grows() {
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    let image = wire.push_image("app", "v1", b"what is signed");
    let (first, _) = sign(&wire, &image, b"pushed to the peer");
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": MANIFEST, "digest": first, "size": 1 }],
    });
    let tag = Tag::of_referrers(&image).to_string();
    wire.push_manifest("app", &tag, index.to_string().as_bytes());
    drop(peer);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    let api = format!("app/referrers/{image}");
    assert_eq!(digests(&wire.bytes(&api)), [first]);
    let (second, _) = sign(&wire, &image, b"pushed to us");
    let mut expected = [first, second];
    assert_eq!(digests(&wire.bytes(&format!("app/manifests/{tag}"))), expected);
    expected.sort();
    assert_eq!(digests(&wire.bytes(&api)), expected);
}
