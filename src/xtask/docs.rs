//! Generated files (man pages, completions, the reference) are compared by tests; the same tests rewrite them when
//! `REGCTL_REGENERATE` is set. So there is one generator, and no way to generate something else than what is checked.

use crate::{
    failure::Failure,
    sys::{cargo, terminal},
};

/// The part of a test's name that says it compares a generated file.
const FILTER: &str = "generated";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(Failure::Usage(format!("`docs` takes no `{argument}`")));
    }
    terminal::talk("rewriting generated files; `git diff` shows what changed");
    let step = cargo::Step::new(&["test", "--workspace", "--locked", FILTER])
        .with_variable("REGCTL_REGENERATE", "1");
    step.run().map(|_duration| ())
}
