//! A program that is not ours, run to its end: what it said on stdout, or a panic that shows all it said.

use std::process::{Command, Stdio};

/// Longer than any of them takes on a slow machine, in seconds.
const PATIENCE: &str = "600";

/// Prepares a program that reads nothing, and that does not run for ever.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    // In the foreground Ctrl-C reaches it.
    command.args(["--foreground", PATIENCE, name]).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a prepared program and returns its stdout without the last line's end.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout.trim_end().to_owned()
}

/// Runs a program that must end with exit code 0.
pub(crate) fn run(name: &str, arguments: &[&str]) -> String {
    succeed(&mut program(name, arguments))
}
