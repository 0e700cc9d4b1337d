//! A world of its own for each test: a root in a temporary folder, and the binary.

pub(crate) mod certificate;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod dockerd;
pub(crate) mod gate;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod issuer;
pub(crate) mod network;
pub(crate) mod peer;
mod ports;
pub(crate) mod program;
pub(crate) mod pusher;
pub(crate) mod receiver;
pub(crate) mod seaweed;
pub(crate) mod server;
pub(crate) mod way;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::blocking::Client;
use serde_json::Value;

pub(crate) use demo::{Demo, Stopped};
pub(crate) use dockerd::Docker;
pub(crate) use host::Host;
pub(crate) use image::Layout;
pub(crate) use network::Network;
pub(crate) use peer::Peer;
pub(crate) use ports::free_port;
pub(crate) use server::Server;

/// The root of one instance, removed when dropped.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// How a command ended and what it said, with the root shown as `[ROOT]`.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A world whose instance.toml has this text.
    pub(crate) fn with(instance_toml: &str) -> Self {
        let world = Self::new();
        fs::create_dir_all(world.path("etc/regctl")).unwrap();
        fs::write(world.path("etc/regctl/instance.toml"), instance_toml).unwrap();
        world
    }

    /// A world whose registry listens on a free port, and the port.
    pub(crate) fn on_free_port() -> (Self, u16) {
        let port = free_port();
        let text = format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n");
        (Self::with(&text), port)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// Returns the permission bits of a file or folder.
    pub(crate) fn mode(&self, relative: &str) -> u32 {
        fs::metadata(self.path(relative)).unwrap().permissions().mode() & 0o7777
    }

    /// Prepares a command on this root.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command.arg("--root").arg(self.root()).args(arguments);
        command
    }

    /// Runs a command on this root to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments))
    }

    /// Runs a prepared command to its end.
    pub(crate) fn finish(&self, mut command: Command) -> Ran {
        Ran::new(command.output().unwrap(), self.root())
    }

    /// Starts a server and waits until it says that it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(self.command(arguments), self.root())
    }
}

impl Ran {
    pub(crate) fn new(output: Output, root: &Path) -> Self {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(root.to_str().unwrap(), "[ROOT]")
        };
        let Output { status, stdout, stderr } = output;
        // A signal shows as shells show it.
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
        let exit = status.code().unwrap_or(128 + signal);
        Self { exit, stdout: text(stdout), stderr: text(stderr) }
    }
}

/// A client that waits for an answer as long as all others here; by itself it would give up after 30 s, and a store of
/// a busy machine may take that.
pub(crate) fn client() -> Client {
    Client::builder().timeout(http::PATIENCE).build().unwrap()
}

/// The binary, without what the environment would tell it.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regctl"));
    command.stdin(Stdio::null());
    for name in ["REGCTL_ROOT", "REGISTRY_CONFIGURATION_PATH", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// Keeps other tests from looking at port 5000, which a look takes for a moment.
pub(crate) fn alone_with_port_5000() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed while it was alone left nothing behind.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lays one document over another.
pub(crate) fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                merge(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}
