//! The commands of services, at a supervisor that runs: what they say to the byte, how they end, and what is so
//! afterwards.

mod crashing;
mod denied;
mod down;
mod hup;
mod logs;
mod outside;
mod read_only;
mod running;
mod status_json;
mod tail;

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::{Ran, World};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An instance under a supervisor, which is stopped when dropped.
struct Supervised {
    world: World,
    supervisor: Child,
}

impl Supervised {
    /// A registry that serves on a free port.
    fn start() -> Self {
        let (world, _) = World::on_free_port();
        let this = Self::supervise(world);
        assert_eq!(this.run(&["start"]).exit, 0);
        this
    }

    /// Whatever the world is configured to be; the supervisor answers, and nobody waits for services.
    fn supervise(world: World) -> Self {
        let ran = world.run(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        Self::on(world)
    }

    /// A supervisor over files as they are.
    fn on(world: World) -> Self {
        let mut command = world.command(&["supervise"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let this = Self { supervisor: command.spawn().unwrap(), world };
        this.until("the supervisor answers", || this.run(&["status"]).exit != 4);
        this
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.world.run(arguments)
    }

    /// Runs a command and returns its exit code and both outputs, with numbers as `N`.
    fn said(&self, line: &str) -> (i32, String, String) {
        let ran = self.run(&line.split(' ').collect::<Vec<_>>());
        (ran.exit, masked(&ran.stdout), masked(&ran.stderr))
    }

    /// Checks what a command says on stdout, and that it says nothing else.
    fn says(&self, line: &str, exit: i32, stdout: &str) {
        assert_eq!(self.said(line), (exit, stdout.to_owned(), String::new()), "{line}");
    }

    fn json(&self, line: &str) -> Value {
        let arguments: Vec<_> = line.split(' ').chain(["--json"]).collect();
        let ran = self.run(&arguments);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{line}: {}", ran.stderr))
    }

    /// The registry's part of `status --json`.
    fn registry(&self) -> Value {
        self.json("status")["services"][0].clone()
    }

    fn pid(&self) -> i32 {
        self.registry()["pid"].as_i64().unwrap().try_into().unwrap()
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "not in time: {what}\n{:#?}", self.run(&["status"]));
            std::thread::yield_now();
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // The second one ends services that do not want to.
        for signal in [Signal::SIGTERM, Signal::SIGTERM] {
            let _ = kill(Pid::from_raw(self.supervisor.id().try_into().unwrap()), signal);
        }
        let _ = self.supervisor.wait();
    }
}

/// A text in which every number is `N`.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut in_number = false;
    for char in text.chars() {
        let is_digit = char.is_ascii_digit();
        if !is_digit {
            masked.push(char);
        } else if !in_number {
            masked.push('N');
        }
        in_number = is_digit;
    }
    masked
}

/// An instance whose registry starts and ends at once: a file stands where its storage should be.
fn crashing() -> Supervised {
    let (world, _) = World::on_free_port();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let storage = world.path("var/opt/regctl/storage");
    fs::remove_dir_all(&storage).unwrap();
    fs::write(&storage, "no folder").unwrap();
    Supervised::on(world)
}

/// A command as somebody else than the owner of the instance.
fn as_nobody(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(world.path("regctl")).arg("--root").arg(world.root()).args(arguments);
    command
}
