//! The clients: how each of them pushes the image, and what it has when it has pulled one.

use std::fs;

use tempfile::TempDir;

use super::{
    super::{docker::login, fixture::PASSWORD},
    image::Image,
    place::Place,
};
use crate::{
    clients::{Containerd, Store, Way as _},
    support::{Docker, program},
};

/// A client that has nothing but what it pulls.
pub(super) trait Client {
    /// Pushes the image, and returns the digest that it was pushed with.
    fn push(&self, place: &Place, image: &Image, name: &str) -> String;

    /// Forgets all it has, pulls, and returns the digests of the manifest and of the config.
    fn pull(&self, place: &Place, reference: &str) -> (String, String);
}

/// One of each.
pub(super) struct Clients {
    docker: Docker,
    containerd: Containerd,
    podman: Store,
    buildah: Store,
}

impl Clients {
    pub(super) fn start() -> Self {
        Self {
            docker: Docker::start(),
            containerd: Containerd::start(),
            podman: Store::new("podman"),
            buildah: Store::new("buildah"),
        }
    }

    /// Docker logs in once; the others are told who they are each time.
    pub(super) fn log_in(&self, place: &Place) {
        let Some(name) = place.wants_login() else { return };
        assert!(!login(&self.docker, name, "wrong").status.success());
        let output = login(&self.docker, name, PASSWORD);
        assert!(output.status.success(), "{output:?}");
    }

    pub(super) fn all(&self) -> [(&'static str, &dyn Client); 5] {
        [
            ("docker", &self.docker),
            ("containerd", &self.containerd),
            ("skopeo", &Skopeo),
            ("podman", &self.podman),
            ("buildah", &self.buildah),
        ]
    }
}

impl Client for Docker {
    fn push(&self, _place: &Place, image: &Image, name: &str) -> String {
        self.run(&["load", "--quiet", "--input", &image.archive("docker-archive", name)]);
        let said = self.run(&["push", name]);
        let (_, rest) = said.split_once("digest: ").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    }

    fn pull(&self, _place: &Place, reference: &str) -> (String, String) {
        let kept = self.run(&["image", "ls", "--all", "--quiet"]);
        for id in kept.lines() {
            self.run(&["rmi", "--force", id]);
        }
        self.run(&["pull", "--quiet", reference]);
        let format = "--format={{index .RepoDigests 0}}";
        let named = self.run(&["image", "inspect", format, reference]);
        let (_, digest) = named.split_once('@').unwrap();
        (digest.to_owned(), self.id(reference))
    }
}

impl Client for Containerd {
    fn push(&self, place: &Place, image: &Image, name: &str) -> String {
        let archive = image.archive("oci-archive", "amd64");
        let (repository, _) = name.rsplit_once(':').unwrap();
        self.run(&["images", "import", "--base-name", repository, &archive]);
        self.run(&["images", "tag", "--force", &format!("{repository}:amd64"), name]);
        let flags = place.flags_of_ctr();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.run(&[&["images", "push"], &flags[..], &[name]].concat());
        self.digest(name)
    }

    fn pull(&self, place: &Place, reference: &str) -> (String, String) {
        let kept = self.run(&["images", "list", "--quiet"]);
        for name in kept.lines() {
            self.run(&["images", "remove", "--sync", name]);
        }
        let flags = place.flags_of_ctr();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.run(&[&["images", "pull", "--snapshotter=native"], &flags[..], &[reference]].concat());
        let digest = self.digest(reference);
        let document = |digest: &str| -> serde_json::Value {
            serde_json::from_str(&self.run(&["content", "get", digest])).unwrap()
        };
        let mut manifest = document(&digest);
        if let Some(child) = manifest["manifests"][0]["digest"].as_str() {
            manifest = document(child);
        }
        (digest, manifest["config"]["digest"].as_str().unwrap().to_owned())
    }
}

/// skopeo, which keeps nothing.
struct Skopeo;

impl Client for Skopeo {
    fn push(&self, place: &Place, image: &Image, name: &str) -> String {
        copy(place, "dest-", &[], &image.name("amd64"), &format!("docker://{name}"))
    }

    fn pull(&self, place: &Place, reference: &str) -> (String, String) {
        // A folder of this form takes manifests as they are; a layout would have them in OCI's form.
        let folder = tempfile::tempdir().unwrap();
        let kept = format!("dir:{}", folder.path().display());
        let digest = copy(place, "src-", &[], &format!("docker://{reference}"), &kept);
        let manifest = fs::read(folder.path().join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        (digest, manifest["config"]["digest"].as_str().unwrap().to_owned())
    }
}

/// Copies with skopeo, and returns the digest of what was written.
fn copy(place: &Place, end: &str, flags: &[&str], from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--digestfile={}", folder.path().join("digest").display());
    let mut command = program::program("skopeo", &["copy", "--quiet", &file]);
    command.args(place.flags(end)).args(flags).args([from, to]);
    program::succeed(&mut command);
    fs::read_to_string(folder.path().join("digest")).unwrap().trim().to_owned()
}

/// Pushes the index with every platform.
pub(super) fn push_all(place: &Place, image: &Image, name: &str) {
    copy(place, "dest-", &["--all"], &image.name("multi"), &format!("docker://{name}"));
}

impl Client for Store {
    fn push(&self, place: &Place, image: &Image, name: &str) -> String {
        self.run(&["rmi", "--all", "--force"]);
        let archive = image.archive("docker-archive", name);
        let id = self.run(&["pull", "--quiet", &format!("docker-archive:{archive}")]);
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("digest");
        let mut command = self.command(&["push", "--quiet", "--digestfile"]);
        command.arg(&file).args(place.flags("")).args([&id, &format!("docker://{name}")]);
        program::succeed(&mut command);
        fs::read_to_string(file).unwrap()
    }

    fn pull(&self, place: &Place, reference: &str) -> (String, String) {
        self.run(&["rmi", "--all", "--force"]);
        let mut command = self.command(&["pull", "--quiet"]);
        let id = program::succeed(command.args(place.flags("")).arg(reference));
        let digest = self.run(&["images", "--digests", "--no-trunc", "--format={{.Digest}}"]);
        (digest, format!("sha256:{id}"))
    }
}
