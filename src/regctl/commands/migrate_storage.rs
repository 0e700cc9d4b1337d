//! `regctl migrate-storage`: moves the instance's content to another storage, and the instance with it if asked.

use std::{mem, num::NonZeroU64, process, time::Instant};

use clap::{ValueEnum, builder::RangedU64ValueParser};
use registry::migrate;

use super::{
    Context,
    migrated::{Pass, Passes},
    migrating::{Migration, Work, journal},
    moving::{Driver, Move, confirm},
    services::{Supervised, TheRegistry},
    trial::Trial,
    waiting::{self, Waiting},
};
use crate::{
    collect::{self, Mode},
    config,
    exit::Failure,
    migrate::{Order, Reading, Record, Step, Then},
    output::{Report, Verdict},
    reconfigure::Claim,
    state::{Layout, Lock, lock::Held},
    supervise::Journal,
    sys::{clock, fs, signals::Signals, worker::Error as WorkerError},
};

const COMMAND: &str = "migrate-storage";

/// Move the registry's content to another storage, compared object by object
///
/// The target stands in instance.toml as [migrate.to.<driver>], with the options of [registry.storage.<driver>]. What the
/// target lacks is copied while the registry serves and is pushed to; then the registry is read-only for some seconds (who
/// pushes waits for up to 10 s, and gets 503 then), what has changed since is copied, and both sides are compared: blobs by
/// their sizes (their names are their hashes, and what is copied is hashed on the way), links by what they hold. Any
/// difference: exit 5, and no switch. The registry writes down what changes meanwhile; where it has started anew or does not
/// know all of it, everything is compared once more.
///
/// With --switch the storage and [migrate.to.<driver>] change places in instance.toml, the registry is started on the
/// target, and pulls a tag from there to the last byte; only then can be pushed to again. Where it does not, everything is
/// as it was. The old storage is never changed: --back is the way back, and takes along what was pushed since; with
/// --discard it does not.
///
/// With --json the progress is told on stderr, a JSON document in a line, every second.
///
/// It may be interrupted or killed at any time, and run again: it goes on with what is missing. Uploads that are under way
/// when it switches have to begin again. Collections and cleanups wait until it has ended.
///
/// Edits of instance.toml that were not applied are no part of a switch: they are refused until `regctl reconfigure`. Exit 75: somebody
/// else works on the storage, or uses the target. Exit 78: the target is not in instance.toml, or where the source is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl migrate-storage --to s3 --dry-run     what would be copied; changes nothing
  regctl migrate-storage --to s3 --only copy   the long part, hours before; nothing becomes read-only
  regctl migrate-storage --to s3 --switch      all of it, and the registry serves from there
  regctl migrate-storage --to s3 --only verify --verify full
  regctl migrate-storage --back                back to where it was, with what was pushed since")]
pub(crate) struct Args {
    /// The driver under [migrate.to] that is moved to
    #[arg(long, value_enum, value_name = "DRIVER", required_unless_present = "back")]
    to: Option<Driver>,
    /// Move back to the storage that the last migration has left, with what was pushed since; as --to with --switch
    #[arg(long, conflicts_with_all = ["to", "only"])]
    back: bool,
    /// With --back: leave behind what was pushed since
    ///
    /// Nothing is copied: the registry serves from its former storage as that was left. Asks for the name of the storage that it
    /// serves from now.
    #[arg(long, requires = "back", conflicts_with_all = ["dry_run", "delete", "verify"])]
    discard: bool,
    /// Compare both sides, try the target and say what would be copied and how long that takes; nothing that is changed stays
    #[arg(long, short = 'n', conflicts_with_all = ["only", "switch", "delete"])]
    dry_run: bool,
    /// Only copy while the registry serves, or only compare
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "switch")]
    only: Option<Part>,
    /// Serve from the target when it holds the same
    #[arg(long)]
    switch: bool,
    /// Remove from the target what the source does not have, whoever has put it there
    ///
    /// Where the source is empty or has less than half of what the target has, it asks for the name of the target's bucket or
    /// folder.
    #[arg(long)]
    delete: bool,
    /// The name that --delete or --discard asks for, where nobody is there to type it
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Which blobs of the target are read and hashed, beside being compared by their sizes
    #[arg(long, value_enum, default_value = "once")]
    verify: Depth,
    /// Objects on their way at once
    #[arg(long, value_name = "N", default_value_t = migrate::AT_ONCE as u64,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=migrate::MOST_AT_ONCE as u64))]
    concurrency: u64,
    /// Copy at most so much in a second, such as 50MB
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    max_rate: Option<NonZeroU64>,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Copy, while the registry serves
    Copy,
    /// Compare; the registry is read-only meanwhile
    Verify,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Depth {
    /// None
    Fast,
    /// Those that no migration to this target has copied or read before
    Once,
    /// All of them
    Full,
}

