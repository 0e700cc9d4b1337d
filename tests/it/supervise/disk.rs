//! Logs that cannot be written, and processes of logs that die.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use super::{Instance, pid, send};
use crate::{faults::Mount, support::pusher::Pusher};

/// More lines than a pipe and the registry's buffer hold, in bytes.
const MUCH: usize = 4 << 20;

/// Has the registry say a long line with this word in it.
fn say(pusher: &mut Pusher, word: &str, length: usize) {
    let target = format!("/v2/?{word}{}", "x".repeat(length));
    let answer = pusher.get(&target).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn say_much(pusher: &mut Pusher) {
    (0..MUCH / 4000).for_each(|_| say(pusher, "", 4000));
}

/// Takes all there is on the disk of a folder; returns the file to remove.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut ballast = File::create(&path).unwrap();
    for length in [65536, 4096, 1] {
        while ballast.write_all(&vec![b'x'; length]).is_ok() {}
    }
    path
}

#[test]
fn requests_are_answered_while_the_process_of_the_log_dies_again_and_again() {
    let instance = Instance::serving("");
    let mut pusher = instance.pusher();
    for round in 0..5 {
        let killed = pid(&instance.registry()["log"]);
        send(killed, Signal::SIGKILL);
        say_much(&mut pusher);
        instance.until("another one writes", || {
            instance.registry()["log"]["pid"].as_i64().is_some_and(|pid| pid != i64::from(killed))
        });
        let word = format!("round{round}.");
        say(&mut pusher, &word, 0);
        instance.until("the line is there", || instance.log().contains(&word));
    }
    assert_eq!(instance.registry()["restarts"], 0);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_log_whose_disk_is_full_stops_nobody_and_says_later_how_much_was_lost() {
    let mut instance = Instance::configured("");
    let folder = instance.world.path("var/log/regctl");
    let mount = Mount::tmpfs(&folder, 2);
    instance.supervise();
    assert_eq!(instance.run(&["start"]).exit, 0);
    let mut pusher = instance.pusher();
    say(&mut pusher, "before.", 0);
    instance.until("the line is there", || instance.log().contains("before."));
    let ballast = fill(&folder);
    say_much(&mut pusher);
    // Nor is a process of the log that must open the file first.
    let killed = pid(&instance.registry()["log"]);
    send(killed, Signal::SIGKILL);
    say_much(&mut pusher);
    instance.until("another one reads", || {
        instance.registry()["log"]["pid"].as_i64().is_some_and(|pid| pid != i64::from(killed))
    });
    say_much(&mut pusher);
    assert_eq!(pusher.post_blob("app", b"a blob").unwrap().status, 201);
    assert_eq!(instance.registry()["restarts"], 0);
    std::fs::remove_file(ballast).unwrap();
    mount.enlarge(64);
    say(&mut pusher, "after.", 0);
    instance.until("the line is there", || instance.log().contains("after."));
    let log = instance.log();
    let (lost, _) = log
        .split_once("regctl: ")
        .unwrap_or_else(|| panic!("{}", log.len()))
        .1
        .split_once(' ')
        .unwrap();
    assert!(lost.parse::<usize>().unwrap() > MUCH, "{lost}");
    let note = format!("regctl: {lost} bytes of this log were lost: it could not be written\n");
    assert!(log.contains(&format!("\n{note}")), "a line of its own");
    drop(instance);
    drop(mount);
}

#[test]
fn a_log_without_a_folder_is_made_up_for_when_there_can_be_one() {
    let mut instance = Instance::configured("");
    let folder = instance.world.path("var/log/regctl/registry");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    instance.supervise();
    assert_eq!(instance.run(&["start"]).exit, 0);
    let mut pusher = instance.pusher();
    say_much(&mut pusher);
    std::fs::remove_file(&folder).unwrap();
    say(&mut pusher, "after.", 0);
    let is_there = || folder.join("current").exists() && instance.log().contains("after.");
    instance.until("the line is there", is_there);
    assert!(instance.log().starts_with("regctl: "), "{}", instance.log());
}

/// Somebody has to make room, and tags are what people delete.
#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_supervisor_that_starts_on_a_full_disk_serves() {
    let mut instance = Instance::configured("");
    let [run, logs] = ["run/regctl", "var/log/regctl"].map(|path| instance.world.path(path));
    let mounts = [&run, &logs].map(|folder| (Mount::tmpfs(folder, 1), fill(folder)));
    instance.supervise();
    instance.until("it serves", || instance.run(&["status"]).exit == 0);
    assert_eq!(instance.pusher().post_blob("app", b"a blob").unwrap().status, 201);
    let ran = instance.run(&["supervise"]);
    assert!(ran.exit == 75 && ran.stderr.starts_with("error: another supervisor"), "{ran:?}");
    let killed = pid(&instance.registry());
    send(killed, Signal::SIGKILL);
    instance.until("it is back", || instance.run(&["status"]).stdout.contains("\n  restarts: 1\n"));
    let ran = instance.run(&["restart"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(instance.pusher().get("/v2/").unwrap().status, 200);
    drop(instance);
    drop(mounts);
}
