//! Signals, kills and other commands while a collection works.

use nix::sys::signal::Signal;

use super::{
    hold::Lasting,
    site::{COLLECT, Site},
};
use crate::supervise::send;

#[test]
fn a_signal_to_the_command_ends_the_work_first_and_brings_the_registry_back() {
    let site = Site::with("");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let lasting = Lasting::start(&site, &[]);
        assert!(site.is_down());
        lasting.signal(signal);
        let worker = lasting.worker.pid;
        let (exit, said) = lasting.finish();
        assert_ne!(exit, 0, "{said}");
        assert!(said.contains(signal.as_str()), "{said}");
        assert!(!site.instance.processes().iter().any(|process| process.pid == worker));
        assert!(site.has_garbage());
        site.serves();
    }
    site.collect(&[]);
    assert!(!site.has_garbage());
}

#[test]
fn work_that_somebody_has_stopped_hears_of_the_signal_too() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    send(lasting.worker.pid, Signal::SIGSTOP);
    lasting.signal(Signal::SIGTERM);
    assert_ne!(lasting.finish().0, 0);
    site.serves();
}

#[test]
fn work_that_is_killed_brings_the_registry_back() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    send(lasting.worker.pid, Signal::SIGKILL);
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("SIGKILL"), "{said}");
    site.serves();
}

/// Kills the command; the work ends with it.
fn kill(site: &Site) {
    let lasting = Lasting::start(site, &[]);
    lasting.signal(Signal::SIGKILL);
    site.instance.until("the work has ended", || lasting.is_over(site));
    assert_eq!(lasting.finish().0, 128 + 9);
    assert!(site.is_down() && site.has_garbage());
    assert_eq!(site.holds().len(), 1);
    let status = site.status();
    assert!(status.contains(", and not ended"), "{status}");
    let line = status.lines().find(|line| line.contains("stop hold:")).unwrap_or_default();
    assert!(line.contains(COLLECT) && line.contains("; stale: that process is gone"), "{status}");
}

#[test]
fn what_a_killed_command_has_left_is_brought_back_by_the_next_one() {
    let site = Site::with("");
    kill(&site);
    let ran = site.collect(&[]);
    assert!(ran.stderr.contains("brought back what the stop hold of"), "{}", ran.stderr);
    assert!(!site.has_garbage());
    site.serves();
}

#[test]
fn a_start_by_hand_clears_what_a_killed_command_has_left() {
    let site = Site::with("");
    kill(&site);
    let ran = site.run(&["start", "registry"]);
    assert!(ran.exit == 0 && ran.stderr.contains("cleared the stop hold of"), "{ran:?}");
    site.serves();
}

#[test]
fn who_stops_it_by_hand_after_a_kill_finds_it_stopped_after_the_next_run() {
    let site = Site::with("");
    kill(&site);
    assert_eq!(site.run(&["stop", "registry"]).exit, 0);
    site.collect(&[]);
    assert!(site.is_down() && !site.has_garbage());
}

#[test]
fn two_at_once_wait_for_each_other_or_are_refused() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    let ran = site.run(&[COLLECT, "--no-wait"]);
    let holder = format!("`regctl {COLLECT}` (pid {})", lasting.pid());
    assert!(ran.exit == 75 && ran.stderr.contains(&holder), "{ran:?}");
    let mut second = site.instance.world.command(&[COLLECT, "--wait", "5m"]);
    let second = second.stdout(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(lasting.finish().0, 0);
    assert!(second.wait_with_output().unwrap().status.success());
    site.serves();
}

#[test]
fn who_waits_for_another_run_can_be_sent_away() {
    let site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    let mut second = site.instance.world.command(&[COLLECT, "--wait", "1h"]);
    let mut second = second.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let log = crate::support::daemon::Log::follow(second.stderr.take().unwrap());
    log.wait_for("the storage lock is held by");
    send(second.id().try_into().unwrap(), Signal::SIGTERM);
    assert!(!second.wait().unwrap().success());
    assert_eq!(lasting.finish().0, 0);
    site.serves();
}

#[test]
fn nobody_starts_the_registry_while_it_is_collected() {
    let mut site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    let named =
        format!("the registry is kept stopped by `regctl {COLLECT}` (pid {})", lasting.pid());
    for command in ["start", "restart", "once"] {
        let ran = site.run(&[command, "registry"]);
        assert!(ran.exit == 1 && ran.stderr.contains(&named), "{command}: {ran:?}");
    }
    site.instance.edit(|text| text.replace("[registry]", "[registry]\nlog_level = \"warn\""));
    let ran = site.run(&["reconfigure"]);
    assert!(site.is_down(), "{ran:?}");
    assert_eq!(lasting.finish().0, 0);
    assert!(!site.has_garbage());
    site.serves();
}

#[test]
fn a_supervisor_that_starts_meanwhile_starts_the_registry_when_the_work_has_ended() {
    let mut site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    site.instance.signal(Signal::SIGTERM);
    assert_eq!(site.instance.ended(), Some(0));
    site.instance.supervise();
    assert!(site.is_down());
    assert_eq!(lasting.finish().0, 0);
    assert!(!site.has_garbage());
    site.serves();
}

#[test]
fn after_a_power_failure_the_registry_serves_and_the_next_run_does_the_rest() {
    let mut site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    for pid in [site.instance.supervisor(), lasting.pid(), lasting.worker.pid] {
        send(pid, Signal::SIGKILL);
    }
    site.instance.until("the work has ended", || lasting.is_over(&site));
    lasting.finish();
    site.instance.ended();
    site.instance.supervise();
    site.instance.until("it serves", || !site.is_down());
    site.is_pulled();
    assert!(site.status().contains("; stale: that process is gone"));
    site.collect(&[]);
    assert!(!site.has_garbage());
    site.serves();
}
