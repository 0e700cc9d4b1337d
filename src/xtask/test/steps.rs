//! The steps, cheapest first: what a machine can say about the text, then about the types, then the tests.

use std::time::Duration;

use super::options::{Depth, Options};
use crate::{
    failure::Failure,
    sys::{cargo::Step, terminal},
};

/// Cases per property in a full run; proptest's own default is 256.
const FULL_CASES: &str = "4096";

/// Runs the steps up to the first that fails, and sums up.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.filter.is_some() {
        terminal::talk("a FILTER was given: tests only, without rustfmt and clippy");
    }
    let mut steps = steps(options);
    // Where a log is cut, what a test says of its failure is worth more than where it was called from.
    if !terminal::is_terminal() {
        let test = steps.pop().map(|test| test.with_variable("RUST_BACKTRACE", "0"));
        steps.extend(test);
    }
    let mut done: Vec<(String, Duration)> = Vec::new();
    for step in &steps {
        match step.run() {
            Ok(took) => done.push((step.line(), took)),
            Err(failure) => {
                terminal::talk(&summary(&done, steps.len()));
                return Err(failure);
            }
        }
    }
    terminal::talk(&summary(&done, steps.len()));
    Ok(())
}

fn steps(options: &Options) -> Vec<Step> {
    let mut arguments = vec!["test", "--workspace", "--locked", "--", "--include-ignored"];
    if terminal::is_terminal() {
        arguments.push("--color=always");
    }
    arguments.extend(options.filter.as_deref());
    let test = match options.depth {
        Depth::Usual => Step::new(&arguments),
        Depth::Full => Step::new(&arguments)
            .with_variable("PROPTEST_CASES", FULL_CASES)
            .with_variable("REGCTL_TEST_FULL", "1"),
    };
    if options.filter.is_some() {
        return vec![test];
    }
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    vec![Step::new(&["fmt", "--all", "--check"]), Step::new(&clippy), test]
}

fn summary(done: &[(String, Duration)], planned: usize) -> String {
    let lines =
        done.iter().map(|(line, took)| format!("  ok  {:>9}  {line}\n", terminal::duration(*took)));
    let total = done.iter().map(|(_, took)| *took).sum();
    format!(
        "\n{}{} of {planned} steps passed in {}",
        lines.collect::<String>(),
        done.len(),
        terminal::duration(total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Install;

    fn lines(depth: Depth, filter: Option<&str>) -> Vec<String> {
        let filter = filter.map(str::to_owned);
        let options = Options { depth, install: Install::Allowed, filter };
        steps(&options).iter().map(|step| step.line().replace(" --color=always", "")).collect()
    }

    #[test]
    fn a_run_checks_text_then_types_then_every_test() {
        assert_eq!(
            lines(Depth::Usual, None),
            [
                "cargo fmt --all --check",
                "cargo clippy --workspace --all-targets --locked -- -D warnings",
                "cargo test --workspace --locked -- --include-ignored",
            ]
        );
    }

    #[test]
    fn a_filter_runs_only_the_tests_it_names() {
        assert_eq!(
            lines(Depth::Full, Some("torn")),
            [
                "PROPTEST_CASES=4096 REGCTL_TEST_FULL=1 cargo test --workspace --locked -- --include-ignored torn"
            ]
        );
    }

    #[test]
    fn the_summary_counts_what_was_not_reached() {
        let done = [("cargo fmt".to_owned(), Duration::from_secs(2))];
        assert_eq!(summary(&done, 3), "\n  ok      2.0 s  cargo fmt\n1 of 3 steps passed in 2.0 s");
    }
}
