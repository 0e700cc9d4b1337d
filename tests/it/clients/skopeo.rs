//! skopeo: images in every form, in and out, with no byte changed.

use std::path::Path;

use serde_json::Value;

use super::Way;
use crate::support::{
    Demo, Layout,
    program::{program, run, succeed},
};

/// Copies between two places; registries are spoken to over HTTP.
pub(crate) fn copy(flags: &[&str], from: &str, to: &str) {
    let mut arguments =
        vec!["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
    arguments.extend(flags);
    arguments.extend([from, to]);
    run("skopeo", &arguments);
}

/// Copies between a registry, which is spoken to as it wants to be, and another place.
pub(crate) fn transfer(way: &dyn Way, flags: &[&str], from: &str, to: &str) {
    let mut command = program("skopeo", &["copy", "--quiet"]);
    for (end, place) in [("src-", from), ("dest-", to)] {
        if place.starts_with("docker://") {
            command.args(way.flags(end));
        }
    }
    succeed(command.args(flags).args([from, to]));
}

/// Returns the bytes of a manifest.
pub(crate) fn raw(way: &dyn Way, image: &str) -> String {
    let mut command = program("skopeo", &["inspect", "--raw"]);
    succeed(command.args(way.flags("")).arg(format!("docker://{}", way.image(image))))
}

/// Returns an image of the registry as skopeo names it.
fn name(demo: &Demo, image: &str) -> String {
    format!("docker://{}", demo.image(image))
}

fn inspect(demo: &Demo, image: &str, flags: &[&str]) -> Value {
    let image = name(demo, image);
    let arguments = [&["inspect", "--tls-verify=false"], flags, &[&image]].concat();
    serde_json::from_str(&run("skopeo", &arguments)).unwrap()
}

fn tags(demo: &Demo, repository: &str) -> Vec<String> {
    let name = name(demo, repository);
    let listed = run("skopeo", &["list-tags", "--tls-verify=false", &name]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    serde_json::from_value(listed["Tags"].clone()).unwrap()
}

fn empty_layout(folder: &Path) -> Layout {
    Layout::at(folder.join("layout"))
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn an_image_comes_back_byte_for_byte() {
    let (demo, image) = (Demo::start(), Layout::shared());
    copy(&[], &image.name("amd64"), &name(&demo, "group/app:v1"));
    let folder = tempfile::tempdir().unwrap();
    let pulled = empty_layout(folder.path());
    copy(&[], &name(&demo, "group/app:v1"), &pulled.name("amd64"));
    assert_eq!(pulled.digest("amd64"), image.digest("amd64"));
    let (pulled, pushed) = (pulled.blobs(), image.blobs());
    assert_eq!(pulled.len(), 6, "a manifest, a config and four layers");
    assert!(pulled.iter().all(|(name, bytes)| pushed[name] == *bytes));
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn an_index_comes_back_with_every_platform() {
    let (demo, image) = (Demo::start(), Layout::shared());
    copy(&["--all"], &image.name("multi"), &name(&demo, "group/app:multi"));
    let folder = tempfile::tempdir().unwrap();
    let pulled = empty_layout(folder.path());
    copy(&["--all"], &name(&demo, "group/app:multi"), &pulled.name("multi"));
    assert_eq!(pulled.digest("multi"), image.digest("multi"));
    assert!(pulled.blobs() == image.blobs(), "the layouts hold different blobs");
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn one_platform_of_an_index_is_pulled_alone() {
    let (demo, image) = (Demo::start(), Layout::shared());
    copy(&["--all"], &image.name("multi"), &name(&demo, "group/app:multi"));
    let folder = tempfile::tempdir().unwrap();
    let pulled = empty_layout(folder.path());
    let destination = pulled.name("arm64");
    run(
        "skopeo",
        &[
            "--override-arch=arm64",
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            &name(&demo, "group/app:multi"),
            &destination,
        ],
    );
    assert_eq!(pulled.digest("arm64"), image.digest("arm64"));
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn dockers_own_formats_keep_layers_and_configs() {
    const DOCKER: &str = "application/vnd.docker.distribution.manifest";
    let (demo, image) = (Demo::start(), Layout::shared());
    copy(&["--all", "--format", "v2s2"], &image.name("multi"), &name(&demo, "group/docker:multi"));
    let list = inspect(&demo, "group/docker:multi", &["--raw"]);
    assert_eq!(list["mediaType"], format!("{DOCKER}.list.v2+json"));
    for (child, architecture) in
        list["manifests"].as_array().unwrap().iter().zip(["amd64", "arm64"])
    {
        assert_eq!(child["platform"]["architecture"], architecture);
        assert_eq!(child["mediaType"], format!("{DOCKER}.v2+json"));
        let reference = format!("group/docker@{}", child["digest"].as_str().unwrap());
        let manifest = inspect(&demo, &reference, &["--raw"]);
        assert_eq!(manifest["mediaType"], format!("{DOCKER}.v2+json"));
        let original = image.document(&image.digest(architecture));
        assert_eq!(manifest["config"]["digest"], original["config"]["digest"]);
        assert_eq!(layers(&manifest), layers(&original));
    }
}

fn layers(manifest: &Value) -> Vec<&Value> {
    manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["digest"]).collect()
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn a_docker_image_comes_back_byte_for_byte() {
    let demo = Demo::start();
    let docker = ["--all", "--format", "v2s2"];
    copy(&docker, &Layout::shared().name("multi"), &name(&demo, "group/docker:multi"));
    let folder = tempfile::tempdir().unwrap();
    let pulled = format!("dir:{}", folder.path().display());
    copy(&["--all"], &name(&demo, "group/docker:multi"), &pulled);
    copy(&["--all"], &pulled, &name(&demo, "group/again:multi"));
    let digest = |image| inspect(&demo, image, &["--raw"]);
    assert_eq!(digest("group/again:multi"), digest("group/docker:multi"));
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn inspect_names_the_digest_the_tags_and_the_layers() {
    let (demo, image) = (Demo::start(), Layout::shared());
    for tag in ["v2", "v10", "latest"] {
        copy(&[], &image.name("amd64"), &name(&demo, &format!("app:{tag}")));
    }
    let inspected = inspect(&demo, "app:v2", &[]);
    assert_eq!(inspected["Digest"], image.digest("amd64").to_string());
    assert_eq!(inspected["RepoTags"], serde_json::json!(["latest", "v10", "v2"]));
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 4);
    assert_eq!(inspected["Architecture"], "amd64");
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn delete_takes_an_image_with_all_its_tags_and_leaves_the_others() {
    let (demo, image) = (Demo::start(), Layout::shared());
    for (source, tag) in [("amd64", "v1"), ("amd64", "same"), ("arm64", "other")] {
        copy(&[], &image.name(source), &name(&demo, &format!("app:{tag}")));
    }
    assert_eq!(tags(&demo, "app"), ["other", "same", "v1"]);
    run("skopeo", &["delete", "--tls-verify=false", &name(&demo, "app:v1")]);
    assert_eq!(tags(&demo, "app"), ["other"]);
    assert_eq!(inspect(&demo, "app:other", &[])["Digest"], image.digest("arm64").to_string());
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn a_copy_within_the_registry_moves_no_layer() {
    let (demo, image) = (Demo::start(), Layout::shared());
    copy(&[], &image.name("amd64"), &name(&demo, "from/app:v1"));
    copy(&[], &name(&demo, "from/app:v1"), &name(&demo, "to/app:v1"));
    assert_eq!(inspect(&demo, "to/app:v1", &[])["Digest"], image.digest("amd64").to_string());
    let (_, log) = demo.stop();
    let mounts = log.lines().filter(|line| line.contains("POST /v2/to/app/blobs/uploads/?from="));
    assert_eq!(mounts.map(super::status).collect::<Vec<_>>(), ["201"; 4], "{log}");
    let chunks = log.lines().filter(|line| line.contains("PATCH /v2/to/app/"));
    assert_eq!(chunks.count(), 1, "skopeo mounts no config:\n{log}");
}
