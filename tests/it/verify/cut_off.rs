//! Runs that are killed or told to stop, and others that want the storage meanwhile.

use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use super::site::{COMMAND, Site};
use crate::{
    faults::{Image, Rng},
    supervise::send,
};

/// So slow that it lasts.
const SLOW: [&str; 4] = ["--max-rate", "20KB", "--concurrency", "1"];

/// A registry with many blobs of the same size.
fn filled() -> Site {
    let site = Site::new("");
    let image = Image::new(&mut Rng::new(8103), &[10_000; 40]);
    image.push(&mut site.instance.pusher(), "many", "v1").unwrap();
    site
}

/// Begins a slow run, and returns when it has written down what it has read.
fn begun(site: &Site) -> Child {
    let mut command = site.instance.world.command(&[&[COMMAND], &SLOW[..]].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let state = site.instance.world.path("var/opt/regctl/registry/verification/state");
    let lines = || std::fs::read_to_string(&state).unwrap_or_default().lines().count();
    site.instance.until("something is read", || lines() > 3);
    child
}

fn pid(child: &Child) -> i32 {
    child.id().try_into().unwrap()
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let site = filled();
    let mut killed = begun(&site);
    // Nobody else works on the storage meanwhile; pulls go on.
    let collected = site.instance.run(&["registry-garbage-collect", "--read-only", "--no-wait"]);
    assert_eq!(collected.exit, 75, "{collected:?}");
    assert!(collected.stderr.contains("verify"), "{collected:?}");
    assert_eq!(site.run(&["--no-wait"]).exit, 75);
    site.serves();
    send(pid(&killed), Signal::SIGKILL);
    killed.wait().unwrap();
    let report = site.report(0, &[]);
    let count = |name: &str| report[name].as_u64().unwrap();
    assert!(count("hashed_before") >= 2, "{report}");
    assert_eq!(count("hashed") + count("hashed_before"), count("blobs"), "{report}");
    // That one came to its end: the next begins anew.
    assert_eq!(site.report(0, &[])["hashed_before"], json!(0));
}

#[test]
fn one_that_is_told_to_stop_ends_and_restart_reads_all() {
    let site = filled();
    let mut stopped = begun(&site);
    send(pid(&stopped), Signal::SIGTERM);
    assert_eq!(stopped.wait().unwrap().code(), Some(1));
    let again = site.report(0, &["--restart"]);
    assert_eq!((&again["hashed_before"], &again["hashed"]), (&json!(0), &again["blobs"]));
}
