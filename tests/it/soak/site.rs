//! An instance behind a supervised nginx, without TLS and without users: the load is for the registry.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::PathBuf,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    faults::{Store, is_full_run},
    support::{Server, World, free_port},
};

const TOML: &str = "etc/regctl/instance.toml";

/// The instance, stopped when dropped.
pub(super) struct Site {
    server: Server,
    world: World,
    port: u16,
}

impl Site {
    pub(super) fn start() -> Self {
        let (port, registry_port) = (free_port(), free_port());
        // In a long run it drains longer than a service may take to start.
        let drain = if is_full_run() { 45 } else { 5 };
        let world = World::with(&format!(
            r#"registry_external_url = "http://localhost:{port}"
[registry]
registry_http_addr = "127.0.0.1:{registry_port}"
log_level = "info"
http_draintimeout = "{drain}s"
[registry.nginx]
enable = true
[registry.storage.filesystem]
maxthreads = 100
"#
        ));
        Self { server: world.serve(&["run"]), world, port }
    }

    /// Where nginx listens.
    pub(super) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Edits instance.toml and applies it; returns what was done.
    pub(super) fn change(&self, from: &str, to: &str) -> String {
        let text = self.world.read(TOML);
        assert!(text.contains(from), "no `{from}` in:\n{text}");
        fs::write(self.world.path(TOML), text.replacen(from, to, 1)).unwrap();
        let ran = self.world.run(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Where the supervisor is asked.
    pub(super) fn supervisor(&self) -> PathBuf {
        self.world.path("run/regctl/supervisor.sock")
    }

    /// Stops everything, and looks at what is left of it: no panic in a log, nothing broken on disk.
    pub(super) fn stop_and_check(self, seed: u64) {
        let ran = self.server.stop(Signal::SIGINT);
        assert_eq!(ran.exit, 0, "seed {seed}: {}", ran.stderr);
        let log = self.world.read("var/log/regctl/registry/current");
        assert!(!log.contains("panicked"), "seed {seed}: {log}");
        let store = Store::new(&self.world.path("var/opt/regctl/storage"));
        assert_eq!(store.problems(), [""; 0], "seed {seed}");
        assert_eq!(store.half_tags(), [""; 0].map(PathBuf::from), "seed {seed}");
    }
}

/// The process of a service, as the supervisor knows it.
pub(super) fn pid(supervisor: &PathBuf, name: &str) -> Option<u64> {
    let mut socket = UnixStream::connect(supervisor).ok()?;
    socket.write_all(b"{\"command\":\"status\"}\n").ok()?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).ok()?;
    let answer: Value = serde_json::from_str(&line).ok()?;
    let services = answer["is"]["services"].as_array()?;
    services.iter().find(|service| service["name"] == name)?["pid"].as_u64()
}
