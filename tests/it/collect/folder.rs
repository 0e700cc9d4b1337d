//! Storage folders, written file by file as Distribution leaves them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::support::{Peer, Ran, World};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A storage folder, and a config.yml that names it.
pub(super) struct Folder {
    pub(super) world: World,
}

impl Folder {
    pub(super) fn new() -> Self {
        let world = World::new();
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n  secret: x\n",
            world.path("data").display()
        );
        fs::write(world.path("config.yml"), text).unwrap();
        fs::create_dir_all(world.path("data/docker/registry/v2/blobs")).unwrap();
        Self { world }
    }

    /// A folder with a given content.
    pub(super) fn with(write: fn(&Self)) -> Self {
        let folder = Self::new();
        write(&folder);
        folder
    }

    pub(super) fn storage(&self) -> PathBuf {
        self.world.path("data")
    }

    pub(super) fn config(&self) -> String {
        self.world.path("config.yml").to_str().unwrap().to_owned()
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.storage().join("docker/registry/v2").join(below)
    }

    /// Prepares a collection.
    pub(super) fn command(&self, options: &[&str]) -> Command {
        let mut command = self.world.command(&["registry", "garbage-collect"]);
        command.args(options).arg(self.config());
        command
    }

    pub(super) fn collect(&self, options: &[&str]) -> Ran {
        self.world.finish(self.command(options))
    }

    pub(super) fn write(&self, below: &str, bytes: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn remove(&self, below: &str) {
        let path = self.path(below);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, bytes);
        let hex = digest.to_hex();
        self.write(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), bytes);
        digest
    }

    pub(super) fn layer(&self, repository: &str, content: &str) -> Digest {
        let digest = self.blob(content.as_bytes());
        self.write(&layer(repository, &digest), digest.to_string().as_bytes());
        digest
    }

    fn manifest(&self, repository: &str, document: &Value) -> Digest {
        let digest = self.blob(document.to_string().as_bytes());
        self.write(&revision(repository, &digest), digest.to_string().as_bytes());
        digest
    }

    /// An image with a configuration and a layer of its own.
    pub(super) fn image(&self, repository: &str, name: &str) -> Digest {
        let config = self.layer(repository, &format!("{{\"config of\": \"{name}\"}}"));
        let layer = self.layer(repository, &format!("layer of {name}"));
        let described =
            |kind: &str, digest: &Digest| json!({ "mediaType": kind, "digest": digest, "size": 1 });
        let image = json!({
            "schemaVersion": 2, "mediaType": IMAGE,
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        self.manifest(repository, &image)
    }

    pub(super) fn index(&self, repository: &str, children: &[Digest]) -> Digest {
        let child = |digest: &Digest| {
            json!({
                "mediaType": IMAGE, "digest": digest, "size": 1,
                "platform": { "os": "linux", "architecture": "amd64" },
            })
        };
        let children: Vec<_> = children.iter().map(child).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.manifest(repository, &index)
    }

    pub(super) fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let folder = format!("repositories/{repository}/_manifests/tags/{tag}");
        let text = digest.to_string();
        self.write(&format!("{folder}/index/sha256/{}/link", digest.hex()), text.as_bytes());
        self.write(&format!("{folder}/current/link"), text.as_bytes());
    }

    /// Every file, but for what is this program's own.
    pub(super) fn files(&self) -> BTreeSet<String> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![self.path("")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path == self.path("regctl") || path == self.path("regctl-trash") {
                    continue;
                }
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(inside(&self.path(""), &path))),
                }
            }
        }
        files
    }

    /// What upstream, serving the folder, does not have of an image.
    pub(super) fn missing(&self, repository: &str, tag: &str) -> Vec<String> {
        let peer = Peer::start(&self.storage());
        let mut missing = Vec::new();
        look(&peer, repository, &format!("manifests/{tag}"), &mut missing);
        missing
    }
}

fn inside(top: &Path, path: &Path) -> String {
    path.strip_prefix(top).unwrap().to_str().unwrap().to_owned()
}

fn look(peer: &Peer, repository: &str, what: &str, missing: &mut Vec<String>) {
    let url = peer.url(&format!("/v2/{repository}/{what}"));
    let client = crate::support::client();
    let answer = client.get(url).header("Accept", IMAGE).header("Accept", INDEX).send().unwrap();
    if answer.status() != 200 {
        missing.push(format!("{repository}/{what}"));
        return;
    }
    let bytes = answer.bytes().unwrap();
    if what.starts_with("blobs/") {
        return;
    }
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let of = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let blobs = [document["config"].clone()].into_iter().chain(of("layers"));
    for (kind, named) in [
        ("manifests", of("manifests")),
        ("blobs", blobs.filter(|named| !named.is_null()).collect()),
    ] {
        for named in named {
            let digest = named["digest"].as_str().unwrap();
            look(peer, repository, &format!("{kind}/{digest}"), missing);
        }
    }
}

pub(super) fn layer(repository: &str, digest: &Digest) -> String {
    format!("repositories/{repository}/_layers/sha256/{}/link", digest.hex())
}

pub(super) fn revision(repository: &str, digest: &Digest) -> String {
    format!("repositories/{repository}/_manifests/revisions/sha256/{}/link", digest.hex())
}
