//! The way of gitlab-ctl, without its faults: the registry is stopped, collected, and what it was before.

use std::{fs, io::Write as _};

use nix::sys::signal::Signal;

use super::{
    hold::{Lasting, working},
    site::{COLLECT, Site},
};
use crate::{
    faults::Rng,
    support::{World, pusher::digest},
};

const CONFIG: &str = "var/opt/regctl/registry/config.yml";
const REVISIONS: &str = "repositories/app/_manifests/revisions/sha256";

#[test]
fn it_removes_what_nobody_needs_and_the_registry_serves_again() {
    let site = Site::with("");
    let before = site.pid();
    let ran = site.collect(&[]);
    assert!(ran.stdout.contains("0 manifests eligible for deletion"), "{}", ran.stdout);
    assert!(!site.has_garbage());
    assert_ne!(site.pid(), before);
    site.serves();
    // A run that finds nothing is no error either.
    site.collect(&["--quiet"]);
    site.serves();
}

#[test]
fn what_went_is_in_a_log_and_status_knows_of_the_run() {
    let site = Site::with("");
    assert!(!site.status().contains("garbage collection:"), "{}", site.status());
    site.collect(&["--quiet"]);
    let log = site.instance.world.read("var/log/regctl/garbage-collect/current");
    let gone = digest(site.garbage());
    let (_, hex) = gone.split_once(':').unwrap();
    let removed: Vec<_> = log.lines().filter(|line| line.contains(" removed ")).collect();
    // Its link, and the blob.
    assert_eq!(removed.iter().filter(|line| line.contains(hex)).count(), 2, "{log}");
    let ends = |words: &str| log.lines().filter(|line| line.ends_with(words)).count();
    assert_eq!(ends(" a collection begins"), 1, "{log}");
    assert_eq!(ends(" the collection has ended: exit code 0"), 1, "{log}");
    assert_eq!(site.instance.world.mode("var/log/regctl/garbage-collect/current"), 0o640);
    assert!(site.status().contains("  garbage collection: done at 20"), "{}", site.status());
}

#[test]
fn flags_may_stand_before_and_after_the_path() {
    let site = Site::with("");
    let config = site.instance.world.path(CONFIG);
    let config = config.to_str().unwrap();
    let mut pusher = site.instance.pusher();
    let untagged = site_image(&mut pusher);
    for arguments in [["-m", config, "-d"], ["-d", config, "-m"], [config, "-m", "-d"]] {
        let ran = site.collect(&arguments);
        assert!(ran.stdout.contains(&untagged), "{arguments:?}: {}", ran.stdout);
        assert!(site.has_garbage());
    }
    let ran = site.collect(&["--delete-manifests", config]);
    assert!(ran.stdout.contains(&untagged), "{}", ran.stdout);
    assert!(!site.has_garbage());
    site.serves();
}

/// Pushes a manifest that no tag leads to; returns its digest.
fn site_image(pusher: &mut crate::support::pusher::Pusher) -> String {
    let image = crate::faults::Image::new(&mut Rng::new(7100), &[50]);
    image.push(pusher, "app", &image.digest()).unwrap();
    image.digest()
}

