//! Cargo as a step of a chore: announced, timed, and failing with cargo's own exit code.

use std::{
    env,
    ffi::OsString,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{file, program, terminal};
use crate::failure::Failure;

/// One run of cargo in the checkout.
#[derive(Debug)]
pub(crate) struct Step {
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Step {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { arguments, variables: Vec::new() }
    }

    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The step as a person would type it.
    pub(crate) fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let words = ["cargo".to_owned()].into_iter().chain(self.arguments.iter().cloned());
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs the step on this terminal.
    pub(crate) fn run(&self) -> Result<Duration, Failure> {
        terminal::talk(&format!("\n==> {}", self.line()));
        let started = Instant::now();
        let mut command = command();
        command.args(&self.arguments);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        let status =
            command.status().with_context(|| format!("failed to run `{}`", self.line()))?;
        let took = started.elapsed();
        let word = if status.success() { "done in" } else { "failed after" };
        terminal::talk(&format!("==> {word} {}", terminal::duration(took)));
        match exit_code(status) {
            0 => Ok(took),
            code => Err(Failure::Step { name: self.line(), code }),
        }
    }
}

/// Returns cargo's own code; a signal leaves none, and 0 would be a lie.
fn exit_code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Makes a command for the cargo that runs this program, in the checkout.
pub(crate) fn command() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = program::command(cargo);
    command.current_dir(file::workspace());
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_step_is_shown_as_it_would_be_typed() {
        let step = Step::new(&["test", "generated"]).with_variable("REGCTL_REGENERATE", "1");
        assert_eq!(step.line(), "REGCTL_REGENERATE=1 cargo test generated");
    }

    #[test]
    fn a_step_ends_with_cargos_own_exit_code_and_a_signal_is_no_success() {
        // As wait(2) reports them: the code in the upper byte, a signal in the lower.
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(101 << 8)), 101);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 1);
    }
}
