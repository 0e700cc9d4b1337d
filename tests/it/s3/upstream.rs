//! Debian's docker-registry and ours on one bucket, at the same time.

use std::collections::BTreeSet;

use super::bucket::Bucket;
use crate::interop::{
    seen::{everything, names},
    states::{self, TAGS, UNTAGGED, Writer},
    wire::Wire,
};

#[test]
#[ignore = "needs weed, docker-registry and skopeo: run cargo xtask test"]
fn the_peer_shows_what_we_pushed_and_goes_on_with_it() {
    let bucket = Bucket::new();
    let (ours, peer) = (bucket.ours(), bucket.peer());
    states::write(&Wire::from(&ours), Writer::Ours);
    let shown = everything(&Wire::from(&ours));
    assert_eq!(names(&shown), TAGS);
    let listed: BTreeSet<&str> = shown.keys().map(String::as_str).collect();
    assert!(listed.is_superset(&UNTAGGED.into()), "{listed:?}");
    assert_eq!(everything(&Wire::from(&peer)), shown);
    Wire::from(&peer).push_image("image/multi-layer", "v1", b"the tag moves");
    assert_eq!(everything(&Wire::from(&ours)), everything(&Wire::from(&peer)));
}

#[test]
#[ignore = "needs weed, docker-registry and skopeo: run cargo xtask test"]
fn we_show_what_the_peer_pushed_and_go_on_with_it() {
    let bucket = Bucket::new();
    let (ours, peer) = (bucket.ours(), bucket.peer());
    states::write(&Wire::from(&peer), Writer::PeerOfBucket);
    let shown = everything(&Wire::from(&peer));
    assert_eq!(everything(&Wire::from(&ours)), shown);
    Wire::from(&ours).push_image("image/multi-layer", "v1", b"the tag moves");
    assert_eq!(everything(&Wire::from(&ours)), everything(&Wire::from(&peer)));
}
