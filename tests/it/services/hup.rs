//! Reloads, and what counts as outdated.

use std::fs;

use super::{Supervised, masked};

const CONFIG: &str = "var/opt/regctl/registry/config.yml";

impl Supervised {
    /// Changes the rendered file by hand.
    fn change(&self, from: &str, to: &str) {
        let text = self.world.read(CONFIG);
        assert!(text.contains(from), "{text}");
        fs::write(self.world.path(CONFIG), text.replace(from, to)).unwrap();
    }
}

#[test]
fn a_reload_takes_what_it_can_and_then_nothing_is_outdated() {
    let it = Supervised::start();
    let pid = it.pid();
    it.says("hup registry", 0, "registry: nothing has changed\n");
    it.change("level: \"info\"", "level: \"warn\"");
    let outdated = "run: registry: (pid N) Ns; run: log: (pid N) Ns\n  outdated: it runs on former settings: `regctl reconfigure`\n";
    it.says("status registry", 0, outdated);
    it.says("hup", 0, "registry: applied log.level\n");
    assert_eq!(it.registry()["outdated"], "no");
    assert_eq!(it.pid(), pid);
    it.change("level: \"warn\"", "level: \"error\"");
    it.change("formatter: \"text\"", "formatter: \"json\"");
    let said = "registry: applied log.level\nregistry: needs a restart for log.formatter: `regctl restart registry`\n";
    it.says("hup registry", 5, said);
    assert_eq!(it.registry()["outdated"], "files");
    assert_eq!(it.pid(), pid);
    it.says("restart", 0, "ok: run: registry: (pid N) Ns\n");
    assert_eq!(it.registry()["outdated"], "no");
}

#[test]
fn a_configuration_that_is_refused_changes_nothing_and_is_exit_78() {
    let it = Supervised::start();
    let pid = it.pid();
    it.change("level: \"info\"", "level: \"loud\"");
    let ran = it.run(&["hup", "registry"]);
    let error =
        "error: the registry refuses its configuration, and goes on with the former one\n  ";
    assert!(ran.exit == 78 && ran.stderr.starts_with(error), "{}", ran.stderr);
    assert!(ran.stderr.contains("log.level"), "{}", ran.stderr);
    assert_eq!(it.pid(), pid);
    assert_eq!(it.registry()["outdated"], "files");
}

#[test]
fn a_switch_to_read_only_is_live_and_shown_and_leaves_nothing_outdated() {
    let it = Supervised::start();
    let running = "run: registry: (pid N) Ns; run: log: (pid N) Ns\n";
    it.says("set-readonly on", 0, "read-only is on\n");
    it.says("status registry", 0, &format!("{running}  read-only: set in instance.toml\n"));
    assert_eq!(it.registry()["outdated"], "no");
    it.says("set-readonly off", 0, "read-only is off\n");
    it.says("status registry", 0, running);
    assert_eq!(it.registry()["restarts"], 0);
}

#[test]
fn what_was_outdated_before_a_switch_is_so_after_it() {
    let it = Supervised::start();
    it.change("formatter: \"text\"", "formatter: \"json\"");
    assert_eq!(it.run(&["set-readonly", "on"]).exit, 0);
    assert_eq!(it.registry()["outdated"], "files");
    let stdout = masked(&it.run(&["status", "registry"]).stdout);
    assert!(stdout.contains("\n  outdated: ") && stdout.contains("\n  read-only: "), "{stdout}");
}
