//! A real Docker daemon: push, pull by tag and by digest, layers that are there already, mounts, manifest lists.

use std::path::Path;

use super::{skopeo, status};
use crate::support::{Demo, Docker, Layout};

/// Gives the daemon an image under a name.
fn load(docker: &Docker, image: &str, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar");
    let destination = format!("docker-archive:{}:{name}", archive.display());
    skopeo::copy(&[], &Layout::shared().name(image), &destination);
    docker.run(&["load", "--quiet", "--input", path(&archive)]);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Pushes and returns the digest that the daemon was told.
fn push(docker: &Docker, image: &str) -> String {
    let said = docker.run(&["push", image]);
    let (_, rest) = said.split_once("digest: ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

#[test]
#[ignore = "needs dockerd, docker and skopeo: run cargo xtask test"]
fn docker_pulls_what_it_pushed_by_tag_and_by_digest() {
    let (demo, docker) = (Demo::start(), Docker::start());
    let (first, second) = (demo.image("group/project/app:v1"), demo.image("group/project/app:v2"));
    load(&docker, "amd64", &first);
    docker.run(&["tag", &first, &second]);
    let id = docker.id(&first);
    assert_eq!(id, Layout::shared().config("amd64").to_string());
    let digest = push(&docker, &first);
    assert_eq!(push(&docker, &second), digest);
    let by_digest = demo.image(&format!("group/project/app@{digest}"));
    for reference in [&first, &by_digest] {
        docker.run(&["rmi", "--force", &id]);
        assert_eq!(docker.run(&["image", "ls", "--quiet"]), "");
        docker.run(&["pull", reference]);
        assert_eq!(docker.id(reference), id);
    }
}

#[test]
#[ignore = "needs dockerd, docker and skopeo: run cargo xtask test"]
fn docker_finds_the_layers_that_are_there() {
    let (demo, docker) = (Demo::start(), Docker::start());
    let (first, second) = (demo.image("app:v1"), demo.image("app:v2"));
    load(&docker, "amd64", &first);
    push(&docker, &first);
    docker.run(&["tag", &first, &second]);
    let said = docker.run(&["push", &second]);
    assert_eq!(said.matches("Layer already exists").count(), 4, "{said}");
}

#[test]
#[ignore = "needs dockerd, docker and skopeo: run cargo xtask test"]
fn docker_mounts_the_layers_that_another_repository_has() {
    let (demo, docker) = (Demo::start(), Docker::start());
    let (first, second) = (demo.image("one/app:v1"), demo.image("two/app:v1"));
    load(&docker, "amd64", &first);
    push(&docker, &first);
    load(&docker, "arm64", &second);
    let said = docker.run(&["push", &second]);
    assert_eq!(said.matches("Mounted from one/app").count(), 3, "{said}");
    docker.run(&["rmi", "--force", &docker.id(&second)]);
    docker.run(&["pull", &second]);
    assert_eq!(docker.id(&second), Layout::shared().config("arm64").to_string());
    let (_, log) = demo.stop();
    let mounts: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("POST /v2/two/app/blobs/uploads/") && line.contains("mount="))
        .map(status)
        .collect();
    assert_eq!(mounts.iter().filter(|status| **status == "201").count(), 3, "{log}");
}

/// Pushes an image for each platform, has docker's own program, as `ask` runs it, make a list of them and push it, and
/// pulls each of them by it.
pub(crate) fn a_list_is_made(
    name: &dyn Fn(&str) -> String,
    docker: &Docker,
    ask: &dyn Fn(&[&str]) -> String,
) {
    let [one, other] = ["amd64", "arm64"].map(|architecture| {
        let name = name(&format!("list/app:{architecture}"));
        load(docker, architecture, &name);
        push(docker, &name);
        docker.run(&["rmi", &name]);
        name
    });
    let list = name("list/app:all");
    ask(&["manifest", "create", &list, &one, &other]);
    ask(&["manifest", "push", &list]);
    for architecture in ["amd64", "arm64"] {
        let platform = format!("--platform=linux/{architecture}");
        docker.run(&["pull", &platform, &list]);
        assert_eq!(docker.id(&list), Layout::shared().config(architecture).to_string());
    }
}

#[test]
#[ignore = "needs dockerd, docker and skopeo: run cargo xtask test"]
fn a_manifest_list_made_by_docker_gives_each_platform_its_image() {
    let (demo, docker) = (Demo::start(), Docker::start());
    let insecure = |arguments: &[&str]| {
        docker.run(&[&arguments[..2], &["--insecure"], &arguments[2..]].concat())
    };
    a_list_is_made(&|name| demo.image(name), &docker, &insecure);
}

#[test]
#[ignore = "needs dockerd, docker and skopeo: run cargo xtask test"]
fn docker_pulls_an_oci_index() {
    let (demo, docker) = (Demo::start(), Docker::start());
    let (image, name) = (Layout::shared(), demo.image("oci/app:multi"));
    skopeo::copy(&["--all"], &image.name("multi"), &format!("docker://{name}"));
    docker.run(&["pull", &name]);
    assert_eq!(docker.id(&name), image.config("amd64").to_string());
    let by_digest = demo.image(&format!("oci/app@{}", image.digest("arm64")));
    docker.run(&["pull", "--platform=linux/arm64", &by_digest]);
    assert_eq!(docker.id(&by_digest), image.config("arm64").to_string());
}
