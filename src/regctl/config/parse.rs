//! From text to [`Instance`]: what is right by itself must also agree with the rest.

use std::collections::BTreeSet;

use super::{
    build,
    checks::{self, Findings},
    derive::derive,
    instance::Instance,
    problem::Problem,
    secret_files::{self, ReadFile},
    settings::Settings,
    source::Source,
    walk::walk,
};

/// A good file, with what its author may want to look at.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) instance: Instance,
    pub(crate) warnings: Vec<Problem>,
    /// The same as the instance, key by key, each with where it came from.
    pub(crate) settings: Settings,
}

/// Parses a whole file that names no other one.
pub(crate) fn parse(text: &str) -> Result<Parsed, Vec<Problem>> {
    // A text that names no file holds no certificate whose dates would count.
    parse_with(text, &|_| Err("no file is read here".to_owned()), 0)
}

/// Parses a whole file, or returns everything that is wrong with it, sorted by place.
///
/// Files that the text names for its secrets are read by `read`; certificates must count at `now`, in seconds
/// since 1970.
pub(super) fn parse_with(text: &str, read: ReadFile<'_>, now: i64) -> Result<Parsed, Vec<Problem>> {
    let source = Source::new(text);
    let (tree, syntax) = source.parse();
    let (mut settings, mut problems) = walk(&source, tree.get_ref());
    // What the parser made of a broken line is not what its author wrote.
    let broken: BTreeSet<_> = syntax.iter().map(|broken| broken.line).collect();
    problems.retain(|problem| !broken.contains(&problem.line));
    let mut findings = Findings { source: &source, problems, warnings: Vec::new(), now };
    if syntax.is_empty() {
        checks::old_names(&mut settings, &mut findings);
        secret_files::read(&mut settings, &mut findings, read);
        derive(&mut settings);
        checks::run(&settings, &mut findings);
    }
    let Findings { mut problems, mut warnings, .. } = findings;
    problems.extend(syntax);
    problems.sort();
    warnings.sort();
    match problems.is_empty() {
        true => Ok(Parsed { instance: build::instance(&settings), warnings, settings }),
        false => Err(problems),
    }
}
