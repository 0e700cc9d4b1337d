//! A store that may be read and not written to: its folder is another user's, or its mount is read-only.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};

use nix::{sys::signal::Signal, unistd::geteuid};
use walkdir::WalkDir;

use super::{Image, Registry, Rng, image::pull, mount::Mount};
use crate::support::{World, binary, http::Answer};

/// A user without rights, by tradition.
const NOBODY: u32 = 65534;

/// A registry, stopped, whose folder has one image.
fn filled() -> (Registry, Image) {
    let mut registry = Registry::start();
    let image = Image::new(&mut Rng::new(51), &[10_000]);
    image.push(&mut registry.pusher(), "app", "v1").unwrap();
    registry.stop(Signal::SIGTERM);
    (registry, image)
}

/// The program as a user who is not root, if this test is root: root may write anywhere.
fn unprivileged(world: &World) -> Command {
    if !geteuid().is_root() {
        return binary();
    }
    // Neither a home folder nor a temporary folder of root's lets others in.
    fs::set_permissions(world.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = world.path("regctl");
    fs::copy(env!("CARGO_BIN_EXE_regctl"), &program).unwrap();
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).env_remove("REGISTRY_CONFIGURATION_PATH");
    command
}

/// Takes the right to write from everybody, or gives it back to the owner.
fn set_writable(storage: &Path, writable: bool) {
    for entry in WalkDir::new(storage) {
        let path = entry.unwrap().into_path();
        let mode = match (path.is_dir(), writable) {
            (true, false) => 0o555,
            (true, true) => 0o755,
            (false, _) => 0o444,
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// An error of the server, which tells the client nothing of the storage.
fn assert_discreet(registry: &Registry, answer: &Answer) {
    assert_eq!(answer.status / 100, 5, "{answer:?}");
    let text = answer.text();
    assert!(text.contains(r#""code":"#), "{text}");
    for secret in [registry.storage().to_str().unwrap(), "docker/registry", "_uploads", "ermission"]
    {
        assert!(!text.contains(secret), "{text}");
    }
}

/// Reads work, writes are refused, and the log says where.
fn check(registry: &mut Registry, image: &Image) {
    let mut pusher = registry.pusher();
    assert_eq!(pull(&mut pusher, "app", "v1"), Ok(image.digest()));
    assert_eq!(pusher.get("/v2/_catalog").unwrap().status, 200);
    assert_eq!(pusher.get("/v2/app/tags/list").unwrap().status, 200);

    let blob = format!("/v2/app/blobs/{}", image_layer(image));
    let answers = [
        pusher.send("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap(),
        pusher.post_blob("new", b"content").unwrap(),
        pusher.push_manifest("app", "v2", &image.manifest).unwrap(),
        pusher.delete("/v2/app/manifests/v1").unwrap(),
        pusher.delete(&blob).unwrap(),
    ];
    for answer in answers {
        assert_discreet(registry, &answer);
    }
    assert_eq!(pull(&mut pusher, "app", "v1"), Ok(image.digest()));
    assert_eq!(registry.store().problems(), [""; 0]);

    let ran = registry.stop(Signal::SIGTERM);
    let log = format!("{}{}", ran.stdout, ran.stderr);
    for named in ["repositories/app/_uploads/", "repositories/app/_layers/"] {
        assert!(log.contains(named), "the log names {named}:\n{log}");
    }
}

fn image_layer(image: &Image) -> String {
    crate::support::pusher::digest(&image.blobs[0])
}

#[test]
fn a_store_without_the_right_to_write_is_served_for_reading() {
    let (mut registry, image) = filled();
    let command = unprivileged(registry.world());
    set_writable(registry.storage(), false);
    registry.start_as(command);
    check(&mut registry, &image);
    set_writable(registry.storage(), true);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_store_on_a_read_only_mount_is_served_for_reading() {
    let (registry, image) = filled();
    let scratch = tempfile::tempdir().unwrap();
    let disk = scratch.path().join("disk");
    let _mount = Mount::read_only(&disk, registry.storage());
    let mut registry = Registry::start_on(World::new(), disk);
    check(&mut registry, &image);
}

/// Not even a folder that cannot be entered says more than that something failed.
#[test]
fn a_repository_that_cannot_be_read_is_an_error_and_not_an_absence() {
    let (mut registry, image) = filled();
    let command = unprivileged(registry.world());
    let app = registry.store().root().join("repositories/app");
    fs::set_permissions(&app, fs::Permissions::from_mode(0o000)).unwrap();
    registry.start_as(command);
    let mut pusher = registry.pusher();
    for target in ["/v2/app/manifests/v1", "/v2/app/tags/list"] {
        assert_discreet(&registry, &pusher.get(target).unwrap());
    }
    let answer = pusher.get(&format!("/v2/app/blobs/{}", image_layer(&image))).unwrap();
    assert_discreet(&registry, &answer);
    fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
}
