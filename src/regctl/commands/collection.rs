//! The report of a garbage collection: what it found, what goes or went, what it kept for doubt.

use std::{fmt, ops::Not};

use registry::{
    collect::{Counts, FoundCounts, Item, Note, Plan, Step, Swept},
    quota::Fill,
};
use serde::Serialize;

use super::fills;
use crate::{
    exit::Failure,
    output::{Document, Printer, Report, Table, Verdict, size},
};

/// A collection, planned or carried out.
#[derive(Debug, Serialize)]
pub(super) struct Collected {
    dry_run: bool,
    /// The quarantine, by which it can be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    found: FoundCounts,
    eligible: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Counts>,
    kept_for_doubt: Counts,
    /// What was eligible and is not among `removed`, nor failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stays: Option<Stays>,
    notes: Vec<Note>,
    /// How many there are; at most a thousand are listed.
    notes_total: u64,
    failures: Vec<String>,
    /// How many; at most a hundred are listed.
    failed: u64,
    /// Whether it was told to stop before all that was eligible had its turn.
    #[serde(skip_serializing_if = "Not::not")]
    interrupted: bool,
    /// How far quotas are used now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) quotas: Vec<Fill>,
    #[serde(skip)]
    needs_a_look: bool,
}

/// What was to go and did not, without a failure: how many objects.
#[derive(Debug, Serialize)]
struct Stays {
    /// Somebody was told of them meanwhile, they were written lately, or belong to what was.
    promised: u64,
    /// Something else had removed them.
    vanished: u64,
    /// Repositories that hold something else.
    occupied: u64,
    /// What it is; at most a hundred are listed.
    occupants: Vec<String>,
    /// The step after which it was given up, since what comes later could be needed by what did not go.
    stopped_after: Option<Step>,
}

impl Stays {
    fn of(swept: &Swept) -> Self {
        let Swept { vanished, kept, occupied, stopped, .. } = *swept;
        let occupants = swept.occupants.clone();
        Self { promised: kept, vanished, occupied, occupants, stopped_after: stopped }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promised, vanished, occupied, occupants, stopped_after } = self;
        for (count, what) in [
            (promised, "stay: somebody was told of them meanwhile, or they were written lately"),
            (vanished, "were gone before their turn"),
            (occupied, "stay: repositories that hold something else"),
        ] {
            if *count > 0 {
                writeln!(f, "{count} of what was eligible {what}")?;
            }
        }
        for occupant in occupants {
            writeln!(f, "  `{occupant}` is in the way of its repository's end")?;
        }
        match stopped_after {
            None => Ok(()),
            Some(step) => writeln!(
                f,
                "given up after the {}: what comes later could be needed by what did not go",
                name(*step)
            ),
        }
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Tags => "tags of referrers",
        Step::TagIndexes => "histories of tags",
        Step::Revisions => "manifests",
        Step::Layers => "links to blobs",
        Step::Blobs => "blobs",
        Step::Folders => "empty folders",
        Step::Repositories => "repositories",
    }
}

/// Something that goes.
#[derive(Debug, Serialize)]
struct Deletion {
    step: Step,
    path: String,
    reason: &'static str,
}

impl Collected {
    /// Reports a plan, and what was done of it.
    pub(super) fn of(plan: &Plan, swept: Option<&Swept>) -> Self {
        let notes = plan.notes();
        let crooked = |note: &Note| matches!(note, Note::Crooked { .. });
        Self {
            dry_run: swept.is_none(),
            run: None,
            found: plan.found(),
            eligible: plan.counts(),
            removed: swept.map(|swept| swept.removed),
            kept_for_doubt: plan.kept(),
            stays: swept.map(Stays::of),
            notes: notes.listed().to_vec(),
            notes_total: notes.total(),
            failures: swept.map_or(Vec::new(), |swept| swept.failures.clone()),
            failed: swept.map_or(0, |swept| swept.failed),
            interrupted: swept.is_some_and(|swept| swept.interrupted),
            quotas: Vec::new(),
            needs_a_look: notes.keeping() > 0 || notes.listed().iter().any(crooked),
        }
    }

