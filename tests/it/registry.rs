//! `regctl registry`, and the program called `registry`.

use std::{fs, os::unix::fs::symlink, process::Command};

use nix::sys::signal::Signal;

use super::support::{Server, World, free_port};

fn config_yml(world: &World, port: u16) -> String {
    let path = world.path("config.yml");
    let data = world.path("data");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
        data.display()
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn registry_serve_needs_no_instance() {
    let (world, port) = (World::new(), free_port());
    let server = world.serve(&["registry", "serve", &config_yml(&world, port)]);
    assert!(
        server.greeting.ends_with(&format!("listening on 127.0.0.1:{port}\n")),
        "{}",
        server.greeting
    );
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
    assert!(!world.path("etc").exists());
}

#[test]
fn called_registry_it_serves_and_the_environment_overrides_the_file() {
    let (world, port) = (World::new(), free_port());
    let registry = world.path("registry");
    symlink(env!("CARGO_BIN_EXE_regctl"), &registry).unwrap();
    let mut command = Command::new(&registry);
    command.arg("serve").env("REGISTRY_CONFIGURATION_PATH", config_yml(&world, 1));
    command.env("REGISTRY_HTTP_ADDR", format!("127.0.0.1:{port}"));
    let server = Server::start(command, world.root());
    assert!(
        server.greeting.ends_with(&format!("listening on 127.0.0.1:{port}\n")),
        "{}",
        server.greeting
    );
    assert_eq!(server.stop(Signal::SIGINT).exit, 0);
}

#[test]
fn a_missing_config_yml_is_named() {
    let world = World::new();
    let ran = world.run(&["registry", "serve", world.path("none.yml").to_str().unwrap()]);
    assert_eq!(ran.exit, 78);
    assert!(ran.stderr.contains("`[ROOT]/none.yml`"), "{}", ran.stderr);
}

#[test]
fn without_a_config_yml_it_says_how_to_name_one() {
    let ran = World::new().run(&["registry", "serve"]);
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("REGISTRY_CONFIGURATION_PATH"), "{}", ran.stderr);
}

#[test]
fn a_folder_that_may_not_be_used_is_a_matter_of_permission() {
    let (world, port) = (World::new(), free_port());
    let config = config_yml(&world, port);
    // A file in the way of the folder is no matter of permission.
    fs::write(world.path("data"), "").unwrap();
    assert_eq!(world.run(&["registry", "serve", &config]).exit, 1);
    // Nobody may make folders there, not even root.
    let text = fs::read_to_string(&config).unwrap();
    let data = world.path("data");
    fs::write(&config, text.replace(data.to_str().unwrap(), "/sys/kernel/registry")).unwrap();
    let ran = world.run(&["registry", "serve", &config]);
    assert_eq!(ran.exit, 77, "{}", ran.stderr);
    assert!(ran.stderr.contains("/sys/kernel/registry"), "{}", ran.stderr);
}
