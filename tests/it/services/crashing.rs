//! A registry that cannot start.

use std::{fs, net::TcpListener};

use super::{Supervised, crashing, masked};
use crate::support::World;

#[test]
fn status_shows_the_pause_the_last_end_and_the_last_lines_of_the_log() {
    let it = crashing();
    it.until("it has crashed twice", || it.registry()["failures"].as_u64() >= Some(2));
    it.until("it pauses", || it.registry()["state"] == "crashed");
    let (exit, stdout, stderr) = it.said("status registry");
    let mut lines = stdout.lines();
    let head = [
        "down: registry: Ns, normally up, want up; run: log: (pid N) Ns",
        "  crashes in a row: N; the next start is in N s",
        "  last end: exit N, N s ago, after N s",
    ];
    assert_eq!(lines.by_ref().take(3).collect::<Vec<_>>(), head, "{stdout}");
    assert_eq!((exit, stderr.as_str()), (3, ""));
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().all(|line| line.starts_with("  log: ")), "{stdout}");
    assert!(rest.iter().any(|line| line.contains("var/opt/regctl/storage")), "{stdout}");
    let log = it.registry()["log_lines"].as_array().unwrap().len();
    assert!(log > 0, "{stdout}");
}

#[test]
fn start_and_restart_try_at_once_and_say_that_it_does_not_serve() {
    let it = crashing();
    it.until("the pauses are long", || it.registry()["failures"].as_u64() >= Some(3));
    for command in ["start", "restart"] {
        let starts = it.registry()["starts"].as_u64();
        let ran = it.run(&[command, "--wait", "100ms"]);
        let lines = [
            "timeout: down: registry: Ns, normally up, want up\n",
            // It may be about to crash.
            "timeout: run: registry: (pid N) Ns\n",
        ];
        let stdout = masked(&ran.stdout);
        assert!(ran.exit == 1 && lines.contains(&stdout.as_str()), "{command}: {stdout}");
        assert!(it.registry()["starts"].as_u64() > starts, "{command}");
    }
    let ran = it.run(&["start", "--wait", "2500ms"]);
    let said = masked(&ran.stderr);
    let expected = "waiting up to N s for registry to serve: it ended with exit N after N s\n";
    assert!(said == expected || said == "waiting up to N s for registry to serve\n", "{said}");
    it.until("it pauses", || it.registry()["state"] == "crashed");
    it.says("stop", 0, "ok: down: registry: Ns, normally up\n");
}

#[test]
fn what_is_mended_serves_at_the_next_start() {
    let it = crashing();
    it.until("it has crashed", || it.registry()["state"] == "crashed");
    let storage = it.world.path("var/opt/regctl/storage");
    fs::remove_file(&storage).unwrap();
    fs::create_dir(&storage).unwrap();
    it.says("start", 0, "ok: run: registry: (pid N) Ns\n");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let toml = format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n");
    let world = World::with(&toml);
    let it = Supervised::supervise(world);
    it.until("it pauses", || it.registry()["state"] == "crashed");
    let ran = it.run(&["status", "registry"]);
    let problem = format!("  problem: failed to listen on `127.0.0.1:{port}`: ");
    assert!(ran.exit == 3 && ran.stdout.contains(&problem), "{}", ran.stdout);
    assert!(!ran.stdout.contains("last end"), "{}", ran.stdout);
}
