//! A registry that was stopped by hand.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Supervised;

const DOWN: &str = "down: registry: Ns, normally up; run: log: (pid N) Ns\n";

#[test]
fn every_command_says_so() {
    let it = Supervised::start();
    it.says("stop", 0, "ok: down: registry: Ns, normally up\n");
    it.says("status", 3, &format!("{DOWN}disabled: nginx\n"));
    it.says("status registry --quiet", 3, DOWN);
    it.says("stop registry", 0, "ok: down: registry: Ns, normally up\n");
    it.says("graceful-kill", 0, "ok: down: registry: Ns, normally up\n");
    it.says("hup", 3, "down: registry: Ns, normally up\n");
    for silent in ["term", "int", "kill"] {
        it.says(silent, 0, "");
    }
    assert!(it.registry()["pid"].is_null());
    it.says("start", 0, "ok: run: registry: (pid N) Ns\n");
}

#[test]
fn it_stays_down_over_a_reconfigure_and_restart_starts_it() {
    let it = Supervised::start();
    it.says("stop", 0, "ok: down: registry: Ns, normally up\n");
    let toml = it.world.path("etc/regctl/instance.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, format!("{text}log_level = \"warn\"\n")).unwrap();
    let ran = it.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    it.says("status registry", 3, DOWN);
    it.says("restart", 0, "ok: run: registry: (pid N) Ns\n");
}

#[test]
fn a_process_that_is_killed_comes_back_and_is_counted() {
    let it = Supervised::start();
    let before = it.pid();
    kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
    it.until("it is gone", || it.registry()["pid"].as_i64() != Some(before.into()));
    it.until("it is back", || it.registry()["pid"].is_i64());
    assert_eq!(it.registry()["restarts"], 1);
    it.says("start", 0, "ok: run: registry: (pid N) Ns\n");
    let expected = "run: registry: (pid N) Ns; run: log: (pid N) Ns\n  restarts: N\n  last end: signal KILL, N s ago, after N s\n";
    it.says("status registry", 0, expected);
}
