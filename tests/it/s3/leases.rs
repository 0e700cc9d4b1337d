//! Processes on one bucket that must keep away from each other: registries, collections, and cleanups.

use super::bucket::Bucket;

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