impl Args {
    fn order(&self, layout: &Layout, target: String) -> Order {
        Order {
            target,
            step: Step::Plan,
            reading: match self.verify {
                Depth::Fast => Reading::Nothing,
                Depth::Once => Reading::Unknown,
                Depth::Full => Reading::All,
            },
            run: format!("{}-{}", process::id(), clock::unix_time()),
            delete: self.delete,
            at_once: usize::try_from(self.concurrency).unwrap_or(migrate::AT_ONCE),
            bytes_a_second: self.max_rate,
            journal: journal(layout),
            then: Then::Nothing,
        }
    }
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = config::values::size(text).and_then(NonZeroU64::new);
    rate.ok_or_else(|| "must be a size, such as \"50MB\" or \"20MiB\"".to_owned())
}

pub(crate) fn run(mut args: Args, context: &Context) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = context;
    let path = layout.instance_toml();
    let instance = config::load::load(&path)?.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(path));
    }
    let way = match args.to {
        Some(to) => Move::to(layout, &instance, to)?,
        None => Move::back(layout, &instance)?,
    };
    args.switch |= args.back && !args.dry_run;
    let claim = args.waiting.claim(COMMAND);
    let waits = waiting::announce(*printer);
    let storage = Lock::Storage.acquire(layout, COMMAND, claim.patience, waits)?;
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let order = args.order(layout, way.candidate.config_yml(layout).to_owned());
    let passes = Passes::between(&way.source, &way.target, args.dry_run);
    let mut migration = Migration { context, signals, order, tags: Vec::new(), passes };
    if args.dry_run {
        migration.pass(Step::Plan, &storage)?;
        return Ok(planned(migration.passes, args.max_rate));
    }
    let registry = TheRegistry { layout, claim, printer: *printer, signals };
    let left = collect::bring_back(layout, &storage, &registry)?;
    for hold in &left {
        printer.say(format!("brought back what the {} hold of {hold} left", hold.kind));
    }
    if args.switch {
        let files = way.candidate.unapplied(layout).map_err(Failure::Switch)?;
        if !files.is_empty() {
            return Err(Failure::Unapplied(files));
        }
    }
    way.candidate.make_folders(layout, claim).map_err(Failure::Switch)?;
    if args.delete || args.discard {
        let is_same = migration.pass(Step::Plan, &storage)?;
        let plan = migration.passes.passes.last();
        plan.map_or(Ok(()), |plan| args.asks(plan, is_same, &way))?;
        migration.passes.probed = None;
    }
    if args.discard {
        return finish(migration, None, &args, way, (&storage, &registry));
    }
    migration.passes.passes.clear();
    // It begins before anything is looked at.
    let journal =
        args.only.is_none().then(|| Journal::begin(layout, &migration.order.run)).flatten();
    let then = if journal.is_some() { Then::LastByJournal } else { Then::Last };
    let work = copy(&mut migration, &args, &storage, then)?;
    if args.only == Some(Part::Copy) {
        migration.passes.next =
            Some("what is pushed from now on is copied by the next run".to_owned());
        let is_copied = migration.passes.passes.iter().all(|pass| !pass.has_problems());
        let verdict = if is_copied { Verdict::Good } else { Verdict::Findings };
        return Ok(Report::of(&migration.passes, verdict));
    }
    let last = work.map(|work| (work, journal));
    finish(migration, Some(last), &args, way, (&storage, &registry))
}

/// Does what takes long, while the registry serves; returns who waits to make the last pass.
fn copy(
    migration: &mut Migration<'_>,
    args: &Args,
    storage: &Held,
    then: Then,
) -> Result<Option<Work>, Failure> {
    let printer = migration.context.printer;
    let Passes { source, target, .. } = &migration.passes;
    match args.only {
        Some(Part::Verify) if args.verify == Depth::Fast => {}
        Some(Part::Verify) => {
            printer.say(format!("reading {target} while the registry serves"));
            migration.pass(Step::Read, storage)?;
        }
        Some(Part::Copy) => {
            printer.say(format!("copying from {source} to {target} while the registry serves"));
            migration.pass(Step::Live, storage)?;
        }
        None => {
            printer.say(format!("copying from {source} to {target} while the registry serves"));
            let mut work = migration.begin(Step::Live, storage, then)?;
            migration.hear(&mut work)?;
            return Ok(Some(work));
        }
    }
    Ok(None)
}

/// What makes the last pass: a process that waits for it, if it is not to compare all, and the registry's journal.
type Last<'a> = Option<(Work, Option<Journal<'a>>)>;

