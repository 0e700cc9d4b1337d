//! A registry process on a folder: started, killed and started again, always with the same secret.

use std::{
    fs,
    net::SocketAddr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use super::Store;
use crate::support::{Ran, Server, World, pusher::Pusher};

/// The process, and the folder that outlives it.
pub(crate) struct Registry {
    world: World,
    storage: PathBuf,
    running: Option<(Server, SocketAddr)>,
}

impl Registry {
    /// A registry that runs, on an empty folder of its own.
    pub(crate) fn start() -> Self {
        let world = World::new();
        let storage = world.path("storage");
        Self::start_on(world, storage)
    }

    /// A registry that runs on this folder; `world` has its config.yml.
    pub(crate) fn start_on(world: World, storage: PathBuf) -> Self {
        let mut registry = Self::prepared(world, storage);
        registry.start_again();
        registry
    }

    /// A registry that does not run yet.
    pub(crate) fn prepared(world: World, storage: PathBuf) -> Self {
        let text = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\nstorage:\n  \
             filesystem: {{rootdirectory: '{}'}}\n  delete: {{enabled: true}}\n\
             http: {{addr: '127.0.0.1:0', secret: 'of all processes here'}}\n",
            storage.display()
        );
        fs::write(world.path("config.yml"), text).unwrap();
        Self { world, storage, running: None }
    }

    /// Starts the process that was stopped or killed; its port is a new one.
    pub(crate) fn start_again(&mut self) {
        self.start_as(crate::support::binary());
    }

    /// Starts it by another command, which needs only its arguments.
    pub(crate) fn start_as(&mut self, mut command: Command) {
        assert!(self.running.is_none(), "it runs already");
        command.args(["registry", "serve"]).arg(self.world.path("config.yml"));
        let server = Server::start(command, self.world.root());
        let (_, address) = server.greeting.trim_end().rsplit_once(' ').unwrap();
        let address = address.parse().unwrap();
        self.running = Some((server, address));
    }

    /// Ends the process by a signal, and returns what it said.
    pub(crate) fn stop(&mut self, signal: Signal) -> Ran {
        let (server, _) = self.running.take().unwrap();
        server.stop(signal)
    }

    /// Waits for the end of a process that was told to stop.
    pub(crate) fn wait(&mut self) -> Ran {
        let (server, _) = self.running.take().unwrap();
        server.wait()
    }

    /// Sends the process a signal that it should live through.
    pub(crate) fn signal(&self, signal: Signal) {
        let (server, _) = self.running.as_ref().unwrap();
        server.signal(signal);
    }

    /// What the process has said on stderr since it listened.
    pub(crate) fn said(&self) -> String {
        let (server, _) = self.running.as_ref().unwrap();
        server.said()
    }

    /// Changes the config.yml, which the process does not know yet.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let path = self.world.path("config.yml");
        fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.stop(Signal::SIGKILL);
    }

    /// A new client.
    pub(crate) fn pusher(&self) -> Pusher {
        let (_, address) = self.running.as_ref().unwrap();
        Pusher::new(*address)
    }

    /// The process's folder in `/proc`: no other process has this config.yml.
    pub(crate) fn proc(&self) -> PathBuf {
        let config = self.world.path("config.yml");
        let is_ours = |folder: &PathBuf| {
            let line = fs::read(folder.join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == config.as_os_str().as_bytes())
        };
        let folders = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        folders.map(|entry| entry.path()).find(is_ours).unwrap()
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn storage(&self) -> &Path {
        &self.storage
    }

    /// What is on disk.
    pub(crate) fn store(&self) -> Store {
        Store::new(&self.storage)
    }
}
