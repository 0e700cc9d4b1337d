//! containerd, as Kubernetes' nodes pull: its own client library, driven by `ctr`.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::skopeo;
use crate::support::{Demo, Layout, daemon::Daemon, program};

/// A running containerd with nothing in it.
pub(crate) struct Containerd {
    // Dropped before the folder, which it has mounts in.
    _daemon: Daemon,
    folder: TempDir,
}

impl Containerd {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let config = format!(
            r#"version = 2
root = "{path}/root"
state = "{path}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{path}/containerd.sock"
[ttrpc]
address = "{path}/ttrpc.sock"
"#
        );
        let file = folder.path().join("config.toml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("containerd");
        command.arg("--config").arg(file);
        let daemon = Daemon::start(&mut command, folder.path(), "containerd successfully booted");
        Self { _daemon: daemon, folder }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = program::program("ctr", &["--address"]);
        command.arg(self.folder.path().join("containerd.sock")).args(arguments);
        program::succeed(&mut command)
    }

    /// Returns the digest of an image's manifest or index.
    pub(crate) fn digest(&self, image: &str) -> String {
        let listed = self.run(&["images", "list", &format!("name=={image}")]);
        listed.lines().nth(1).unwrap().split_whitespace().nth(2).unwrap().to_owned()
    }
}

#[test]
#[ignore = "needs containerd, ctr and skopeo: run cargo xtask test"]
fn containerd_pulls_and_unpacks_and_pushes_an_image() {
    let (demo, containerd, image) = (Demo::start(), Containerd::start(), Layout::shared());
    let (source, pushed) = (demo.image("from/skopeo:v1"), demo.image("from/containerd:v1"));
    skopeo::copy(&[], &image.name("amd64"), &format!("docker://{source}"));
    containerd.run(&["images", "pull", "--plain-http", "--snapshotter=native", &source]);
    assert_eq!(containerd.digest(&source), image.digest("amd64").to_string());
    containerd.run(&["images", "tag", &source, &pushed]);
    containerd.run(&["images", "push", "--plain-http", &pushed]);
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("layout"));
    skopeo::copy(&[], &format!("docker://{pushed}"), &pulled.name("v1"));
    assert_eq!(pulled.digest("v1"), image.digest("amd64"));
}

#[test]
#[ignore = "needs containerd, ctr and skopeo: run cargo xtask test"]
fn containerd_fetches_every_platform_of_an_index_and_pushes_them() {
    let (demo, containerd, image) = (Demo::start(), Containerd::start(), Layout::shared());
    let (source, pushed) = (demo.image("from/skopeo:multi"), demo.image("from/containerd:multi"));
    skopeo::copy(&["--all"], &image.name("multi"), &format!("docker://{source}"));
    containerd.run(&["content", "fetch", "--plain-http", "--all-platforms", &source]);
    let kept = containerd.run(&["content", "list", "--quiet"]);
    for name in image.blobs().keys() {
        assert!(kept.contains(name), "{name} was not fetched:\n{kept}");
    }
    containerd.run(&["images", "tag", &source, &pushed]);
    containerd.run(&["images", "push", "--plain-http", &pushed]);
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("layout"));
    skopeo::copy(&["--all"], &format!("docker://{pushed}"), &pulled.name("multi"));
    assert_eq!(pulled.digest("multi"), image.digest("multi"));
    assert!(pulled.blobs() == image.blobs(), "the layouts hold different blobs");
}
