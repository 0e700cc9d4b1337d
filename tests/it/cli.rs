//! The command line itself: flags anywhere, help that helps, exit codes, pipes that close.

use std::{
    io::Read as _,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use super::support::{World, binary};

#[test]
fn global_options_stand_anywhere_on_the_line() {
    let world = World::with("[registry]\n");
    let root = world.root().to_str().unwrap();
    for arguments in [
        ["--root", root, "--json", "check-config"],
        ["check-config", "--root", root, "--json"],
        ["--json", "check-config", "--root", root],
    ] {
        let mut command = binary();
        command.args(arguments);
        let ran = world.finish(command);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.exit, &document["schema"]), (0, &1.into()), "{arguments:?}");
    }
}

#[test]
fn the_environment_names_the_root_and_the_option_wins() {
    let (named, other) = (World::with("[registry]\n"), World::with("[registri]\n"));
    let mut command = binary();
    command.arg("check-config").env("REGCTL_ROOT", named.root());
    assert_eq!(named.finish(command).exit, 0);
    let mut command = other.command(&["check-config"]);
    command.env("REGCTL_ROOT", named.root());
    assert_eq!(other.finish(command).exit, 78);
}

#[test]
fn without_a_command_there_is_help_and_exit_2() {
    let world = World::new();
    let ran = world.finish(binary());
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("Usage: regctl"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Examples:"), "{}", ran.stderr);
}

#[test]
fn help_names_the_other_regctl_and_how_to_have_both() {
    let ran = World::new().run(&["--help"]);
    assert_eq!(ran.exit, 0);
    assert!(ran.stdout.contains("regclient"), "{}", ran.stdout);
    assert!(ran.stdout.contains("registry-ctl"), "{}", ran.stdout);
}

#[test]
fn every_command_has_help_with_examples() {
    let world = World::new();
    for command in ["init", "run", "check-config", "registry", "completions", "man"] {
        let ran = world.run(&[command, "--help"]);
        assert_eq!(ran.exit, 0, "{command}");
        assert!(ran.stdout.contains("Examples:\n  "), "{command}: {}", ran.stdout);
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let ran = World::new().run(&["chekc-config"]);
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("check-config"), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let world = World::new();
    let mut command = world.command(&["man"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn called_registry_the_program_is_upstreams() {
    let world = World::new();
    let registry = world.path("registry");
    symlink(env!("CARGO_BIN_EXE_regctl"), &registry).unwrap();
    for flag in ["--version", "-v"] {
        let mut command = Command::new(&registry);
        command.arg(flag);
        let ran = world.finish(command);
        let version = concat!("registry regctl ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((ran.exit, ran.stdout.as_str()), (0, version));
    }
    let mut command = Command::new(&registry);
    command.arg("init");
    assert_eq!(world.finish(command).exit, 2);
}