#[test]
fn a_dry_run_stops_nothing_and_removes_nothing() {
    let site = Site::with("");
    let before = site.pid();
    let ran = site.collect(&["--dry-run"]);
    assert!(ran.stdout.contains(&digest(site.garbage())), "{}", ran.stdout);
    assert!(site.has_garbage());
    assert_eq!(site.pid(), before);
    site.serves();
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_stopped() {
    let mut site = Site::with("");
    let before = site.pid();
    let missing = site.instance.world.path("missing.yml");
    let ran = site.run(&[COLLECT, missing.to_str().unwrap()]);
    assert!(ran.exit == 78 && ran.stderr.contains("[ROOT]/missing.yml"), "{ran:?}");
    let other = site.instance.world.path("other.yml");
    fs::write(&other, "version: 0.1\nstorage: {filesystem: {rootdirectory: /srv/other}}\nhttp: {addr: \"127.0.0.1:0\"}\n")
        .unwrap();
    let ran = site.run(&[COLLECT, other.to_str().unwrap()]);
    assert!(ran.exit == 2 && ran.stderr.contains("regctl registry garbage-collect"), "{ran:?}");
    let ran = site.run(&[COLLECT, "--no-such-flag"]);
    assert_eq!(ran.exit, 2, "{ran:?}");
    let ran = site.run(&[COLLECT, "--undo", "no-such-run"]);
    assert!(ran.exit == 1 && ran.stderr.contains("no-such-run"), "{ran:?}");
    let marker = "var/opt/regctl/storage/docker/registry/lockfiles/database-in-use";
    let marker = site.instance.world.path(marker);
    fs::create_dir_all(marker.parent().unwrap()).unwrap();
    fs::write(&marker, "").unwrap();
    for mode in ["--stop", "--read-only", "--online"] {
        let ran = site.run(&[COLLECT, mode]);
        assert!(ran.exit == 1 && ran.stderr.contains("database-in-use"), "{mode}: {ran:?}");
    }
    fs::remove_file(&marker).unwrap();
    assert!(site.holds().is_empty());
    site.instance.edit(|text| text.replace("[registry]", "[registry]\nenable = false"));
    let ran = site.run(&[COLLECT]);
    assert!(ran.exit == 1 && ran.stderr.contains("registry.enable"), "{ran:?}");
    assert_eq!(site.pid(), before);
    assert!(site.has_garbage());
    site.serves();
    // An instance that was never applied.
    let world = World::with("[registry]\n");
    let ran = world.run(&[COLLECT]);
    assert!(ran.exit != 0 && ran.stderr.contains("regctl reconfigure"), "{ran:?}");
}

#[test]
fn a_registry_that_was_stopped_by_hand_stays_stopped() {
    let site = Site::with("");
    assert_eq!(site.run(&["stop", "registry"]).exit, 0);
    for arguments in [&[][..], &["--read-only"], &["--online"]] {
        site.collect(arguments);
        assert!(site.is_down() && site.holds().is_empty(), "{arguments:?}");
    }
    assert!(!site.has_garbage());
    assert_eq!(site.run(&["start", "registry"]).exit, 0);
    site.serves();
}

#[test]
fn an_upload_under_way_is_drained_or_ended_and_only_then_is_collected() {
    let site = Site::with("http_draintimeout = \"1s\"\n");
    let mut pusher = site.instance.pusher();
    // Where an upload is under way, layers stay that may be for the same image.
    let session = pusher.session("other/app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 1000).unwrap();
    sending.wait_for_interim_answer().unwrap();
    sending.write(&[1; 500]).unwrap();
    site.collect(&[]);
    assert!(!site.has_garbage());
    // What came of it is kept.
    let told = site.instance.pusher().look(&session).unwrap();
    assert!(told.is_some());
    site.serves();
}

#[test]
fn a_wait_for_a_registry_that_does_not_end_is_interrupted_and_nothing_is_collected() {
    let site = Site::with("http_draintimeout = \"1h\"\n");
    let mut pusher = site.instance.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 1000).unwrap();
    sending.wait_for_interim_answer().unwrap();
    let mut command = site.instance.world.command(&[COLLECT]);
    let command = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    site.instance.until("it stops", || site.instance.registry()["state"] == "stopping");
    crate::supervise::send(command.id().try_into().unwrap(), Signal::SIGTERM);
    // It is started again as soon as the upload is done.
    site.instance.until("it is to start again", || site.instance.registry()["wanted"] == "up");
    sending.write(&[1; 1000]).unwrap();
    assert_eq!(sending.answer(&mut pusher).unwrap().status, 202);
    let output = command.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing was changed") && said.contains("SIGTERM"), "{said}");
    assert_ne!(output.status.code(), Some(0));
    assert!(site.has_garbage());
    site.serves();
}

#[test]
fn a_supervisor_that_does_not_answer_ends_the_command_before_anything_is_collected() {
    let site = Site::with("");
    site.instance.signal(Signal::SIGSTOP);
    let ran = site.run(&[COLLECT]);
    site.instance.signal(Signal::SIGCONT);
    assert!(ran.exit != 0 && ran.stderr.contains("nothing was changed"), "{ran:?}");
    assert!(site.has_garbage());
    site.serves();
}

#[test]
fn the_work_is_done_with_the_environment_of_the_registry() {
    let site = Site::with("env = { HTTPS_PROXY = \"http://proxy.example.com:3128\" }\n");
    let lasting = Lasting::start(&site, &[]);
    let environment = fs::read(format!("/proc/{}/environ", lasting.worker.pid)).unwrap();
    let wanted = b"HTTPS_PROXY=http://proxy.example.com:3128";
    assert!(environment.split(|byte| *byte == 0).any(|word| word == wanted));
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    site.serves();
}

#[test]
fn what_was_kept_for_doubt_is_said_by_the_exit_code() {
    let site = Site::with("");
    let hex = "0".repeat(64);
    let folder = site.instance.store().root().join(REVISIONS).join(&hex);
    fs::create_dir_all(&folder).unwrap();
    fs::File::create(folder.join("link")).unwrap().write_all(b"garbage").unwrap();
    let ran = site.run(&[COLLECT]);
    assert_eq!(ran.exit, 5, "{ran:?}");
    assert_eq!(site.holds().len(), 0);
    site.is_pulled();
}

#[test]
fn a_start_that_fails_is_an_error_of_the_command() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    assert_eq!(working(&site).len(), 1);
    let config = site.instance.world.path(CONFIG);
    let good = fs::read(&config).unwrap();
    fs::write(&config, "version: 0.1\n").unwrap();
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("the registry was not started again"), "{said}");
    assert!(!site.has_garbage());
    fs::write(&config, good).unwrap();
    // What it was before is not forgotten.
    site.collect(&[]);
    site.serves();
}
