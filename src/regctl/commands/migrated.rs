//! The report of a migration: both sides, what was copied, and what differs.

use std::fmt::{self, Display as _};

use registry::migrate::{Copied, Count, Difference, Differs, How, Kinds, Place, Probed};
use serde::{Deserialize, Serialize};

use super::trial::Tried;
use crate::{
    migrate::{Step, TagName},
    output::{Document, Table, size},
};

/// Differences that are listed in text; JSON has up to a thousand of each kind.
const LISTED: usize = 20;

/// One pass over both sides.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Pass {
    pub(crate) step: Step,
    source: Kinds,
    target: Kinds,
    missing: Kinds,
    other: Kinds,
    only_in_target: Kinds,
    differences: Vec<Differs>,
    /// What could not be looked at or copied.
    problems: Vec<String>,
    /// What no registry has put into the source; it is not copied.
    strangers: Vec<String>,
    /// What was copied before both sides were compared, if anything was to be.
    copied: Option<Copies>,
    /// Whether every blob of the target was read again.
    hashed: bool,
    /// How many objects were looked at, since no others have changed; null where all were.
    looked_at: Option<usize>,
    pub(crate) is_same: bool,
}

/// What the process that does the work tells of a pass.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Told {
    pub(crate) pass: Pass,
    /// Some tags of the source.
    pub(crate) tags: Vec<TagName>,
    /// What the target has shown when it was tried.
    pub(crate) probed: Option<Probed>,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Copies {
    blobs: Count,
    links: Count,
    removed: u64,
    vanished: u64,
}

/// A whole migration.
#[derive(Debug, Serialize)]
pub(crate) struct Passes {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) dry_run: bool,
    /// What the target has shown when it was tried; only of a dry run.
    pub(crate) probed: Option<Probed>,
    /// How long it would take to copy what is missing, by that.
    pub(crate) estimated_seconds: Option<f64>,
    pub(crate) passes: Vec<Pass>,
    /// For how long nothing could be pushed.
    pub(crate) read_only_seconds: Option<f64>,
    pub(crate) switched: bool,
    /// The tag that was pulled from the target before anybody could push there.
    pub(crate) pulled: Option<Tried>,
    /// What is left to do.
    pub(crate) next: Option<String>,
}

impl Passes {
    /// Before the first one.
    pub(crate) fn between(source: &Place, target: &Place, dry_run: bool) -> Self {
        Self {
            source: source.to_string(),
            target: target.to_string(),
            dry_run,
            probed: None,
            estimated_seconds: None,
            passes: Vec::new(),
            read_only_seconds: None,
            switched: false,
            pulled: None,
            next: None,
        }
    }
}

impl Pass {
    /// Of two sides that were compared, after so much was copied.
    pub(crate) fn of(
        step: Step,
        difference: &Difference,
        copied: Option<(&Copied, Option<usize>)>,
        hashed: bool,
    ) -> Self {
        let looked_at = copied.and_then(|(_, looked_at)| looked_at);
        let copied = copied.map(|(copied, _)| copied);
        let failed = copied.map_or(&[][..], |copied| &copied.problems);
        let problems = difference.problems.iter().chain(failed).map(ToString::to_string);
        Self {
            step,
            source: difference.source,
            target: difference.target,
            missing: difference.missing,
            other: difference.other,
            only_in_target: difference.extra,
            differences: difference.named(),
            problems: problems.collect(),
            strangers: difference.strangers.clone(),
            copied: copied.map(|copied| Copies {
                blobs: copied.blobs,
                links: copied.links,
                removed: copied.removed,
                vanished: copied.vanished,
            }),
            hashed,
            looked_at,
            is_same: difference.is_none() && failed.is_empty(),
        }
    }
}

impl Pass {
    /// Whether all that was read while the registry served was what its name says.
    pub(crate) fn is_read_right(&self) -> bool {
        self.step != Step::Read || !self.has_problems()
    }

    /// Whether something could not be looked at or copied.
    pub(crate) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What helps against the differences.
    pub(crate) fn advice(&self) -> &'static str {
        let is_only = |count: Count| count.objects > 0;
        match is_only(self.only_in_target.total()) {
            true => "; --delete removes what only the target has",
            false => "",
        }
    }

    /// How much is to be put into the target.
    pub(crate) fn to_copy(&self) -> Count {
        let [missing, other] = [self.missing.total(), self.other.total()];
        let (objects, bytes) = (missing.objects + other.objects, missing.bytes + other.bytes);
        Count { objects, bytes }
    }

    /// How many objects both sides have.
    pub(crate) fn objects(&self) -> (u64, u64) {
        (self.source.total().objects, self.target.total().objects)
    }
}

