//! buildah: an image built from nothing, and one built on what the registry has.

use std::fs;

use super::{podman::Store, skopeo};
use crate::support::{Demo, Layout};

#[test]
#[ignore = "needs buildah: run cargo xtask test"]
fn what_buildah_builds_from_nothing_it_pulls_again() {
    for format in ["oci", "docker"] {
        let (demo, buildah) = (Demo::start(), Store::new("buildah"));
        let (folder, name) = (tempfile::tempdir().unwrap(), demo.image("built:v1"));
        fs::write(folder.path().join("file"), "content of the only layer").unwrap();
        let container = buildah.run(&["from", "scratch"]);
        buildah.run(&["copy", "--quiet", &container, folder.path().to_str().unwrap(), "/"]);
        buildah.run(&["config", "--label=made=by hand", &container]);
        let id = buildah.run(&["commit", "--quiet", "--format", format, &container, &name]);
        let digest = buildah.push(&demo, &name, &format!("docker://{name}"));
        buildah.run(&["rm", "--all"]);
        for reference in [name, demo.image(&format!("built@{digest}"))] {
            buildah.run(&["rmi", "--all", "--force"]);
            assert_eq!(buildah.pull(&demo, &reference), format!("sha256:{id}"));
        }
    }
}

#[test]
#[ignore = "needs buildah and skopeo: run cargo xtask test"]
fn an_image_built_on_a_pushed_one_shares_its_layers() {
    let (demo, buildah) = (Demo::start(), Store::new("buildah"));
    let (base, name) = (demo.image("base:v1"), demo.image("built/on:base"));
    skopeo::copy(&[], &Layout::shared().name("amd64"), &format!("docker://{base}"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "content of the last layer").unwrap();
    fs::write(folder.path().join("Containerfile"), format!("FROM {base}\nCOPY file /file\n"))
        .unwrap();
    let context = folder.path().to_str().unwrap();
    buildah.run(&["build", "--quiet", "--tls-verify=false", "--tag", &name, context]);
    buildah.push(&demo, &name, &format!("docker://{name}"));
    let pulled = Layout::at(folder.path().join("layout"));
    skopeo::copy(&[], &format!("docker://{name}"), &pulled.name("built"));
    let manifest = pulled.document(&pulled.digest("built"));
    let shared = Layout::shared().document(&Layout::shared().digest("amd64"));
    let (built, base) = (layers(&manifest), layers(&shared));
    assert_eq!((built.len(), &built[..4]), (5, &base[..]));
}

fn layers(manifest: &serde_json::Value) -> Vec<&str> {
    let layers = manifest["layers"].as_array().unwrap();
    layers.iter().map(|layer| layer["digest"].as_str().unwrap()).collect()
}
