//! podman: the same library as skopeo's, with a store of its own.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{Way, skopeo};
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
    pub(super) fn push(&self, way: &dyn Way, image: &str, destination: &str) -> String {
        let file = self.folder.path().join("digest");
        let flag = format!("--digestfile={}", file.display());
        let mut command = self.command(&["push", "--quiet", &flag]);
        program::succeed(command.args(way.flags("")).args([image, destination]));
        fs::read_to_string(file).unwrap()
    }

    /// Pulls an image and returns its ID, which is the digest of its config.
    pub(super) fn pull(&self, way: &dyn Way, image: &str) -> String {
        self.pull_as(way, &[], image)
    }

    /// The same with more flags.
    fn pull_as(&self, way: &dyn Way, flags: &[&str], image: &str) -> String {
        let mut command = self.command(&["pull", "--quiet"]);
        let id = program::succeed(command.args(way.flags("")).args(flags).arg(image));
        format!("sha256:{id}")
    }
}

#[test]
#[ignore = "needs podman and skopeo: run cargo xtask test"]
fn podman_pulls_what_it_pushed_by_tag_and_by_digest() {
    let (demo, podman) = (Demo::start(), Store::new("podman"));
    let (image, source) = (Layout::shared(), demo.image("from/skopeo:v1"));
    skopeo::copy(&[], &image.name("amd64"), &format!("docker://{source}"));
    let id = podman.pull(&demo, &source);
    assert_eq!(id, image.config("amd64").to_string());
    let pushed = demo.image("from/podman:v1");
    let digest = podman.push(&demo, &source, &pushed);
    for reference in [pushed, demo.image(&format!("from/podman@{digest}"))] {
        podman.run(&["rmi", "--all", "--force"]);
        assert_eq!(podman.pull(&demo, &reference), id);
    }
}

/// Has podman make a list of an image's platforms and push it, and pulls each of them by it.
pub(crate) fn a_list_is_made(way: &dyn Way, image: &Layout) {
    let podman = Store::new("podman");
    let told = |arguments: &[&str], rest: &[&str]| {
        program::succeed(podman.command(arguments).args(way.flags("")).args(rest))
    };
    podman.run(&["manifest", "create", "all"]);
    for architecture in ["amd64", "arm64"] {
        let name = format!("docker://{}", way.image(&format!("podman/app:{architecture}")));
        skopeo::transfer(way, &[], &image.name(architecture), &name);
        told(&["manifest", "add"], &["all", &name]);
    }
    let list = way.image("podman/app:all");
    told(&["manifest", "push", "--all"], &["all", &format!("docker://{list}")]);
    for architecture in ["amd64", "arm64"] {
        let id = podman.pull_as(way, &[&format!("--arch={architecture}")], &list);
        assert_eq!(id, image.config(architecture).to_string());
    }
}

#[test]
#[ignore = "needs podman and skopeo: run cargo xtask test"]
fn a_manifest_list_made_by_podman_gives_each_platform_its_image() {
    a_list_is_made(&Demo::start(), &Layout::shared());
}
