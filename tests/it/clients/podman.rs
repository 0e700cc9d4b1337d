//! podman: the same library as skopeo's, with a store of its own.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::skopeo;
use crate::support::{Demo, Layout, program};

/// A podman, or a buildah, whose images are in a temporary folder.
pub(crate) struct Store {
    program: &'static str,
    folder: TempDir,
}

impl Store {
    pub(crate) fn new(program: &'static str) -> Self {
        Self { program, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::program(self.program, &["--storage-driver=vfs"]);
        command.arg("--root").arg(self.folder.path().join("root"));
        command.arg("--runroot").arg(self.folder.path().join("run"));
        if self.program == "podman" {
            command.arg("--tmpdir").arg(self.folder.path().join("tmp"));
        }
        command.args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        program::succeed(&mut self.command(arguments))
    }

    /// Pushes an image and returns its digest.
    pub(super) fn push(&self, image: &str, destination: &str) -> String {
        let file = self.folder.path().join("digest");
        let flag = format!("--digestfile={}", file.display());
        self.run(&["push", "--quiet", "--tls-verify=false", &flag, image, destination]);
        fs::read_to_string(file).unwrap()
    }

    /// Pulls an image and returns its ID, which is the digest of its config.
    pub(super) fn pull(&self, image: &str) -> String {
        let id = self.run(&["pull", "--quiet", "--tls-verify=false", image]);
        format!("sha256:{id}")
    }
}

#[test]
#[ignore = "needs podman and skopeo: run cargo xtask test"]
fn podman_pulls_what_it_pushed_by_tag_and_by_digest() {
    let (demo, podman) = (Demo::start(), Store::new("podman"));
    let (image, source) = (Layout::shared(), demo.image("from/skopeo:v1"));
    skopeo::copy(&[], &image.name("amd64"), &format!("docker://{source}"));
    let id = podman.pull(&source);
    assert_eq!(id, image.config("amd64").to_string());
    let pushed = demo.image("from/podman:v1");
    let digest = podman.push(&source, &pushed);
    for reference in [pushed, demo.image(&format!("from/podman@{digest}"))] {
        podman.run(&["rmi", "--all", "--force"]);
        assert_eq!(podman.pull(&reference), id);
    }
}

#[test]
#[ignore = "needs podman and skopeo: run cargo xtask test"]
fn a_manifest_list_made_by_podman_gives_each_platform_its_image() {
    let (demo, podman) = (Demo::start(), Store::new("podman"));
    let (image, list) = (Layout::shared(), demo.image("app:all"));
    podman.run(&["manifest", "create", "all"]);
    for architecture in ["amd64", "arm64"] {
        let name = format!("docker://{}", demo.image(&format!("app:{architecture}")));
        skopeo::copy(&[], &image.name(architecture), &name);
        podman.run(&["manifest", "add", "--tls-verify=false", "all", &name]);
    }
    let destination = format!("docker://{list}");
    podman.run(&["manifest", "push", "--all", "--tls-verify=false", "all", &destination]);
    for architecture in ["amd64", "arm64"] {
        let arch = format!("--arch={architecture}");
        let id = podman.run(&["pull", "--quiet", "--tls-verify=false", &arch, &list]);
        assert_eq!(format!("sha256:{id}"), image.config(architecture).to_string());
    }
}