    /// Prints it. JSON lists everything that goes or went, step by step, as it is written: there may be a million of it.
    pub(super) fn print(&self, plan: &Plan, printer: Printer) -> Result<Report, Failure> {
        let verdict = match (self.failed > 0 || self.interrupted, self.needs_a_look) {
            (false, false) => Verdict::Good,
            (false, true) => Verdict::Findings,
            (true, _) => Verdict::NotDone,
        };
        let all = Step::ALL.into_iter().flat_map(|step| deletions(plan, step));
        let report = Report::of(self, verdict);
        printer.report_listing(&report, "deletions", all).map_err(Failure::Output)?;
        Ok(Report::silent_with(verdict))
    }
}

fn deletions(plan: &Plan, step: Step) -> impl Iterator<Item = Deletion> {
    plan.items(step).map(move |item| Deletion {
        step,
        path: item.to_string(),
        reason: step.reason(),
    })
}

/// Says what goes, in upstream's words where it has some.
pub(super) fn list(plan: &Plan, mut line: impl FnMut(&str)) {
    for step in Step::ALL {
        for item in plan.items(step) {
            line(&listed(&item, step));
        }
    }
}

fn listed(item: &Item, step: Step) -> String {
    let reason = step.reason();
    match item {
        Item::Revision(name, digest) if step == Step::Revisions => {
            format!("manifest eligible for deletion: {digest} ({name}: {reason})")
        }
        Item::Blob(digest) => format!("blob eligible for deletion: {digest} ({reason})"),
        Item::Layer(name, digest) => {
            format!("layer link eligible for deletion: {digest} ({name}: {reason})")
        }
        Item::Tag(name, tag) => format!("tag eligible for deletion: {name}:{tag} ({reason})"),
        Item::TagIndex(name, tag, digest) => {
            format!("tag index eligible for deletion: {digest} ({name}:{tag}: {reason})")
        }
        Item::Repository(name) => format!("repository eligible for deletion: {name} ({reason})"),
        Item::Revision(..) | Item::UploadStartedAt(..) => {
            format!("folder eligible for deletion: {item} ({reason})")
        }
    }
}

impl Document for Collected {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, eligible, kept_for_doubt: kept, .. } = self;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        if self.notes_total > self.notes.len() as u64 {
            writeln!(f, "… and {} more", self.notes_total - self.notes.len() as u64)?;
        }
        for failure in &self.failures {
            writeln!(f, "not removed: {failure}")?;
        }
        // The line that programs read.
        writeln!(
            f,
            "{} blobs marked, {} blobs and {} manifests eligible for deletion",
            found.marked, eligible.blobs, eligible.manifests
        )?;
        let what = if self.dry_run { "would go" } else { "gone" };
        let gone = self.removed.as_ref().unwrap_or(eligible);
        let mut table = Table::new(&["", "found", what, "kept for doubt"]);
        let rows = [
            ("repositories", found.repositories, gone.repositories, kept.repositories),
            ("tags", found.tags, gone.tags, kept.tags),
            ("manifests", found.manifests, gone.manifests, kept.manifests),
            ("links to blobs", found.layers, gone.layers, kept.layers),
            ("blobs", found.blobs, gone.blobs, kept.blobs),
        ];
        for (name, found, gone, kept) in rows {
            let numbers = [found, gone, kept].map(|number| number.to_string());
            table.row(&[&[name.to_owned()], numbers.as_slice()].concat());
        }
        let bytes = size(gone.bytes);
        table.row(&["bytes".to_owned(), String::new(), bytes, String::new()]);
        table.fmt(f)?;
        if let Some(stays) = &self.stays {
            stays.fmt(f)?;
        }
        if self.interrupted {
            writeln!(f, "told to stop before the end: the next run does the rest")?;
        }
        fills::table(&self.quotas, f)?;
        match &self.run {
            None => Ok(()),
            Some(run) => writeln!(
                f,
                "all of it waits in the quarantine `{run}`; --undo {run} brings it back"
            ),
        }
    }
}
