//! A collection that is killed, and one that is refused.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    thread,
};

use super::folder::Folder;
use crate::support::Peer;

/// Enough for a sweep to take a while in each of its steps.
const IMAGES: usize = 300;

fn much(folder: &Folder) {
    for number in 0..IMAGES {
        let stale = folder.image("app", &format!("stale {number}"));
        folder.tag("app", "v1", &stale);
    }
    let kept = folder.image("app", "kept");
    let index = folder.index("app", &[kept]);
    folder.tag("app", "v1", &index);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_collection_that_is_killed_leaves_a_whole_registry_and_the_next_one_ends_it() {
    let whole = Folder::with(much);
    let before = whole.files();
    assert_eq!(whole.collect(&["-m"]).exit, 0);
    let after = whole.files();
    let going: BTreeSet<_> = before.difference(&after).cloned().collect();
    for step in ["/tags/v1/index/", "/_manifests/revisions/", "/_layers/", "blobs/"] {
        let folder = Folder::with(much);
        let is_of_step = |path: &&String| path.contains(step) && going.contains(*path);
        let all: Vec<_> = before.iter().filter(is_of_step).map(|it| folder.path(it)).collect();
        let mut command = folder.command(&["-m"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From the moment when the first of them went.
        while all.iter().all(|path| path.exists()) && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(all.iter().any(|path| !path.exists()), "{step}: killed too early");
        assert_eq!(folder.missing("app", "v1"), [""; 0], "{step}");
        // Upstream's collector goes on as well as ours.
        let other = Peer::garbage_collect(&folder.storage(), &[]);
        assert!(other.status.success(), "{step}: {other:?}");
        assert_eq!(folder.missing("app", "v1"), [""; 0], "{step}");
        let ran = folder.collect(&["-m"]);
        assert_eq!(ran.exit, 0, "{step}: {ran:?}");
        assert_eq!(folder.files(), after, "{step}");
    }
}

#[test]
fn a_collection_is_refused_while_a_registry_has_the_storage() {
    let folder = Folder::with(much);
    let before = folder.files();
    let server = folder.world.serve(&["registry", "serve", &folder.config()]);
    let ran = folder.collect(&["-m"]);
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert!(ran.stderr.contains("is in use: stop the registry that serves it"), "{}", ran.stderr);
    assert_eq!(folder.files(), before);
    // To look is no harm.
    assert_eq!(folder.collect(&["-m", "--dry-run"]).exit, 0);
    assert_eq!(server.stop(nix::sys::signal::Signal::SIGTERM).exit, 0);
    assert_eq!(folder.collect(&["-m"]).exit, 0);
    assert_ne!(folder.files(), before);
}

#[test]
fn who_has_seen_enough_does_not_stop_a_collection() {
    let folder = Folder::with(much);
    let mut command = Command::new("sh");
    let line = "\"$0\" \"$@\" | head -n 1";
    let ours = folder.command(&["-m"]);
    command.args(["-c", line]).arg(ours.get_program()).args(ours.get_args());
    let ran = folder.world.finish(command);
    assert!(ran.stdout.lines().count() == 1, "{ran:?}");
    assert_eq!(folder.files(), {
        let other = Folder::with(much);
        other.collect(&["-m"]);
        other.files()
    });
}