/// Has the last pass made while nothing is written, and switches if that is wanted. Without a pass what is left behind is left.
fn finish(
    mut migration: Migration<'_>,
    last: Option<Last<'_>>,
    args: &Args,
    way: Move,
    (storage, registry): (&Held, &TheRegistry<'_>),
) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = migration.context;
    let to = way.to;
    printer.say("the registry becomes read-only; pulls go on");
    let begun = Instant::now();
    let paused = collect::pause(layout, Mode::Brief, (COMMAND, "a migration"), registry)?;
    let done = match last {
        Some(Some((work, journal))) => migration.finish(work, journal),
        Some(None) => migration.pass(Step::Verify, storage),
        None => Ok(true),
    };
    let done = done.and_then(|is_same| {
        if is_same && args.switch {
            switch(&mut migration, way, (registry.claim, storage), paused.was_running())?;
        }
        Ok(is_same)
    });
    // A blob that was found damaged before is damaged still.
    let done =
        done.map(|is_same| is_same && migration.passes.passes.iter().all(Pass::is_read_right));
    // Whatever came of it.
    let back = paused.end(layout, registry);
    migration.passes.read_only_seconds = Some(begun.elapsed().as_secs_f64());
    match (done, back) {
        (Ok(is_same), Ok(())) => Ok(report(migration.passes, to, is_same)),
        (Err(failure), Ok(())) => Err(failure),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(failure), Err(error)) => {
            printer.error(Failure::from(error), None);
            Err(failure)
        }
    }
}

/// Has the registry serve from the target, if a tag can be pulled from there; it is read-only meanwhile.
fn switch(
    migration: &mut Migration<'_>,
    Move { source, target, candidate, .. }: Move,
    (claim, storage): (Claim<'_>, &Held),
    is_up: bool,
) -> Result<(), Failure> {
    let Context { layout, printer, .. } = migration.context;
    let trial = is_up.then(|| Trial::choose(layout, mem::take(&mut migration.tags)));
    printer.say("the registry is started on the target");
    let check = || Ok(trial.map(|trial| trial.run(layout)).transpose()?.flatten());
    let switched = candidate.switch(layout, claim, storage, (&Supervised(layout), check));
    migration.passes.pulled = switched.map_err(Failure::Switch)?;
    migration.passes.switched = true;
    if let Err(error) = Record::store(layout, source.place(), target.place()) {
        printer.warn(format!("--back will not know the way: {error}"));
    }
    if migration.passes.pulled.is_none() {
        let why = if is_up { "there is no whole tag" } else { "the registry does not run" };
        printer.say(format!("{why}: nothing was pulled from the target"));
    }
    // What is in the target from now on is the registry's.
    if let Err(error) = fs::remove(&journal(layout)) {
        printer.warn(format!("remove it before the next migration: {error}: {}", error.source));
    }
    Ok(())
}

fn report(mut passes: Passes, to: Driver, is_same: bool) -> Report {
    let driver = to.as_str();
    passes.next = match (is_same, passes.switched) {
        (true, true) => None,
        (true, false) => Some(format!(
            "`regctl migrate-storage --to {driver} --switch` copies what is pushed until then, and serves from there"
        )),
        (false, _) => Some(format!(
            "the storages differ: nothing was switched, and the registry serves from where it did{}",
            passes.passes.last().map_or("", Pass::advice)
        )),
    };
    let verdict = if is_same { Verdict::Good } else { Verdict::Findings };
    Report::of(&passes, verdict)
}

/// With how long it would take.
fn planned(mut passes: Passes, most: Option<NonZeroU64>) -> Report {
    let wanted = passes.passes.last().map(Pass::to_copy).unwrap_or_default();
    let most = most.map(NonZeroU64::get);
    passes.estimated_seconds = passes.probed.and_then(|probed| probed.seconds(wanted, most));
    let verdict = if passes.has_room() { Verdict::Good } else { Verdict::Findings };
    Report::of(&passes, verdict)
}

impl Args {
    /// Asks before a target is emptied by an empty source, or what was pushed since is left behind.
    fn asks(&self, plan: &Pass, is_same: bool, way: &Move) -> Result<(), Failure> {
        let (source, target) = plan.objects();
        let given = self.confirm.as_deref();
        if self.discard {
            let why = format!(
                "--discard leaves {} objects behind that only {} has",
                plan.to_copy().objects,
                way.source
            );
            return if is_same { Ok(()) } else { confirm(&way.source, given, &why) };
        }
        if source > 0 && source >= target.div_ceil(2) {
            return Ok(());
        }
        let why = format!(
            "--delete: the source has {source} objects and the target {target}: it looks as if they had changed places"
        );
        confirm(&way.target, given, &why)
    }
}
