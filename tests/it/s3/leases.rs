//! Processes on one bucket that must keep away from each other: registries, collections, and cleanups.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::bucket::Bucket;
use crate::{
    api::fixture::Registry,
    support::{
        gate::Gate,
        http::{Request, sha256},
        seaweed::Seaweed,
    },
};

const COLLECT: [&str; 2] = ["registry", "garbage-collect"];

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_bucket_that_any_registry_serves_is_not_collected() {
    let bucket = Bucket::new();
    let (here, elsewhere) = (bucket.ours(), bucket.ours());
    let mut client = elsewhere.client();
    client.push_blob("app", b"nobody needs it yet");
    let here = here.stopped();
    let ran = here.run(&COLLECT);
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert!(ran.stderr.contains("a registry serves it: host `"), "{}", ran.stderr);
    assert!(ran.stderr.contains(", pid ") && ran.stderr.contains(", since 20"), "{}", ran.stderr);
    assert_eq!(here.run(&["registry", "garbage-collect", "--dry-run"]).exit, 0);
    // Also where the registry is said to be read-only, and is not.
    let ran = here.run(&["registry", "garbage-collect", "--shared"]);
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert_eq!(bucket.names("blobs/").len(), 1);
    elsewhere.stopped();
    let ran = here.run(&COLLECT);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(bucket.names("blobs/"), [""; 0]);
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_registry_that_was_killed_on_this_machine_is_in_nobodys_way() {
    let bucket = Bucket::new();
    let registry = bucket.ours();
    registry.client().push_blob("app", b"nobody needs it");
    let killed = registry.killed();
    let ran = killed.run(&COLLECT);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(bucket.names("blobs/"), [""; 0]);
    // And a collection gives the bucket back.
    bucket.ours().client().push_blob("app", b"somebody does");
}

/// Pushes blobs until one is answered like this; none may be answered otherwise than by 201 or 503. Returns how many were taken.
fn push_until(status: u16, registry: &Registry, what: &str) -> u32 {
    let (mut taken, until) = (0, Instant::now() + Duration::from_secs(120));
    loop {
        assert!(
            Instant::now() < until,
            "{taken} pushes were taken, and the last one not with {status}"
        );
        let bytes = format!("{what} {taken}");
        let digest = sha256(bytes.as_bytes());
        let path = format!("/v2/app/blobs/uploads/?digest={digest}");
        let answer = registry.client().ask(&Request::new("POST", path).body(bytes));
        assert!([201, 503].contains(&answer.status), "{answer:?}");
        if answer.status == status {
            return taken;
        }
        taken += u32::from(answer.status == 201);
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
#[ignore = "needs weed, and takes more than a minute: run cargo xtask test"]
fn a_registry_that_cannot_renew_its_lease_takes_no_pushes_until_it_can() {
    let bucket = Bucket::new();
    let gate = Gate::to(&Seaweed::shared().endpoint("http"));
    let registry = bucket.ours_by(gate.endpoint());
    push_until(201, &registry, "before");
    gate.hold(|_, target| target.contains("leases"));
    let taken = push_until(503, &registry, "without");
    assert!(taken > 0, "the lease ends when its time is over, and not before");
    // Pulls go on.
    let before = sha256(b"before 0");
    registry.client().get(&format!("/v2/app/blobs/{before}")).expect(200);
    // Nobody else has the bucket yet: what was begun under the lease may still be on its way.
    let (there, idle) = (bucket.names("blobs/"), bucket.ours_with(&json!({})).stopped());
    let ran = idle.run(&COLLECT);
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert_eq!(bucket.names("blobs/"), there);
    gate.release();
    push_until(201, &registry, "after");
    registry.client().get(&format!("/v2/app/blobs/{before}")).expect(200);
}
