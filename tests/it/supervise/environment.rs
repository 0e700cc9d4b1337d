//! `[registry] env` reaches the registry, and nobody who only looks.

use std::fs;

use super::{Instance, pid};

const SECRET: &str = "of-the-proxy-and-nobody-else";
const CHANGED: &str = "of-the-proxy-since-this-morning";

#[test]
fn values_of_the_environment_are_seen_by_the_registry_alone() {
    let mut instance =
        Instance::serving(&format!("env = {{ HTTPS_PROXY = \"http://me:{SECRET}@127.0.0.1\" }}\n"));
    let registry = pid(&instance.registry());
    let environment = fs::read(format!("/proc/{registry}/environ")).unwrap();
    assert!(String::from_utf8_lossy(&environment).contains(SECRET), "it is there");
    let processes = instance.processes();
    assert!(processes.len() >= 3, "{processes:#?}");
    assert!(processes.iter().all(|process| !process.line.contains(SECRET)), "{processes:#?}");
    // Neither does the process of the log have it, nor the supervisor.
    for process in processes.iter().filter(|process| process.pid != registry) {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains(SECRET), "{process:?}");
    }
    assert_eq!(instance.world.mode("var/opt/regctl/state/services.json"), 0o600);
    instance.edit(|text| text.replace(SECRET, CHANGED));
    let commands = [
        "status",
        "status --json",
        "service-list --json",
        "reconfigure --dry-run",
        "reconfigure",
        "status --json",
        "restart",
    ];
    for command in commands {
        let ran = instance.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.exit, 0, "{command}: {ran:?}");
        for secret in [SECRET, CHANGED] {
            assert!(!format!("{ran:?}").contains(secret), "{command}: {ran:?}");
        }
    }
    assert!(!instance.log().contains(SECRET) && !instance.log().contains(CHANGED));
    let environment = fs::read(format!("/proc/{}/environ", pid(&instance.registry()))).unwrap();
    assert!(String::from_utf8_lossy(&environment).contains(CHANGED), "the new one is there");
}
