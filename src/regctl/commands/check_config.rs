//! `regctl check-config`: every problem of `instance.toml` at once.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::Context;
use crate::{
    config::{Problem, load},
    exit::Failure,
    output::{Document, Report, Verdict},
    reconfigure::Desired,
};

/// Check instance.toml and list every problem
///
/// Each problem comes with its line and column, what was written and what is allowed. Nothing is changed.
/// Exits 78 when there are problems; warnings alone exit 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl check-config
  regctl check-config --json | jq -r '.problems[].message'")]
pub(crate) struct Args {}

/// What the check found.
#[derive(Debug, Serialize)]
struct Checked {
    instance: PathBuf,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args {} = args;
    let instance = context.layout.instance_toml();
    let (problems, warnings) = match load::load(&instance) {
        Ok(parsed) => {
            // The registry has the last word: a variable in `env` can still spoil its configuration.
            Desired::check(&context.layout, parsed.instance)?;
            (Vec::new(), parsed.warnings)
        }
        Err(load::Error::Invalid(invalid)) => (invalid.problems, Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let verdict = if problems.is_empty() { Verdict::Good } else { Verdict::ConfigInvalid };
    Ok(Report::of(&Checked { instance, problems, warnings }, verdict))
}

impl Document for Checked {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.instance.display();
        for problem in &self.problems {
            writeln!(f, "{path}:{problem}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "{path}:warning: {warning}")?;
        }
        match (self.problems.len(), self.warnings.len()) {
            (0, 0) => writeln!(f, "{path}: no problems"),
            (0, warnings) => writeln!(f, "{path}: no problems, {}", counted(warnings, "warning")),
            (problems, _) => writeln!(f, "{path}: {}", counted(problems, "problem")),
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
