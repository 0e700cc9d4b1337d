//! A reconfigure that is killed: the next command finds the old files or the new ones.

use std::process::Command;

use super::{CONFIG_YML, edit, stages};
use crate::support::World;

const VHOST: &str = "var/opt/regctl/nginx/conf/registry.conf";
const JOURNAL: &str = "var/opt/regctl/state/reconfigure.json";

/// The calls that change what is on disk.
const CALLS: &str = "rename,unlink,fsync,write,fchmod,fchown,mkdir,ftruncate";

/// An instance of two rendered files, both of which say which version they are, and which have owners where root
/// runs this.
fn version(level: &str, host: &str) -> String {
    format!(
        "registry_external_url = \"http://{host}.example.com:8081\"\n[registry]\nlog_level = \"{level}\"\nusername = \"root\"\ngroup = \"root\"\n[registry.nginx]\nenable = false\n"
    )
}

/// The versions that the two files say they are.
fn found(world: &World) -> [bool; 2] {
    let (config, vhost) = (world.read(CONFIG_YML), world.read(VHOST));
    [config.contains("level: \"debug\""), vhost.contains("server_name new.example.com;")]
}

/// Runs a command that is killed at a call, and says whether it came to that.
fn is_killed(world: &World, call: &str, count: usize, arguments: &[&str]) -> bool {
    let mut command = Command::new("strace");
    let inject = format!("inject={call}:signal=SIGKILL:when={count}");
    command.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    command.arg(env!("CARGO_BIN_EXE_regctl")).arg("--root").arg(world.root()).args(arguments);
    world.finish(command).exit != 0
}

#[test]
#[ignore = "needs strace: run cargo xtask test"]
fn a_kill_at_any_call_leaves_the_old_files_or_the_new_ones() {
    let mut kills = 0;
    for call in CALLS.split(',') {
        for count in 1.. {
            let world = World::with(&version("info", "old"));
            assert_eq!(world.run(&["reconfigure"]).exit, 0);
            edit(&world, &version("debug", "new"));
            if !is_killed(&world, call, count, &["reconfigure"]) {
                break;
            }
            kills += 1;
            let [config, vhost] = found(&world);
            let has_begun = world.path(JOURNAL).exists();
            assert!(has_begun || config == vhost, "a mix after {call} {count}");
            let ran = world.run(&["reconfigure", "--no-wait"]);
            assert_eq!(ran.exit, 0, "after {call} {count}: {}", ran.stderr);
            assert_eq!(found(&world), [true, true], "after {call} {count}");
            assert!(stages(&world).is_empty() && !world.path(JOURNAL).exists(), "{call} {count}");
            assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
        }
    }
    assert!(kills > 15, "only {kills} kills");
}

#[test]
#[ignore = "needs strace: run cargo xtask test"]
fn a_switch_to_read_only_that_is_killed_is_made_in_both_files_or_in_neither() {
    let mut kills = 0;
    for call in CALLS.split(',') {
        for count in 1.. {
            let world = World::with("[registry]\n");
            assert_eq!(world.run(&["reconfigure"]).exit, 0);
            if !is_killed(&world, call, count, &["set-readonly", "on"]) {
                break;
            }
            kills += 1;
            let is_set = || world.read("etc/regctl/instance.toml").contains("enabled = true");
            let is_rendered = || world.read(CONFIG_YML).contains("readonly:\n      enabled: true");
            let has_begun = world.path(JOURNAL).exists();
            assert!(has_begun || is_set() == is_rendered(), "a mix after {call} {count}");
            let ran = world.run(&["set-readonly", "off", "--no-wait"]);
            assert_eq!(ran.exit, 0, "after {call} {count}: {}", ran.stderr);
            assert!(!is_set() && !is_rendered(), "after {call} {count}");
            assert_eq!(world.run(&["reconfigure"]).exit, 0);
            assert!(stages(&world).is_empty() && !world.path(JOURNAL).exists(), "{call} {count}");
        }
    }
    assert!(kills > 10, "only {kills} kills");
}
