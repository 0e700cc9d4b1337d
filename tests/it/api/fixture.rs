//! A registry of a test's own, what is in it, and what lies in its folder.

use std::{cell::Cell, collections::BTreeMap, fs, path::PathBuf};

use nix::sys::signal::Signal;
use oci::Digest;
use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::support::{
    Ran, Server, World,
    http::{Answer, Client, Request, sha256},
    merge,
};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry in its own process, with its storage in a folder of its own.
pub(crate) struct Registry {
    world: World,
    server: Server,
    port: u16,
}

/// A registry that does not run.
pub(crate) struct Stopped {
    world: World,
}

impl Stopped {
    /// Runs a command on its configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&self.world, arguments)
    }
}

fn run(world: &World, arguments: &[&str]) -> Ran {
    let path = world.path("config.yml");
    world.run(&[arguments, &[path.to_str().unwrap()]].concat())
}

/// What stands at a path: a folder, or a file with its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    Folder,
    File(Vec<u8>),
}

impl Registry {
    /// A registry with deletes enabled, otherwise as it comes.
    pub(crate) fn start() -> Self {
        Self::with(&json!({}))
    }

    /// A registry with other settings laid over these.
    pub(crate) fn with(settings: &Value) -> Self {
        Self::on(World::new(), settings)
    }

    fn on(world: World, settings: &Value) -> Self {
        let mut config = json!({
            "version": 0.1,
            "storage": { "delete": { "enabled": true } },
            "http": { "addr": "127.0.0.1:0", "secret": "of this registry" },
        });
        merge(&mut config, settings);
        let drivers = ["filesystem", "inmemory", "s3"];
        if drivers.iter().all(|driver| config["storage"].get(driver).is_none()) {
            config["storage"]["filesystem"] = json!({ "rootdirectory": world.path("data") });
        }
        // JSON is YAML.
        fs::write(world.path("config.yml"), config.to_string()).unwrap();
        let path = world.path("config.yml");
        let server = world.serve(&["registry", "serve", path.to_str().unwrap()]);
        let port = server.greeting.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Self { world, server, port }
    }

    /// The same storage under other settings.
    pub(crate) fn restarted(self, settings: &Value) -> Self {
        assert_eq!(self.server.stop(Signal::SIGTERM).exit, 0);
        Self::on(self.world, settings)
    }

    /// Ends it as an administrator does; what it returns runs commands on its configuration.
    pub(crate) fn stopped(self) -> Stopped {
        assert_eq!(self.server.stop(Signal::SIGTERM).exit, 0);
        Stopped { world: self.world }
    }

    /// Ends it as a power failure does, and keeps its configuration.
    pub(crate) fn killed(self) -> Stopped {
        assert_ne!(self.server.stop(Signal::SIGKILL).exit, 0);
        Stopped { world: self.world }
    }

    /// Ends it as a power failure does.
    pub(crate) fn kill(self) {
        assert_ne!(self.server.stop(Signal::SIGKILL).exit, 0);
    }

    /// What it has said on stderr since it listened.
    pub(crate) fn said(&self) -> String {
        self.server.said()
    }

    /// Runs another command on its configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&self.world, arguments)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.world.path("data")
    }

    /// What lies beside the storage, where nothing of a request may come.
    pub(crate) fn beside_the_storage(&self) -> Vec<String> {
        let entries = fs::read_dir(self.world.root()).unwrap().map(|entry| entry.unwrap());
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !["config.yml", "data"].contains(&name.as_str())).collect()
    }

    /// Everything under the root of the storage, by path.
    pub(crate) fn tree(&self) -> BTreeMap<String, Entry> {
        let mut tree = BTreeMap::new();
        for entry in WalkDir::new(self.storage()).min_depth(1) {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(self.storage()).unwrap();
            let found = match entry.file_type().is_dir() {
                true => Entry::Folder,
                false => Entry::File(fs::read(entry.path()).unwrap()),
            };
            tree.insert(path.to_str().unwrap().to_owned(), found);
        }
        tree
    }

    /// The text of a file under `docker/registry/v2`; none if it is not there.
    pub(crate) fn file(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.storage().join("docker/registry/v2").join(path)).ok()
    }
}

thread_local! {
    /// What [`on_each_driver`] asks instead of its own two.
    static STORAGE: Cell<Option<fn() -> Value>> = const { Cell::new(None) };
}

/// Runs a test against a registry on a folder, then against one in memory.
pub(crate) fn on_each_driver(test: impl Fn(&Registry)) {
    if let Some(storage) = STORAGE.get() {
        return test(&Registry::with(&json!({ "storage": storage() })));
    }
    test(&Registry::start());
    test(&Registry::with(&json!({ "storage": { "inmemory": {} } })));
}

/// Runs a test of each driver against registries on another storage.
pub(crate) fn on_storage(storage: fn() -> Value, test: fn()) {
    // A test has its thread.
    STORAGE.set(Some(storage));
    test();
}

/// A small image: a configuration, a layer, and the manifest that names both.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    /// An image that differs from those with another text.
    pub(crate) fn of(text: &str) -> Self {
        let config = format!("{{\"created by\": \"{text}\"}}").into_bytes();
        let layer = format!("layer of {text}").into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        Self { config, layer, manifest: manifest.to_string().into_bytes() }
    }

    pub(crate) fn digest(&self) -> Digest {
        sha256(&self.manifest)
    }

    pub(crate) fn push_blobs(&self, client: &mut Client, name: &str) {
        client.push_blob(name, &self.config);
        client.push_blob(name, &self.layer);
    }

    /// Pushes blobs and manifest.
    pub(crate) fn push(&self, client: &mut Client, name: &str, reference: &str) -> Answer {
        self.push_blobs(client, name);
        client.put_manifest(name, reference, OCI_MANIFEST, &self.manifest).expect(201)
    }
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    let digest = sha256(content).to_string();
    json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
}

/// Asks for something under a header.
pub(crate) fn get_with(client: &mut Client, target: &str, name: &str, value: &str) -> Answer {
    client.ask(&Request::get(target).header(name, value))
}
