//! rustfmt and clippy: parts of the toolchain that a minimal installation of Rust leaves out.

use std::process::Stdio;

use crate::{
    failure::Failure,
    packages::Install,
    sys::{cargo, program, terminal},
};

/// The subcommand of cargo, and the component that brings it.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// Makes sure that the subcommands are there.
pub(crate) fn ensure(install: Install) -> Result<(), Failure> {
    let missing: Vec<&str> = COMPONENTS
        .iter()
        .filter(|(subcommand, _)| !is_there(subcommand))
        .map(|(_, component)| *component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("rustup component add {}", missing.join(" "));
    if install == Install::Allowed && program::find("rustup").is_some() {
        terminal::talk(&format!("==> {line}"));
        let arguments: Vec<&str> = ["component", "add"].into_iter().chain(missing).collect();
        program::output("rustup", &arguments)?;
        return Ok(());
    }
    Err(Failure::Missing(format!("parts of the toolchain are missing; run: {line}")))
}

fn is_there(subcommand: &str) -> bool {
    let status = cargo::command()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcommand_that_cargo_lacks_is_noticed() {
        assert!(!is_there("no-such-subcommand"));
    }
}
