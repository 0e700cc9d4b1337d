//! skopeo with a password and an authority of its own: images, indexes and a large layer, through nginx and
//! straight to the registry.

use std::fs::{self, File};

use tempfile::TempDir;

use super::fixture::{Front, Lines, PASSWORD, Site, USER};
use crate::{
    clients::large::{LAYER_BYTES, digest_of, large_image},
    support::{
        Layout,
        program::{program, succeed},
    },
};

/// skopeo as one user has it: credentials and authorities in a folder.
struct Skopeo(TempDir);

impl Skopeo {
    /// Trusts the site.
    fn at(site: &Site) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.crt"), &site.authority.certificate).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = program("skopeo", arguments);
        command.env("REGISTRY_AUTH_FILE", self.0.path().join("auth.json"));
        command
    }

    fn login(&self, site: &Site, password: &str) -> bool {
        let certificates = format!("--cert-dir={}", self.0.path().display());
        let arguments = ["login", &certificates, "-u", USER, "-p", password, &site.name];
        self.command(&arguments).output().unwrap().status.success()
    }

    fn copy(&self, flags: &[&str], from: &str, to: &str) {
        let [source, destination] =
            ["src", "dest"].map(|end| format!("--{end}-cert-dir={}", self.0.path().display()));
        let arguments = [&["copy", "--quiet", &source, &destination], flags, &[from, to]].concat();
        succeed(&mut self.command(&arguments));
    }
}

/// Returns an image of the site as skopeo names it.
fn name(site: &Site, image: &str) -> String {
    format!("docker://{}", site.image(image))
}

/// Logs in, and copies an image and an index there and back.
fn copies_there_and_back(site: &Site) {
    let (skopeo, image) = (Skopeo::at(site), Layout::shared());
    assert!(!skopeo.login(site, "wrong"));
    assert!(skopeo.login(site, PASSWORD));
    for (flags, tag) in [(&[][..], "amd64"), (&["--all"], "multi")] {
        let remote = name(site, &format!("group/app:{tag}"));
        let pulled = Layout::at(skopeo.0.path().join(tag));
        skopeo.copy(flags, &image.name(tag), &remote);
        skopeo.copy(flags, &remote, &pulled.name(tag));
        assert_eq!(pulled.digest(tag), image.digest(tag));
        let pushed = image.blobs();
        assert!(pulled.blobs().iter().all(|(name, bytes)| pushed[name] == *bytes), "{tag}");
    }
}

/// Copies a layer of a gibibyte there and back.
fn copies_a_large_layer(site: &Site) {
    let (skopeo, folder) = (Skopeo::at(site), tempfile::tempdir().unwrap());
    assert!(skopeo.login(site, PASSWORD));
    let layer = large_image(folder.path());
    let (image, remote) = (Layout::at(folder.path().to_owned()), name(site, "group/large:v1"));
    skopeo.copy(&["--preserve-digests"], &image.name("large"), &remote);
    let pulled = skopeo.0.path().join("pulled");
    skopeo.copy(&["--preserve-digests"], &remote, &format!("dir:{}", pulled.display()));
    let file = File::open(pulled.join(layer.to_hex())).unwrap();
    assert_eq!(digest_of(file), (layer, LAYER_BYTES));
}

#[test]
#[ignore = "needs nginx and skopeo: run cargo xtask test"]
fn skopeo_logs_in_and_copies_an_image_and_an_index_of_two_platforms() {
    copies_there_and_back(&Site::start(Lines::default()));
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn skopeo_copies_the_same_where_the_registry_itself_ends_tls() {
    copies_there_and_back(&Site::behind(Front::Registry, Lines::default()));
}

#[test]
#[ignore = "needs nginx and skopeo: run cargo xtask test"]
fn a_layer_of_a_gibibyte_goes_through_nginx_and_comes_back() {
    copies_a_large_layer(&Site::start(Lines::default()));
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn a_layer_of_a_gibibyte_goes_straight_to_the_registry_and_comes_back() {
    copies_a_large_layer(&Site::behind(Front::Registry, Lines::default()));
}
