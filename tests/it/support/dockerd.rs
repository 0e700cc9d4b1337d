//! A real Docker daemon for pushes and pulls: no containers, so no bridge, no iptables and plain folders for layers.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{Network, daemon::Daemon, program};

/// A running Docker daemon with nothing in it, and the command that talks to it.
#[derive(Debug)]
pub(crate) struct Docker {
    // Dropped before the folder, which it has mounts in.
    _daemon: Daemon,
    folder: TempDir,
}

impl Docker {
    pub(crate) fn start() -> Self {
        Self::start_as(|command| command)
    }

    /// A daemon in a network of its own, with that network's `/etc/docker`.
    pub(crate) fn within(network: &Network) -> Self {
        Self::start_as(|command| network.enter(&command))
    }

    fn start_as(place: impl FnOnce(Command) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // The machine's own settings may contradict the flags.
        fs::write(path("daemon.json"), "{}").unwrap();
        let mut command = Command::new("dockerd");
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        command.args(["--storage-driver=vfs", "--insecure-registry=127.0.0.0/8"]);
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid")).arg("--config-file").arg(path("daemon.json"));
        command.arg("--host").arg(socket(&folder));
        let daemon = Daemon::start(&mut place(command), folder.path(), "API listen on");
        Self { _daemon: daemon, folder }
    }

    /// Runs a docker command that must succeed and returns its stdout.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        program::succeed(&mut self.command(arguments))
    }

    /// Prepares a docker command that knows nobody's settings and logins.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::program("docker", arguments);
        command.env("DOCKER_HOST", socket(&self.folder));
        command.env("DOCKER_CONFIG", self.folder.path().join("client"));
        command.env_remove("DOCKER_CONTEXT");
        command
    }

    /// Returns the image's ID, which is the digest of its config.
    pub(crate) fn id(&self, image: &str) -> String {
        self.run(&["image", "inspect", "--format={{.Id}}", image])
    }
}

fn socket(folder: &TempDir) -> String {
    format!("unix://{}", folder.path().join("docker.sock").display())
}
