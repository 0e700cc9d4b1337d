//! Somebody who is neither root nor the instance's owner.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
};

use super::{Supervised, as_nobody, masked};
use crate::support::{World, program::run};

/// Lets everybody reach the root and the program.
fn open(world: &World) {
    fs::set_permissions(world.root(), Permissions::from_mode(0o755)).unwrap();
    // By another process: what this one has open for writing, children of other tests would have open too, and
    // nobody could run it meanwhile.
    run("cp", &[env!("CARGO_BIN_EXE_regctl"), world.path("regctl").to_str().unwrap()]);
}

#[test]
#[ignore = "needs root: run cargo xtask test"]
fn no_command_is_permitted_to_a_stranger() {
    let it = Supervised::start();
    open(&it.world);
    let commands = "status start stop restart once hup term int kill graceful-kill";
    for command in commands.split(' ') {
        let ran = it.world.finish(as_nobody(&it.world, &[command]));
        let error = "error: the supervisor's socket cannot be used: Permission denied (os error N)\nhint: only root and the supervisor's own user may ask it\n";
        let said = (ran.exit, ran.stdout.as_str(), masked(&ran.stderr));
        assert_eq!(said, (77, "", error.to_owned()), "{command}");
    }
    let ran = it.world.finish(as_nobody(&it.world, &["tail"]));
    assert_eq!(ran.exit, 77, "{}", ran.stderr);
    // Nor where the folder is open to all.
    fs::set_permissions(it.world.path("run/regctl"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(it.world.finish(as_nobody(&it.world, &["stop"])).exit, 77);
    assert_eq!(it.run(&["status"]).exit, 0);
}

#[test]
#[ignore = "needs root: run cargo xtask test"]
fn an_owner_without_rights_does_it_all_and_root_may_too() {
    let (world, _) = World::on_free_port();
    open(&world);
    for path in ["", "etc", "etc/regctl", "etc/regctl/instance.toml"] {
        chown(world.path(path), Some(65534), Some(65534)).unwrap();
    }
    let ran = world.finish(as_nobody(&world, &["reconfigure"]));
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let supervisor = as_nobody(&world, &["supervise"]).spawn().unwrap();
    let it = Supervised { world, supervisor };
    let said = |command: &[&str]| {
        let ran = it.world.finish(as_nobody(&it.world, command));
        (ran.exit, masked(&ran.stdout))
    };
    it.until("the supervisor answers", || said(&["status"]).0 != 4);
    let ok = (0, "ok: run: registry: (pid N) Ns\n".to_owned());
    assert_eq!(said(&["start"]), ok);
    assert_eq!(said(&["restart"]), ok);
    assert_eq!(said(&["hup"]), (0, "registry: nothing has changed\n".to_owned()));
    assert_eq!(it.run(&["status"]).exit, 0);
    assert_eq!(said(&["stop"]), (0, "ok: down: registry: Ns, normally up\n".to_owned()));
}
