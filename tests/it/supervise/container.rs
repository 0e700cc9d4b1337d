//! `regctl run` as the first process of a container: nobody else waits for processes that lose their parent, and when
//! it ends, everything does.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use super::{
    Instance, pid,
    processes::{self, Process},
    send, until,
};
use crate::support::{Server, http::Client};

/// The container, and the pid that its first process has outside of it.
struct Container {
    instance: Instance,
    server: Server,
    first: i32,
}

impl Container {
    fn run(instance: Instance) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg(env!("CARGO_BIN_EXE_regctl")).arg("--root").arg(instance.world.root());
        command.arg("run").stdin(Stdio::null()).env_remove("REGCTL_ROOT");
        let server = Server::start(command, instance.world.root());
        let is_first = |process: &Process| {
            process.line.starts_with(env!("CARGO_BIN_EXE_regctl")) && process.line.ends_with(" run")
        };
        let first = instance.processes().into_iter().find(is_first).unwrap().pid;
        Self { instance, server, first }
    }

    /// Prepares a command line within the container.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--pid", "--mount", "sh", "-c", line]);
        command
    }

    fn children(&self) -> Vec<Process> {
        processes::children(self.first)
    }

    fn until(&self, what: &str, is_so: impl Fn(&[Process]) -> bool) {
        until(what, || is_so(&self.children()), || format!("{:#?}", self.children()));
    }

    /// TERM ends everything.
    fn stop(self) {
        send(self.first, Signal::SIGTERM);
        let ran = self.server.wait();
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert!(ran.stderr.ends_with("stopped\n"), "{ran:?}");
        assert_eq!(self.instance.processes(), []);
    }
}

fn is_zombie(process: &Process) -> bool {
    process.state == 'Z'
}

#[test]
#[ignore = "needs root and unshare: run cargo xtask test"]
fn the_first_process_serves_reaps_orphans_and_ends_with_0() {
    let container = Container::run(Instance::configured(""));
    let status = Client::new(container.instance.port).get("/v2/").status;
    assert_eq!(status, 200);
    // A shell's child that outlives it.
    let mut shell = container.command("exec 3<&0; cat <&3 >/dev/null & exec 3<&-");
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    assert!(shell.wait().unwrap().success());
    stdin.write_all(b"it reads").unwrap();
    container.until("the orphan has a new parent", |children| {
        children.iter().any(|process| process.line == "cat")
    });
    drop(stdin);
    container.until("the orphan is gone", |children| {
        children.iter().all(|process| process.line != "cat" && !is_zombie(process))
    });
    let ran = container.instance.run(&["status"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(container.instance.registry()["restarts"], 0);
    container.stop();
}

#[test]
#[ignore = "needs root, unshare and nginx: run cargo xtask test"]
fn workers_of_an_nginx_that_was_killed_are_reaped_and_the_next_one_serves() {
    let (instance, port) = Instance::behind_nginx("");
    let container = Container::run(instance);
    let line = |words: &'static str| move |process: &&Process| process.line.contains(words);
    let before = container.children().iter().find(line("nginx: master")).unwrap().pid;
    send(before, Signal::SIGKILL);
    container.until("it is replaced", |children| {
        let master = children.iter().find(line("nginx: master"));
        master.is_some_and(|master| master.pid != before)
            && !children.iter().any(is_zombie)
            && children.iter().all(|process| !process.line.contains("nginx: worker"))
    });
    let ran = container.instance.run(&["start", "nginx"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(Client::new(port).get("/v2/").status, 200);
    assert_eq!(container.instance.service("nginx")["restarts"], 1);
    assert!(pid(&container.instance.registry()) > 0);
    container.stop();
}

/// Nothing survives the first process.
#[test]
#[ignore = "needs root and unshare: run cargo xtask test"]
fn a_container_that_is_killed_leaves_nothing_and_starts_again() {
    let container = Container::run(Instance::configured(""));
    let blob = b"kept";
    let mut pusher = container.instance.pusher();
    assert_eq!(pusher.post_blob("app", blob).unwrap().status, 201);
    send(container.first, Signal::SIGKILL);
    let Container { instance, server, .. } = container;
    server.wait();
    instance.until("nothing is left", || instance.processes().is_empty());
    let container = Container::run(instance);
    let target = format!("/v2/app/blobs/{}", crate::support::pusher::digest(blob));
    assert_eq!(container.instance.pusher().get(&target).unwrap().body, blob);
    container.stop();
}
