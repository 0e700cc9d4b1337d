//! As root on a host of the test's own: the registry is somebody else than the supervisor.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _};

use serde_json::Value;
use walkdir::WalkDir;

use super::{pid, until};
use crate::support::{Host, free_port, pusher::Pusher};

const TOML: &str = "[registry]\nregistry_http_addr = \"127.0.0.1:";

fn registry(host: &Host) -> Value {
    let ran = host.regctl(&["status", "--json"]);
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    document["services"][0].clone()
}

/// The ids of an account and of all its groups.
fn ids(host: &Host, name: &str) -> (String, BTreeSet<String>) {
    let id = |option| host.run(&["id", option, name]).stdout.trim().to_owned();
    (id("-u"), id("-G").split(' ').map(str::to_owned).collect())
}

/// The words behind a name in a process's status.
fn words(pid: i32, name: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn the_registry_runs_as_its_account_with_its_groups_and_commands_of_root_work() {
    let port = free_port();
    let host = Host::with_systemd(&format!("{TOML}{port}\"\n"));
    for line in
        [&["groupadd", "readers"][..], &["useradd", "--system", "registry", "--groups", "readers"]]
    {
        let ran = host.run(line);
        assert_eq!(ran.exit, 0, "{ran:?}");
    }
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let before = pid(&registry(&host));
    let (uid, groups) = ids(&host, "registry");
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert_eq!(words(before, "Uid:"), [uid.as_str(); 4]);
    assert_eq!(words(before, "Groups:").into_iter().collect::<BTreeSet<_>>(), groups);
    assert!(words(before, "CapEff:")[0].bytes().all(|digit| digit == b'0'));
    // The supervisor and the log's process are root's.
    let log = pid(&registry(&host)["log"]);
    assert_eq!(words(log, "Uid:"), ["0"; 4]);

    let mut pusher = Pusher::new(([127, 0, 0, 1], port).into());
    for blob in [&b"one"[..], b"two"] {
        assert_eq!(pusher.push_blob("app", blob).unwrap().status, 201);
    }
    for entry in WalkDir::new(host.path("var/opt/regctl/storage")) {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid().to_string(), uid, "{}", entry.path().display());
    }
    // As the process is, what it asks for is refused.
    let groups = groups.into_iter().collect::<Vec<_>>().join(",");
    let [gid, ..] = &words(before, "Gid:")[..] else { panic!("no group") };
    for path in
        ["/etc/regctl/secrets.json", "/etc/regctl/instance.toml", "/run/regctl/supervisor.sock"]
    {
        let become_it = ["setpriv", "--reuid", &uid, "--regid", gid, "--groups", &groups];
        let ran = host.run(&[&become_it[..], &["cat", path]].concat());
        assert!(ran.exit != 0 && ran.stderr.contains("Permission denied"), "{path}: {ran:?}");
    }

    assert_eq!(host.regctl(&["restart"]).exit, 0);
    let restarted = pid(&registry(&host));
    assert_ne!(restarted, before);
    host.edit(&format!("{TOML}{port}\"\nlog_formatter = \"json\"\n"));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let reconfigured = pid(&registry(&host));
    assert_ne!(reconfigured, restarted);
    assert_eq!(words(reconfigured, "Uid:"), [uid.as_str(); 4]);
    let mut pusher = Pusher::new(([127, 0, 0, 1], port).into());
    assert_eq!(pusher.push_blob("app", b"three").unwrap().status, 201);
    assert_eq!(host.regctl(&["status"]).exit, 0);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn an_account_that_is_gone_is_named_in_status_until_it_is_back() {
    let port = free_port();
    let host = Host::with_systemd(&format!("{TOML}{port}\"\n"));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let accounts = fs::read_to_string(host.path("etc/passwd")).unwrap();
    let others = accounts.lines().filter(|line| !line.starts_with("registry:"));
    let others: String = others.map(|line| format!("{line}\n")).collect();
    fs::write(host.path("etc/passwd"), others).unwrap();
    assert_eq!(host.regctl(&["kill"]).exit, 0);
    let crashes =
        || registry(&host)["failures"].as_u64() >= Some(1) && registry(&host)["state"] == "crashed";
    until("it crashes", crashes, || format!("{:#}", registry(&host)));
    let ran = host.regctl(&["status"]);
    assert_eq!(ran.exit, 3, "{ran:?}");
    let why = "failed to become user `registry`, group `registry`: there is no user `registry`";
    assert!(ran.stdout.contains("\n  log: ") && ran.stdout.contains(why), "{}", ran.stdout);
    fs::write(host.path("etc/passwd"), accounts).unwrap();
    let ran = host.regctl(&["restart"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(Pusher::new(([127, 0, 0, 1], port).into()).get("/v2/").unwrap().status, 200);
}
