//! As root on a host of the test's own: the work on the storage is done by the registry's account, as the registry would do it.

use std::{
    fs,
    io::{self, pipe},
    os::unix::fs::MetadataExt as _,
    process::Stdio,
    thread,
};

use nix::fcntl::{FcntlArg, fcntl};
use walkdir::WalkDir;

use super::site::COLLECT;
use crate::{
    faults::{Image, Rng, eventually, pull},
    support::{Host, free_port, pusher::Pusher},
};

const STORAGE: &str = "var/opt/regctl/storage";

/// The words behind a name in the status of a process; none when it has gone.
fn words(pid: &str, name: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The process that works for a command.
fn worker_of(command: u32) -> Option<String> {
    let parent = format!("__as-registry\0--root\0/\0--parent\0{command}\0");
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    pids.find(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains(&parent) && !line.contains("--check")
    })
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn the_work_is_the_accounts_with_its_environment_and_so_is_what_it_leaves() {
    let port = free_port();
    let host = Host::with_systemd(&format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\nenv = {{ HTTPS_PROXY = \"http://proxy.example.com:3128\" }}\n"
    ));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let uid = host.run(&["id", "-u", "registry"]).stdout.trim().to_owned();
    assert_ne!(uid, "0");
    let mut pusher = Pusher::new(([127, 0, 0, 1], port).into());
    let mut rng = Rng::new(7401);
    let [kept, gone] = [(); 2].map(|()| Image::new(&mut rng, &[500, 40]));
    kept.push(&mut pusher, "app", "kept").unwrap();
    gone.push(&mut pusher, "app", &gone.digest()).unwrap();

    // It waits before it removes anything: what it says is not read.
    let (mut said, full) = pipe().unwrap();
    fcntl(&full, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    for number in 0..40 {
        let more = Image::new(&mut Rng::new(7500 + number), &[10]);
        more.push(&mut pusher, "app", &more.digest()).unwrap();
    }
    let mut command = host.command(&["regctl", COLLECT, "-m", "--quarantine", "1d"]);
    let mut child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let pid = eventually("it works as the account", || {
        let worker = worker_of(child.id()).filter(|pid| words(pid, "Uid:") == [uid.as_str(); 4]);
        worker.ok_or_else(|| child.try_wait())
    });
    let groups = host.run(&["id", "-G", "registry"]).stdout;
    let mut groups: Vec<_> = groups.split_ascii_whitespace().collect();
    let mut own = words(&pid, "Groups:");
    groups.sort_unstable();
    own.sort_unstable();
    assert_eq!(own, groups);
    let none = words(&pid, "CapEff:").concat();
    assert!(!none.is_empty() && none.bytes().all(|digit| digit == b'0'), "{none}");
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let wanted = b"HTTPS_PROXY=http://proxy.example.com:3128";
    assert!(environment.split(|byte| *byte == 0).any(|word| word == wanted));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    assert_eq!(fields.split_ascii_whitespace().nth(16), Some("10"), "its niceness: {stat}");

    let reader = thread::spawn(move || io::copy(&mut said, &mut io::sink()).unwrap());
    let output = child.wait_with_output().unwrap();
    reader.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The quarantine, too, and what it remembers for the next time.
    for path in ["docker/registry/v2/regctl-trash", "docker/registry/v2/regctl/references"] {
        assert!(host.path(STORAGE).join(path).exists(), "{path}");
    }
    for entry in WalkDir::new(host.path(STORAGE)) {
        let entry = entry.unwrap();
        let owner = entry.metadata().unwrap().uid().to_string();
        assert_eq!(owner, uid, "{}", entry.path().display());
    }
    let mut pusher = Pusher::new(([127, 0, 0, 1], port).into());
    assert_eq!(pull(&mut pusher, "app", "kept"), Ok(kept.digest()));
    let target = format!("/v2/app/manifests/{}", gone.digest());
    assert_eq!(pusher.get(&target).unwrap().status, 404);
    gone.push(&mut pusher, "app", "again").unwrap();
}

/// What only root may reach, the admin socket, is handed to the account that does the work.
#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_registry_that_serves_is_asked_by_the_account() {
    let port = free_port();
    let host = Host::with_systemd(&format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\nlease = \"1s\"\n\
         [[cleanup_policy]]\nname = \"old\"\nrepositories = \"**\"\nkeep_n = 1\nname_regex_delete = \"v.*\"\n"
    ));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let mut pusher = Pusher::new(([127, 0, 0, 1], port).into());
    let [first, second] = [7601, 7602].map(|seed| Image::new(&mut Rng::new(seed), &[500, 40]));
    first.push(&mut pusher, "app", "v1").unwrap();
    second.push(&mut pusher, "app", "v2").unwrap();
    let ran = host.regctl(&["cleanup-policy", "run", "--now"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let tags = pusher.get("/v2/app/tags/list").unwrap();
    assert_eq!(String::from_utf8_lossy(&tags.body).matches("\"v").count(), 1, "{tags:?}");
    let log = host.path("var/log/regctl/garbage-collect/current");
    let removed = || fs::read_to_string(&log).is_ok_and(|text| text.contains("removed "));
    eventually("the registry is as old as its lease, and nobody relies on the manifest", || {
        let ran = host.regctl(&[COLLECT, "-m", "--online", "--grace", "0s"]);
        assert!(ran.exit == 0 || ran.stderr.contains("begin in "), "{ran:?}");
        // Whoever is handed two connections finds both: what goes is written down.
        if removed() { Ok(()) } else { Err(ran) }
    });
    let statuses = [&first, &second]
        .map(|image| pusher.get(&format!("/v2/app/manifests/{}", image.digest())).unwrap().status);
    assert!(statuses.contains(&200) && statuses.contains(&404), "{statuses:?}");
}
