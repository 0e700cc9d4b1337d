//! The reports of cleanup policies: what goes or went, and why; what came back.

use std::fmt::{self, Write as _};

use registry::changes::Changed;
use serde::Serialize;

use crate::{
    cleanup::Decision,
    output::{Document, Report, Verdict, size},
};

/// What was decided, and perhaps carried out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cleaned {
    pub(super) dry_run: bool,
    /// Sorted by name.
    pub(super) repositories: Vec<RepositoryReport>,
    /// Tags that were something else by then, and stay.
    pub(super) moved: Vec<String>,
    pub(super) failures: Vec<String>,
    /// How many; at most a hundred are listed.
    pub(super) failed: u64,
    /// The bytes that a collection with -m would free after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) freed: Option<u64>,
}

/// A repository.
#[derive(Debug, Serialize)]
pub(super) struct RepositoryReport {
    pub(super) name: String,
    /// Whether it may have tags that could not be listed: then nothing goes.
    partial: bool,
    deleted: usize,
    kept: usize,
    /// Sorted by name.
    pub(super) tags: Vec<Decision>,
}

/// What came back.
#[derive(Debug, Default, Serialize)]
pub(super) struct Restored {
    restored: u64,
    /// Tags that are there again, or have never gone.
    there: Vec<String>,
    /// Tags whose manifest is gone.
    lost: Vec<String>,
    failures: Vec<String>,
}

impl RepositoryReport {
    pub(super) fn of(name: String, partial: bool, tags: Vec<Decision>) -> Self {
        let deleted = tags.iter().filter(|decision| decision.goes()).count();
        Self { name, partial, deleted, kept: tags.len() - deleted, tags }
    }
}

impl Cleaned {
    pub(super) fn report(&self) -> Report {
        let is_partial = self.repositories.iter().any(|repository| repository.partial);
        let verdict = match (self.failed, is_partial) {
            (0, false) => Verdict::Good,
            (0, true) => Verdict::Findings,
            (_, _) => Verdict::NotDone,
        };
        Report::of(self, verdict)
    }

    /// The decisions as comma-separated values, with a line of names.
    pub(super) fn csv(&self) -> Report {
        let mut text = "repository,tag,digest,date,date_source,decision,rule,policy\n".to_owned();
        for repository in &self.repositories {
            for decision in &repository.tags {
                let Decision { tag, digest, date, outcome, rule, policy } = decision;
                // As JSON has them, so that both can be held against each other.
                let date = serde_json::to_value(date).unwrap_or_default();
                let part = |name: &str| date[name].as_str().unwrap_or_default().to_owned();
                let cells = [
                    repository.name.clone(),
                    tag.to_string(),
                    digest.map(|digest| digest.to_string()).unwrap_or_default(),
                    part("at"),
                    part("source"),
                    outcome.to_string(),
                    rule.clone(),
                    policy.clone().unwrap_or_default(),
                ];
                text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
                text.push('\n');
            }
        }
        Report::file(text)
    }
}

/// A cell, in quotes where RFC 4180 wants them, and never a formula to a program that opens the file.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

impl Document for Cleaned {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry_run, repositories, moved, failures, failed, freed } = self;
        let goes = if *dry_run { "would go" } else { "went" };
        for repository in repositories {
            let RepositoryReport { name, partial, deleted, kept, tags } = repository;
            if *partial {
                writeln!(f, "{name}: some tags cannot be listed; nothing goes")?;
                continue;
            }
            let is_shown = |decision: &&Decision| *dry_run || decision.goes();
            if *dry_run || *deleted > 0 {
                writeln!(f, "{name}: {deleted} of {} {goes}", deleted + kept)?;
            }
            let width = tags.iter().filter(is_shown).map(|it| it.tag.as_str().len()).max();
            for decision in tags.iter().filter(is_shown) {
                writeln!(f, "  {:width$}  {decision}", decision.tag, width = width.unwrap_or(0))?;
            }
        }
        for tag in moved {
            writeln!(f, "{tag} points elsewhere by now, and stays")?;
        }
        for failure in failures {
            writeln!(f, "not deleted: {failure}")?;
        }
        let deleted: usize = repositories.iter().map(|it| it.deleted).sum();
        let kept: usize = repositories.iter().map(|it| it.kept).sum();
        let not_gone = moved.len() as u64 + failed;
        let deleted = (deleted as u64).saturating_sub(not_gone);
        let mut line = format!("{deleted} tags {goes}, {} stay", kept as u64 + not_gone);
        if let Some(bytes) = freed {
            write!(line, "; a collection with -m would then free {}", size(*bytes))?;
        }
        writeln!(f, "{line}")
    }
}

impl Restored {
    pub(super) fn add(&mut self, tag: &str, changed: &Changed) {
        match changed {
            Changed::Done => self.restored += 1,
            Changed::Moved => self.there.push(tag.to_owned()),
            Changed::NoManifest | Changed::Vanished => self.lost.push(tag.to_owned()),
            Changed::Failed(reason) => self.failures.push(format!("{tag}: {reason}")),
        }
    }

    pub(super) fn report(&self) -> Report {
        let verdict = match (self.failures.is_empty(), self.lost.is_empty()) {
            (false, _) => Verdict::NotDone,
            (true, false) => Verdict::Findings,
            (true, true) => Verdict::Good,
        };
        Report::of(self, verdict)
    }
}

impl Document for Restored {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tag in &self.there {
            writeln!(f, "{tag} is there, and stays as it is")?;
        }
        for tag in &self.lost {
            writeln!(f, "{tag} cannot come back: its manifest is gone")?;
        }
        for failure in &self.failures {
            writeln!(f, "not restored: {failure}")?;
        }
        writeln!(f, "{} tags are back", self.restored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (cell, expected) in [
            ("v1", "v1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
