//! The peer: Debian's `docker-registry` 2.8.2, the oracle that shares our storage folder.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{World, client, daemon::Log, merge};

/// A running `docker-registry`, killed when dropped.
///
/// Deletes are on and descriptors are cached in memory, as most admins have it.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    port: u16,
    /// Holds config.yml.
    _folder: TempDir,
}

impl Peer {
    /// Its `http.secret`: a registry that has it too can continue the peer's upload sessions.
    pub(crate) const SECRET: &'static str = "known to both registries";

    /// Serves a storage folder on a free port of loopback, and returns when `/v2/` answers.
    pub(crate) fn start(storage: &Path) -> Self {
        Self::with_auth(storage, "{}")
    }

    /// The same with some `auth`, in YAML.
    pub(crate) fn with_auth(storage: &Path, auth: &str) -> Self {
        let folder = configured(storage, auth);
        let command = docker_registry("serve", &[], &folder);
        let peer = Self::spawn(command, folder);
        let answer = client().get(peer.url("/v2/")).send().unwrap();
        assert_eq!(answer.status(), if auth == "{}" { 200 } else { 401 });
        peer
    }

    /// The same with Docker's schema 1.
    pub(crate) fn with_schema1(storage: &Path) -> Self {
        let folder = configured(storage, "{}");
        let mut command = docker_registry("serve", &[], &folder);
        command.env("REGISTRY_COMPATIBILITY_SCHEMA1_ENABLED", "true");
        Self::spawn(command, folder)
    }

    /// The same with further sections, in YAML.
    pub(crate) fn with_more(storage: &Path, more: &str) -> Self {
        let folder = configured(storage, "{}");
        let path = folder.path().join("config.yml");
        let text = fs::read_to_string(&path).unwrap() + more;
        fs::write(path, text).unwrap();
        let command = docker_registry("serve", &[], &folder);
        Self::spawn(command, folder)
    }

    /// The same with metrics, on a port of loopback, and further sections in YAML.
    pub(crate) fn with_metrics(storage: &Path, port: u16, more: &str) -> Self {
        let folder = configured(storage, &format!("{{}}\n{more}"));
        let mut command = docker_registry("serve", &[], &folder);
        command.env("REGISTRY_HTTP_DEBUG_ADDR", format!("127.0.0.1:{port}"));
        command.env("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true");
        Self::spawn(command, folder)
    }

    /// A cache in front of another registry.
    pub(crate) fn proxy_of(storage: &Path, url: &str) -> Self {
        let folder = configured(storage, &format!("{{}}\nproxy: {{remoteurl: '{url}'}}"));
        Self::spawn(docker_registry("serve", &[], &folder), folder)
    }

    /// Serves with an instance's own `config.yml`, but on a free port; returns when it listens.
    pub(crate) fn rendered(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = world.read("var/opt/regctl/registry/config.yml");
        fs::write(folder.path().join("config.yml"), text).unwrap();
        let mut command = docker_registry("serve", &[], &folder);
        command.env("REGISTRY_HTTP_ADDR", "127.0.0.1:0").env("REGISTRY_LOG_LEVEL", "info");
        Self::spawn(command, folder)
    }

    /// Serves any storage, as config.yml has it in JSON.
    pub(crate) fn on(storage: &Value) -> Self {
        let folder = on(storage);
        Self::spawn(docker_registry("serve", &[], &folder), folder)
    }

    /// Serves a storage folder, with deletes, and with settings laid over that.
    pub(crate) fn with_settings(storage: &Path, settings: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = json!({
            "version": 0.1,
            "log": { "level": "info", "accesslog": { "disabled": true } },
            "storage": {
                "filesystem": { "rootdirectory": storage },
                "delete": { "enabled": true },
            },
            "http": { "addr": "127.0.0.1:0", "secret": Self::SECRET },
        });
        merge(&mut config, settings);
        // JSON is YAML.
        fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
        Self::spawn(docker_registry("serve", &[], &folder), folder)
    }

    fn spawn(mut command: Command, folder: TempDir) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        // From here on a panic stops it.
        let mut peer = Self { child, port: 0, _folder: folder };
        peer.port = port_in(&log);
        peer
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a path, which starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Runs its garbage collector over any storage.
    pub(crate) fn garbage_collect_on(storage: &Value, flags: &[&str]) -> Output {
        docker_registry("garbage-collect", flags, &on(storage)).output().unwrap()
    }

    /// Runs its garbage collector over a storage folder that nobody writes to.
    pub(crate) fn garbage_collect(storage: &Path, flags: &[&str]) -> Output {
        let (mut collector, _config) = Self::collector(storage, flags);
        collector.output().unwrap()
    }

    /// Prepares its garbage collector, with the folder that holds its config.yml.
    pub(crate) fn collector(storage: &Path, flags: &[&str]) -> (Command, TempDir) {
        let folder = configured(storage, "{}");
        (docker_registry("garbage-collect", flags, &folder), folder)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn docker_registry(command: &str, flags: &[&str], folder: &TempDir) -> Command {
    let mut program = Command::new("docker-registry");
    program.arg(command).args(flags).arg(folder.path().join("config.yml")).stdin(Stdio::null());
    // Its client of S3 does not start where a machine names its authorities by this.
    program.env_remove("AWS_CA_BUNDLE");
    program
}

/// A folder with the config.yml for any storage.
fn on(storage: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "version": 0.1,
        "log": { "level": "info", "accesslog": { "disabled": true } },
        "storage": storage,
        "http": { "addr": "127.0.0.1:0", "secret": Peer::SECRET },
    });
    // JSON is YAML.
    fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
    folder
}

/// A folder with the config.yml for this storage.
fn configured(storage: &Path, auth: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{}"}}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "127.0.0.1:0", secret: "{}"}}
auth: {auth}
"#,
        storage.display(),
        Peer::SECRET
    );
    fs::write(folder.path().join("config.yml"), text).unwrap();
    folder
}

/// Reads the log up to the line that names the listening socket.
fn port_in(log: &Log) -> u16 {
    const SAYS: &str = "listening on 127.0.0.1:";
    let line = log.wait_for(SAYS);
    let (_, rest) = line.split_once(SAYS).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}
