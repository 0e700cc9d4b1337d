//! The report of a verification: what is wrong with each repository, and what became of it.

use std::fmt;

use registry::verify::{Finding, Outcome, Report as Found, Verified, What};
use serde::Serialize;

use crate::output::{Document, Report, Table, Verdict, size};

/// Findings that are listed in text; JSON has them all.
const LISTED: usize = 100;

/// Tags that are named with a finding.
const NAMED: usize = 3;

/// What was found, and perhaps repaired.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    /// Whether it was to be repaired.
    pub(super) repair: bool,
    /// How many of a hundred blobs were to be hashed; none: all.
    pub(super) sample: Option<f64>,
    #[serde(flatten)]
    pub(super) found: Found,
    /// Where corrupt blobs are now.
    pub(super) quarantine: Option<String>,
    /// Why no more was repaired.
    pub(super) not_repaired: Option<String>,
}

impl Told {
    pub(super) fn report(&self) -> Report {
        let verdict = match self.found.is_left() || self.not_repaired.is_some() {
            true => Verdict::Findings,
            false => Verdict::Good,
        };
        Report::of(self, verdict)
    }
}

impl Document for Told {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { repositories, problems, strangers, .. } = &self.found;
        let wrong: Vec<_> = repositories.iter().filter(|it| !it.findings.is_empty()).collect();
        if !wrong.is_empty() {
            write!(f, "{}", table(&wrong))?;
        }
        let findings = wrong.iter().flat_map(|it| it.findings.iter().map(|one| (name(it), one)));
        for (name, finding) in findings.clone().take(LISTED) {
            self.fmt_finding(f, name, finding)?;
        }
        more(f, findings.count())?;
        for problem in problems.iter().take(LISTED) {
            writeln!(f, "not looked at: {problem}")?;
        }
        more(f, problems.len())?;
        for path in strangers.iter().take(LISTED) {
            writeln!(f, "no registry has put it there; it stays: {path}")?;
        }
        more(f, strangers.len())?;
        self.fmt_summary(f)
    }
}

impl Told {
    fn fmt_finding(&self, f: &mut fmt::Formatter<'_>, name: &str, it: &Finding) -> fmt::Result {
        let Finding { what, path, detail, tags, .. } = it;
        write!(f, "{name}: {}: {path}", what.as_str())?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        if !tags.is_empty() {
            let named = tags.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let others = tags.len().saturating_sub(NAMED);
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            write!(f, "; cannot be pulled: {named}{others}")?;
        }
        match &it.outcome {
            Outcome::Found if it.repairable => write!(f, "; can be repaired")?,
            Outcome::Found => match it.what {
                What::DanglingLayerLink
                | What::MissingFolder
                | What::StrangeManifest
                | What::Unreadable => {}
                _ => write!(f, "; a push brings it back")?,
            },
            Outcome::Repaired => write!(f, "; repaired")?,
            Outcome::Quarantined if it.is_left() => {
                write!(f, "; moved to the quarantine: a push brings it back")?;
            }
            Outcome::Quarantined => write!(f, "; moved to the quarantine")?,
            Outcome::Changed => write!(f, "; not repaired: it has changed meanwhile")?,
            Outcome::Failed { reason } => write!(f, "; not repaired: {reason}")?,
        }
        writeln!(f)
    }

    fn fmt_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { repositories, blobs, hashed, hashed_bytes, hashed_before, .. } = &self.found;
        let named = repositories.iter().filter(|it| it.name.is_some());
        let tags: usize = repositories.iter().map(|it| it.tags).sum();
        write!(f, "{} repositories, {tags} tags; ", named.count())?;
        write!(f, "{hashed} of {blobs} blobs hashed ({})", size(*hashed_bytes))?;
        if *hashed_before > 0 {
            write!(f, ", {hashed_before} before that")?;
        }
        writeln!(f)?;
        let broken: usize = repositories.iter().map(|it| it.broken_tags.len()).sum();
        let findings = || self.found.findings();
        let (all, left) = (findings().count(), findings().filter(|it| it.is_left()).count());
        let repairable = findings().filter(|it| it.repairable).count();
        match (all, self.repair) {
            (0, _) if self.found.problems.is_empty() => writeln!(f, "nothing is wrong")?,
            (0, _) => {}
            (_, false) => {
                write!(f, "{all} findings, {broken} tags cannot be pulled completely")?;
                match repairable {
                    0 => writeln!(f)?,
                    count => writeln!(f, "; --repair does something about {count} findings")?,
                }
            }
            (_, true) => writeln!(f, "{all} findings, {left} of them are left")?,
        }
        if let Some(run) = &self.quarantine {
            writeln!(f, "corrupt blobs are kept for 30 days in the quarantine `{run}`")?;
        }
        match &self.not_repaired {
            Some(reason) => writeln!(f, "not repaired: {reason}"),
            None => Ok(()),
        }
    }
}

fn name(repository: &Verified) -> &str {
    repository.name.as_deref().unwrap_or("(no repository)")
}

fn table(repositories: &[&Verified]) -> Table {
    let mut table = Table::new(&["repository", "tags", "broken", "findings", "left"]);
    for repository in repositories {
        let Verified { tags, broken_tags, findings, .. } = repository;
        let left = findings.iter().filter(|it| it.is_left()).count();
        let counts = [*tags, broken_tags.len(), findings.len(), left];
        let [tags, broken, findings, left] = counts.map(|count| count.to_string());
        table.row(&[name(repository).to_owned(), tags, broken, findings, left]);
    }
    table
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > LISTED { writeln!(f, "… and {} more", count - LISTED) } else { Ok(()) }
}
