//! Collections of a bucket: what nothing needs goes, what a tag leads to stays, for us and for upstream.

use std::collections::BTreeSet;

use serde_json::json;

use super::bucket::Bucket;
use crate::{
    api::fixture::{Image, Registry},
    interop::{
        seen::{Seen, everything},
        states::{self, Writer},
        wire::Wire,
    },
    support::Peer,
};

/// Everything in repositories with tags: a bucket has no folder that would stand for one in which nothing is left.
fn tagged(wire: &Wire) -> Seen {
    let mut seen = everything(wire);
    seen.retain(|_, tags| !tags.is_empty());
    seen
}

const COLLECT: [&str; 3] = ["registry", "garbage-collect", "-m"];

/// An image that stays, and one that its tag has left.
fn images(registry: &Registry) -> (Image, Image) {
    let (old, new) = (Image::of("old"), Image::of("new"));
    let mut client = registry.client();
    old.push(&mut client, "app", "v1");
    new.push(&mut client, "app", "v1");
    (old, new)
}

#[test]
#[ignore = "needs weed and docker-registry: run cargo xtask test"]
fn what_no_tag_leads_to_goes_and_the_rest_is_pulled() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let (old, new) = images(&registry);
    let before: BTreeSet<String> = bucket.names("").into_iter().collect();

    let ran = registry.run(&["registry", "garbage-collect", "-m", "-d"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stdout.contains(&old.digest().to_string()), "{}", ran.stdout);
    assert_eq!(bucket.names("").into_iter().collect::<BTreeSet<_>>(), before);

    let stopped = registry.stopped();
    let ran = stopped.run(&COLLECT);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stdout.contains("1 manifests eligible for deletion"), "{}", ran.stdout);
    let after = bucket.names("");
    assert!(!after.iter().any(|name| name.contains(old.digest().hex().as_str())), "{after:#?}");
    assert!(after.len() < before.len());
    for wire in [Wire::from(&bucket.ours()), Wire::from(&bucket.peer())] {
        assert_eq!(wire.bytes("app/manifests/v1"), new.manifest);
    }
    // The next one has nothing left to do.
    let ran = stopped.run(&COLLECT);
    assert!(ran.stdout.contains("0 manifests eligible for deletion"), "{}", ran.stdout);
    assert_eq!(bucket.names(""), after);
}

#[test]
#[ignore = "needs weed, docker-registry and skopeo: run cargo xtask test"]
fn everything_that_a_tag_leads_to_survives_a_collection() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let wire = Wire::from(&registry);
    states::write(&wire, Writer::Ours);
    let before = tagged(&wire);
    let ran = registry.stopped().run(&COLLECT);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(tagged(&Wire::from(&bucket.ours())), before);
    assert_eq!(tagged(&Wire::from(&bucket.peer())), before);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn what_is_in_quarantine_comes_back() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let (old, _) = images(&registry);
    let before: BTreeSet<String> = bucket.names("").into_iter().collect();
    let stopped = registry.stopped();
    let ran = stopped.run(&["registry", "garbage-collect", "-m", "--quarantine", "7d", "--json"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let registry = bucket.ours();
    registry.client().get(&format!("/v2/app/manifests/{}", old.digest())).expect(404);
    registry.stopped();
    let run = report["run"].as_str().unwrap();
    assert!(!bucket.names(&format!("regctl-trash/{run}/blobs/")).is_empty());

    let ran = stopped.run(&["registry", "garbage-collect", "--undo", run]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(bucket.names("").into_iter().collect::<BTreeSet<_>>(), before);
    bucket.ours().client().get(&format!("/v2/app/manifests/{}", old.digest())).expect(200);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_bucket_in_which_nothing_is_and_one_of_a_database_are_refused() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let ran = registry.run(&COLLECT);
    assert_eq!(ran.exit, 1, "{ran:?}");
    let place = format!("`s3://registry/{}`", bucket.root);
    assert!(ran.stderr.contains(&format!("there is no storage at {place}")), "{}", ran.stderr);
}

#[test]
#[ignore = "needs weed and docker-registry: run cargo xtask test"]
fn upstreams_collector_finds_nothing_to_say_about_our_bucket() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    let (_, new) = images(&registry);
    let output = Peer::garbage_collect_on(&json!({ "s3": bucket.options() }), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(Wire::from(&registry).bytes("app/manifests/v1"), new.manifest);
}
