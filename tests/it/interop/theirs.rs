//! What the peer wrote, we serve: tags, digests, ranges.

use oci::{Algorithm, Digest};
use reqwest::header::RANGE;
use serde_json::Value;

use super::{
    seen::{everything, names},
    states::{self, TAGS, UNTAGGED, Writer},
    wire::{Wire, expect},
};
use crate::support::{Layout, Peer, Stopped};

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn we_show_what_the_peer_shows() {
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    states::write(&Wire::from(&peer), Writer::Peer);
    let theirs = everything(&Wire::from(&peer));
    assert_eq!(names(&theirs), TAGS);
    drop(peer);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(everything(&wire), theirs);
    for repository in UNTAGGED {
        let listed = format!(r#"{{"name":"{repository}","tags":[]}}"#);
        assert_eq!(wire.bytes(&format!("{repository}/tags/list")), listed.as_bytes());
    }
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn we_serve_the_peers_content_by_digest_and_by_range() {
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    states::write(&Wire::from(&peer), Writer::Peer);
    drop(peer);
    let demo = stopped.start();
    let (wire, image) = (Wire::from(&demo), Layout::shared());
    for name in ["amd64", "arm64", "multi"] {
        let digest = image.digest(name);
        assert_eq!(wire.bytes(&format!("index/oci/manifests/{digest}")), image.blob(&digest));
    }
    let manifest: Value = image.document(&image.digest("amd64"));
    let layer: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let (path, bytes) = (format!("image/multi-layer/blobs/{layer}"), image.blob(&layer));
    let length = bytes.len();
    let ranges = [
        ("bytes=0-0".to_owned(), 0..1),
        ("bytes=1000-1999".to_owned(), 1000..2000),
        ("bytes=-7".to_owned(), length - 7..length),
        (format!("bytes={}-", length - 100), length - 100..length),
    ];
    for (range, expected) in ranges {
        let part = expect(206, wire.get(&path).header(RANGE, &range)).bytes().unwrap();
        assert!(part[..] == bytes[expected], "{range}");
    }
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn what_we_push_into_the_peers_folder_the_peer_serves() {
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    states::write(&Wire::from(&peer), Writer::Peer);
    drop(peer);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    for repository in ["image/multi-layer", "deleted/last-tag", "only/blob", "only/digest", "new"] {
        wire.push_image(repository, "pushed-by-us", repository.as_bytes());
    }
    wire.push_image("image/multi-layer", "v1", b"the tag moves");
    wire.delete("deleted/tag", "v2");
    let ours = everything(&wire);
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    assert_eq!(everything(&Wire::from(&peer)), ours);
    assert_eq!(names(&ours).len(), TAGS.len() + 4);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peers_alias_of_a_sha512_digest_is_followed() {
    let stopped = Stopped::new();
    let peer = Peer::start(&stopped.storage());
    let digest = Wire::from(&peer).push_blob("app", Algorithm::Sha512, b"stored under sha256");
    drop(peer);
    let demo = stopped.start();
    let bytes = Wire::from(&demo).bytes(&format!("app/blobs/{digest}"));
    assert_eq!(bytes, b"stored under sha256");
}
