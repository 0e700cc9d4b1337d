//! `regctl check-config`: every problem of `instance.toml` at once.

use std::{fmt, path::PathBuf};

use registry::config::Origin;
use serde::Serialize;

use super::Context;
use crate::{
    config::{Parsed, Problem, load},
    exit::Failure,
    output::{Document, Report, Verdict},
    reconfigure::{Desired, DesiredError, Seen},
    state::Layout,
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
        Ok(parsed) => around(&context.layout, parsed),
        Err(load::Error::Invalid(invalid)) => (invalid.problems, Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let verdict = if problems.is_empty() { Verdict::Good } else { Verdict::ConfigInvalid };
    Ok(Report::of(&Checked { instance, problems, warnings }, verdict))
}

/// Returns what is wrong with what the instance names: files, accounts, and what the registry makes of it, which
/// has the last word.
fn around(layout: &Layout, parsed: Parsed) -> (Vec<Problem>, Vec<Problem>) {
    let Seen { refused, warnings } = Desired::check(layout, &parsed);
    let problem = |key: Option<&str>, message, hint| {
        let (line, column) = key.map_or((1, 1), |key| parsed.settings.place(key));
        Problem { line, column, key: key.unwrap_or_default().to_owned(), message, hint }
    };
    let refusal = |(key, error): (Option<&'static str>, DesiredError)| match error {
        DesiredError::Registry(invalid) => invalid
            .problems
            .into_iter()
            .map(|mut wrong| {
                let hint = wrong.advice.take();
                let of_variable = matches!(wrong.origin, Origin::Environment(_));
                // The line is one of the rendered file.
                let message = match wrong.origin {
                    Origin::File { .. } => format!("the config.yml made of it: {wrong}"),
                    Origin::Absent | Origin::Environment(_) => wrong.to_string(),
                };
                problem(key.filter(|_| of_variable), message, hint)
            })
            .collect(),
        error => {
            let failure = Failure::from(error);
            vec![problem(key, failure.to_string(), failure.hint())]
        }
    };
    let mut problems: Vec<_> = refused.into_iter().flat_map(refusal).collect();
    let warnings = warnings.into_iter().map(|(key, message)| problem(key, message, None));
    let mut warnings: Vec<_> = parsed.warnings.iter().cloned().chain(warnings).collect();
    problems.sort();
    warnings.sort();
    (problems, warnings)
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
