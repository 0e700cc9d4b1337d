//! The instance lock: who holds it is known, and waiting for it is bounded.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use super::{applied, edit, touched};
use crate::support::World;

const LOCK: &str = "run/regctl/instance.lock";

/// Holds the lock as another command would.
fn hold(world: &World) -> File {
    fs::create_dir_all(world.path("run/regctl")).unwrap();
    let holder = r#"{"pid":4711,"command":"migrate-storage","since":"2026-01-02T03:04:05Z"}"#;
    fs::write(world.path(LOCK), holder).unwrap();
    let lock = File::open(world.path(LOCK)).unwrap();
    lock.lock().unwrap();
    lock
}

const HELD: &str = "`regctl migrate-storage` (pid 4711) since 2026-01-02T03:04:05Z";

#[test]
fn whoever_does_not_wait_learns_who_holds_the_lock_and_since_when() {
    for (command, arguments) in [
        ("reconfigure", &["reconfigure", "--no-wait"][..]),
        ("run", &["run", "--no-wait"]),
        ("reconfigure", &["reconfigure", "--wait", "10ms"]),
        ("generate-secrets", &["generate-secrets", "--no-wait"]),
    ] {
        let world = World::with("[registry]\n");
        let _held = hold(&world);
        let before = touched(&world);
        let ran = world.run(arguments);
        assert_eq!(ran.exit, 75, "{command}: {}", ran.stderr);
        let error = format!("error: the instance lock `[ROOT]/{LOCK}` is held by {HELD}\n");
        assert!(ran.stderr.contains(&error), "{command}: {}", ran.stderr);
        assert_eq!(touched(&world), before, "{command}");
    }
}

#[test]
fn init_takes_the_lock_too() {
    let world = World::new();
    let _held = hold(&world);
    let ran = world.run(&["init", "--http-addr", "127.0.0.1:5999", "--no-wait"]);
    assert_eq!(ran.exit, 75, "{}", ran.stderr);
    assert!(!world.path("etc").exists());
}

#[test]
fn whoever_waits_says_for_whom_and_goes_on_when_the_lock_is_free() {
    let world = World::with("[registry]\n");
    let held = hold(&world);
    let mut command = world.command(&["reconfigure"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, format!("waiting: the instance lock is held by {HELD}\n"));
    assert!(!world.path("var").exists());
    drop(held);
    assert!(child.wait().unwrap().success());
    assert!(world.path("var/opt/regctl/registry/config.yml").exists());
}

#[test]
fn two_commands_at_once_both_end_well_and_agree() {
    let world = World::with("[registry]\n");
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = world.command(&["reconfigure", "--quiet"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
}

#[test]
fn nothing_to_change_needs_no_lock() {
    let world = applied();
    let _held = hold(&world);
    assert_eq!(world.run(&["reconfigure", "--no-wait"]).exit, 0);
    edit(&world, "[registry]\nlog_level = \"debug\"\n");
    assert_eq!(world.run(&["reconfigure", "--no-wait"]).exit, 75);
    assert_eq!(world.run(&["reconfigure", "--no-wait", "--dry-run"]).exit, 0);
}