impl Document for Passes {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, target, dry_run, passes, switched, pulled, next, .. } = self;
        for pass in passes {
            pass.fmt_copies(f)?;
        }
        if let Some(last) = passes.last() {
            match dry_run {
                true => last.fmt_plan(f)?,
                false => last.fmt_sides(f)?,
            }
            for pass in passes.iter().filter(|pass| pass.step == Step::Read) {
                pass.fmt_findings(f)?;
            }
            last.fmt_findings(f)?;
            let are_read = passes.iter().any(|pass| pass.hashed && pass.step != Step::Final);
            let read = if are_read { "; every blob was read again" } else { "" };
            if last.is_same && passes.iter().all(Pass::is_read_right) {
                writeln!(f, "{target} holds what {source} holds{read}")?;
            }
        }
        self.fmt_probe(f)?;
        if let Some(seconds) = self.read_only_seconds {
            writeln!(f, "nothing could be pushed for {seconds:.1} s")?;
        }
        if let Some(Tried { name: TagName { repository, tag }, pulled }) = pulled {
            let (blobs, bytes) = (pulled.blobs, size(pulled.bytes));
            writeln!(f, "pulled {repository}:{tag} from the target: {blobs} blobs ({bytes})")?;
        }
        if *switched {
            writeln!(f, "the registry serves from {target} now; {source} is as it was")?;
        }
        next.iter().try_for_each(|next| writeln!(f, "{next}"))
    }
}

impl Passes {
    /// Whether the target has room for what is missing, as far as that is known.
    pub(crate) fn has_room(&self) -> bool {
        let free = self.probed.and_then(|probed| probed.free_bytes);
        let wanted = self.passes.last().map(Pass::to_copy).unwrap_or_default();
        free.is_none_or(|free| free >= wanted.bytes)
    }

    fn fmt_probe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Probed { objects_a_second, bytes_a_second, free_bytes }) = self.probed else {
            return Ok(());
        };
        if let (Some(objects), Some(bytes)) = (objects_a_second, bytes_a_second) {
            let bytes = size(bytes);
            writeln!(
                f,
                "the target was tried: {objects:.0} small objects/s, {bytes}/s; it may be written, read, listed and deleted from"
            )?;
        }
        if let Some(seconds) = self.estimated_seconds {
            writeln!(f, "copying would take about {seconds:.0} s")?;
        }
        match free_bytes {
            Some(free) if self.has_room() => writeln!(f, "the target has room for {}", size(free)),
            Some(free) => writeln!(f, "the target has room for {} only", size(free)),
            None => Ok(()),
        }
    }
}

impl Pass {
    fn fmt_copies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Copies { blobs, links, removed, vanished }) = self.copied else { return Ok(()) };
        let when = if self.step == Step::Live { "while it served" } else { "at last" };
        write!(f, "copied {when}: {} blobs ({})", blobs.objects, size(blobs.bytes))?;
        write!(f, ", {} links", links.objects)?;
        if let Some(looked_at) = self.looked_at {
            write!(f, "; looked at {looked_at} objects that may have changed")?;
        }
        if removed > 0 {
            write!(f, "; removed {removed} that the source no longer has")?;
        }
        if vanished > 0 {
            write!(f, "; {vanished} were deleted meanwhile")?;
        }
        writeln!(f)
    }

    fn fmt_plan(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, missing, other, only_in_target, .. } = self;
        let mut table =
            Table::new(&["", "source", "to copy", "bytes", "to replace", "only in the target"]);
        for (name, kind) in KINDS {
            table.row(&[
                name.to_owned(),
                kind(source).objects.to_string(),
                kind(missing).objects.to_string(),
                size(kind(missing).bytes),
                kind(other).objects.to_string(),
                kind(only_in_target).objects.to_string(),
            ]);
        }
        table.fmt(f)
    }

    fn fmt_sides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, target, missing, other, only_in_target, .. } = self;
        let mut table =
            Table::new(&["", "source", "bytes", "target", "bytes", "missing", "other", "extra"]);
        for (name, kind) in KINDS {
            table.row(&[
                name.to_owned(),
                kind(source).objects.to_string(),
                size(kind(source).bytes),
                kind(target).objects.to_string(),
                size(kind(target).bytes),
                kind(missing).objects.to_string(),
                kind(other).objects.to_string(),
                kind(only_in_target).objects.to_string(),
            ]);
        }
        table.fmt(f)
    }

    fn fmt_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(LISTED) {
            writeln!(f, "problem: {problem}")?;
        }
        more(f, self.problems.len())?;
        for path in self.strangers.iter().take(LISTED) {
            writeln!(f, "not copied, since no registry has put it there: {path}")?;
        }
        more(f, self.strangers.len())?;
        // A plan is a list of differences already.
        if self.step == Step::Plan {
            return Ok(());
        }
        for Differs { path, how } in self.differences.iter().take(LISTED) {
            let how = match how {
                How::Missing => "missing in the target",
                How::Extra => "only in the target",
                How::Content => "other content in the target",
            };
            writeln!(f, "{how}: {path}")?;
        }
        more(f, self.differences.len())
    }
}

type Kind = fn(&Kinds) -> Count;

const KINDS: [(&str, Kind); 5] = [
    ("blobs", |kinds| kinds.blobs),
    ("manifest links", |kinds| kinds.revisions),
    ("layer links", |kinds| kinds.layers),
    ("tag links", |kinds| kinds.tags),
    ("all", Kinds::total),
];

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > LISTED { writeln!(f, "… and {} more", count - LISTED) } else { Ok(()) }
}
