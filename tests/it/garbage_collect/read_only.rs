//! A collection while the registry stays up and takes no pushes.

use nix::sys::signal::Signal;

use super::{
    hold::Lasting,
    site::{COLLECT, Site},
};
use crate::faults::Rng;

#[test]
fn pulls_go_on_and_pushes_are_refused_meanwhile() {
    let site = Site::with("");
    let before = site.pid();
    // What is younger than a day stays.
    site.collect(&["--read-only"]);
    assert!(site.has_garbage());
    let lasting = Lasting::start(&site, &["--read-only", "--grace", "0s"]);
    assert_eq!(site.push_status(), 405);
    site.is_pulled();
    assert!(site.status().contains("read-only hold:"), "{}", site.status());
    let ran = site.run(&["set-readonly", "off"]);
    assert!(ran.exit == 1 && ran.stderr.contains(COLLECT), "{ran:?}");
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    assert!(!site.has_garbage());
    assert_eq!(site.pid(), before);
    site.serves();
}

#[test]
fn a_registry_that_is_read_only_by_its_settings_stays_so() {
    let site = Site::with("");
    assert_eq!(site.run(&["set-readonly", "on"]).exit, 0);
    site.collect(&["--read-only", "--grace", "0s"]);
    assert!(!site.has_garbage() && site.holds().is_empty());
    assert_eq!(site.push_status(), 405);
    site.is_pulled();
    assert_eq!(site.run(&["set-readonly", "off"]).exit, 0);
    site.serves();
}

#[test]
fn a_signal_gives_the_writes_back() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &["--read-only", "--grace", "0s"]);
    lasting.signal(Signal::SIGINT);
    assert_ne!(lasting.finish().0, 0);
    assert!(site.has_garbage());
    site.serves();
}

/// Kills the command; pushes are refused until somebody looks after that.
fn kill(site: &Site) {
    let lasting = Lasting::start(site, &["--read-only", "--grace", "0s"]);
    lasting.signal(Signal::SIGKILL);
    site.instance.until("the work has ended", || lasting.is_over(site));
    lasting.finish();
    assert_eq!(site.push_status(), 405);
    assert!(site.status().contains("; stale: that process is gone"), "{}", site.status());
}

#[test]
fn what_a_killed_command_has_left_is_cleared_by_the_next_run_or_by_hand() {
    let site = Site::with("");
    kill(&site);
    assert_eq!(site.run(&["set-readonly", "off"]).exit, 0);
    site.serves();
    kill(&site);
    site.collect(&[]);
    assert!(!site.has_garbage());
    site.serves();
}

#[test]
fn an_upload_under_way_goes_on_after_it() {
    let site = Site::with("");
    let mut pusher = site.instance.pusher();
    let content = Rng::new(7200).bytes(2000);
    // Where an upload is under way, layers stay that may be for the same image.
    let session = pusher.session("other/app").unwrap();
    let part = pusher.patch(&session, &content[..1000]).unwrap();
    assert_eq!(part.status, 202);
    site.collect(&["--read-only", "--grace", "0s"]);
    assert!(!site.has_garbage());
    let told = pusher.look(&part.session()).unwrap().unwrap();
    assert_eq!(told.offset, 1000);
    assert_eq!(pusher.commit(&told, &content).unwrap().status, 201);
    site.serves();
}
