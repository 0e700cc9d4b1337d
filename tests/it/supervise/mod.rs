//! The supervisor when things go wrong: processes killed, clients in the middle of something, disks full, and where it
//! is the first process of all. Real processes; what is left of them is looked for in `/proc`.

mod account;
mod container;
mod disk;
mod drain;
mod environment;
mod killed;
mod orphaned;
pub(crate) mod processes;
mod read_only;
mod starting;
mod terminal;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    faults::Store,
    support::{Ran, World, free_port, pusher::Pusher},
};
use processes::Process;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// An instance, and the supervisor over it; whatever is left of both is killed when dropped.
pub(crate) struct Instance {
    pub(crate) world: World,
    port: u16,
    supervisor: Option<Child>,
}

impl Instance {
    /// A registry that serves under a supervisor; `more` is the rest of `[registry]` in instance.toml.
    pub(crate) fn serving(more: &str) -> Self {
        let mut instance = Self::configured(more);
        instance.supervise();
        let ran = instance.run(&["start"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        instance
    }

    /// An instance that nothing runs of.
    pub(crate) fn configured(more: &str) -> Self {
        let port = free_port();
        let text = format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n{more}");
        let instance = Self { world: World::with(&text), port, supervisor: None };
        let ran = instance.run(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        instance
    }

    /// The same behind nginx, with nginx' port.
    fn behind_nginx(more: &str) -> (Self, u16) {
        let nginx = free_port();
        let mut instance = Self::configured("");
        instance.edit(|text| {
            format!(
                "registry_external_url = \"http://localhost:{nginx}\"\n{text}{more}\n[registry.nginx]\nenable = true\n"
            )
        });
        let ran = instance.run(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        (instance, nginx)
    }

    pub(crate) fn edit(&mut self, change: impl FnOnce(&str) -> String) {
        let path = "etc/regctl/instance.toml";
        std::fs::write(self.world.path(path), change(&self.world.read(path))).unwrap();
    }

    /// Starts a supervisor, and returns when it answers.
    pub(crate) fn supervise(&mut self) {
        let mut command = self.world.command(&["supervise"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.supervisor = Some(command.spawn().unwrap());
        self.until("the supervisor answers", || self.run(&["status"]).exit != 4);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.world.run(arguments)
    }

    /// The part of `status --json` about a service.
    fn service(&self, name: &str) -> Value {
        let ran = self.run(&["status", "--json"]);
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let services = document["services"].as_array().unwrap();
        services.iter().find(|service| service["name"] == name).unwrap().clone()
    }

    pub(crate) fn registry(&self) -> Value {
        self.service("registry")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn pusher(&self) -> Pusher {
        Pusher::new(self.address())
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(&self.world.path("var/opt/regctl/storage"))
    }

    fn log(&self) -> String {
        self.world.read("var/log/regctl/registry/current")
    }

    /// Every process that has to do with this instance.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of(self.world.root())
    }

    pub(crate) fn supervisor(&self) -> i32 {
        self.supervisor.as_ref().unwrap().id().try_into().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.supervisor(), signal);
    }

    /// Waits for the supervisor's end; returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.supervisor.take().unwrap().wait().unwrap().code()
    }

    /// Waits until nobody takes connections any more.
    pub(crate) fn until_nobody_listens(&self) {
        self.until("nobody listens", || TcpStream::connect(self.address()).is_err());
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        until(what, is_so, || format!("{:#?}\n{:#?}", self.run(&["status"]), self.processes()));
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            // The second one ends services that do not want to.
            for signal in [Signal::SIGTERM, Signal::SIGTERM] {
                let _ = kill(Pid::from_raw(supervisor.id().try_into().unwrap()), signal);
            }
            let _ = supervisor.wait();
        }
        for process in self.processes() {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
    }
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// The pid in a service's status, or in that of its log.
pub(crate) fn pid(status: &Value) -> i32 {
    let pid = status["pid"].as_i64();
    pid.unwrap_or_else(|| panic!("no process: {status:#}")).try_into().unwrap()
}

/// Looks until it is so.
fn until(what: &str, is_so: impl Fn() -> bool, shown: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}\n{}", shown());
        std::thread::yield_now();
    }
}
