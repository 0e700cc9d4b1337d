//! Services that cannot start.

use std::{fs, net::TcpListener};

use super::Instance;

/// A registry whose storage is a file, under a supervisor.
fn crashing() -> Instance {
    let mut instance = Instance::configured("");
    let storage = instance.world.path("var/opt/regctl/storage");
    fs::remove_dir_all(&storage).unwrap();
    fs::write(storage, "no folder").unwrap();
    instance.supervise();
    instance
}

#[test]
fn the_pauses_between_starts_double_and_a_restart_after_mending_waits_for_none() {
    let instance = crashing();
    // A pause of two seconds has more than one left when it begins, and so on; one that is missed is followed by another.
    for pause in [1, 2, 4] {
        instance.until("it pauses for longer", || {
            let status = instance.registry();
            let failures = u32::try_from(status["failures"].as_u64().unwrap()).unwrap();
            let Some(left) = status["next_start"].as_u64() else { return false };
            assert!(left <= 1 << (failures - 1), "{status:#}");
            assert_eq!(status["starts"], failures, "{status:#}");
            left > pause / 2
        });
    }
    let ran = instance.run(&["status"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.stdout.starts_with("down: registry: "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\n  log: ") && ran.stdout.contains("[ROOT]/var/opt/regctl/storage")
    );
    let storage = instance.world.path("var/opt/regctl/storage");
    fs::remove_file(&storage).unwrap();
    fs::create_dir(&storage).unwrap();
    let ran = instance.run(&["restart"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let status = instance.registry();
    assert_eq!((&status["state"], &status["failures"]), (&"run".into(), &0.into()), "{status:#}");
    assert!(instance.run(&["status", "registry"]).stdout.starts_with("run: registry: "));
}

#[test]
fn a_restart_of_services_that_crash_ends_when_the_supervisor_does() {
    let mut instance = crashing();
    instance.until("it has crashed", || instance.registry()["failures"].as_u64() >= Some(2));
    instance.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(instance.ended(), Some(0));
    assert_eq!(instance.processes(), []);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn an_nginx_whose_port_is_taken_leaves_the_registry_alone() {
    let (mut instance, port) = Instance::behind_nginx("");
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    instance.supervise();
    instance.until("nginx has crashed", || instance.service("nginx")["state"] == "crashed");
    assert_eq!(instance.run(&["status", "registry"]).exit, 0);
    let ran = instance.run(&["status"]);
    assert_eq!(ran.exit, 3, "{ran:?}");
    let (_, nginx) = ran.stdout.split_once("down: nginx: ").unwrap();
    let reason = format!("bind() to 127.0.0.1:{port} failed (98: Address already in use)");
    assert!(nginx.contains("\n  log: ") && nginx.contains(&reason), "{}", ran.stdout);
    assert_eq!(instance.pusher().get("/v2/").unwrap().status, 200);
    drop(taken);
    let ran = instance.run(&["restart", "nginx"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(instance.run(&["status"]).exit, 0);
}
