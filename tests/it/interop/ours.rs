//! What we wrote, the peer serves, and goes on with.

use std::collections::BTreeSet;

use super::{
    seen::{everything, names, pull},
    states::{self, TAGS, UNTAGGED, Writer},
    wire::Wire,
};
use crate::support::{Demo, Peer};

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn the_peer_shows_what_we_show() {
    let demo = Demo::start();
    states::write(&Wire::from(&demo), Writer::Ours);
    let ours = everything(&Wire::from(&demo));
    assert_eq!(names(&ours), TAGS);
    let listed: BTreeSet<&str> = ours.keys().map(String::as_str).collect();
    assert!(listed.is_superset(&UNTAGGED.into()), "{listed:?}");
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    assert_eq!(everything(&Wire::from(&peer)), ours);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn the_peer_serves_what_has_no_tag() {
    let demo = Demo::start();
    let wire = Wire::from(&demo);
    let kept = wire.push_image("app", "v1", b"the tag goes, the image stays");
    wire.delete("app", "v1");
    let blob = wire.push_blob("blobs", oci::Algorithm::Sha256, b"of no manifest");
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    assert_eq!(pull(&wire.image(&format!("app@{kept}"))).len(), 4);
    assert_eq!(wire.bytes(&format!("blobs/blobs/{blob}")), b"of no manifest");
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn we_serve_what_the_peer_pushed_into_our_folder() {
    let demo = Demo::start();
    states::write(&Wire::from(&demo), Writer::Ours);
    let (stopped, _) = demo.stop();
    let peer = Peer::start(&stopped.storage());
    let wire = Wire::from(&peer);
    for repository in ["image/multi-layer", "deleted/last-tag", "only/blob", "only/digest", "new"] {
        wire.push_image(repository, "pushed-by-the-peer", repository.as_bytes());
    }
    wire.push_image("image/multi-layer", "v1", b"the tag moves");
    let theirs = everything(&wire);
    drop(peer);
    let demo = stopped.start();
    let ours = everything(&Wire::from(&demo));
    assert_eq!(names(&ours).len(), TAGS.len() + 5);
    assert_eq!(ours, theirs);
}
