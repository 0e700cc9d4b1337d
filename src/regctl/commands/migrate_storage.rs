//! `regctl migrate-storage`: moves the instance's content to another storage, and the instance with it if asked.

use std::{mem, num::NonZeroU64, process, time::Instant};

use clap::{ValueEnum, builder::RangedU64ValueParser};
use registry::{Config, config::Config as Registry, migrate};

use super::{
    Context,
    migrated::{Pass, Passes},
    migrating::{Migration, journal},
    services::{Supervised, TheRegistry},
    trial::Trial,
    waiting::{self, Waiting},
};
use crate::{
    collect::{self, Mode},
    config::{self, edit, instance::Driver as Storage},
    exit::Failure,
    migrate::{Order, Reading, Step},
    output::{Report, Verdict},
    reconfigure::{Candidate, Claim},
    state::{Layout, Lock, Services, lock::Held},
    supervise::Journal,
    sys::{clock, fs, signals::Signals, worker::Error as WorkerError},
};

const COMMAND: &str = "migrate-storage";

/// Move the registry's content to another storage, compared object by object
///
/// The target stands in instance.toml as [migrate.to.<driver>], with the options of [registry.storage.<driver>]. What the
/// target lacks is copied while the registry serves and is pushed to; then the registry is read-only for some seconds,
/// what has changed since is copied, and both sides are compared: blobs by their sizes (their names are their hashes, and
/// what is copied is hashed on the way), links by what they hold. Any difference: exit 5, and no switch.
///
/// With --switch the storage and [migrate.to.<driver>] change places in instance.toml, the registry is started on the
/// target, and pulls a tag from there to the last byte; only then can be pushed to again. Where it does not, everything is as it was. The old storage is
/// never changed: `regctl migrate-storage --to <old driver> --switch` is the way back, and takes along what was pushed since.
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
  regctl migrate-storage --to filesystem --switch")]
pub(crate) struct Args {
    /// The driver under [migrate.to] that is moved to
    #[arg(long, value_enum, value_name = "DRIVER")]
    to: Driver,
    /// Compare both sides and say what would be copied; change nothing
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
    /// Refused where the source is empty or has less than half of what the target has: --force does it all the same.
    #[arg(long)]
    delete: bool,
    /// With --delete: even where the target has much more than the source
    #[arg(long, requires = "delete")]
    force: bool,
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

/// Drivers that can be moved to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Driver {
    /// A folder
    Filesystem,
    /// An S3 bucket
    S3,
    /// The old name of s3
    S3aws,
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
            goes_on: false,
        }
    }
}

impl Driver {
    fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "filesystem",
            Self::S3 => "s3",
            Self::S3aws => "s3aws",
        }
    }
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = config::values::size(text).and_then(NonZeroU64::new);
    rate.ok_or_else(|| "must be a size, such as \"50MB\" or \"20MiB\"".to_owned())
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = context;
    let path = layout.instance_toml();
    let instance = config::load::load(&path)?.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(path));
    }
    let usual = match &instance.registry.storage.driver {
        Storage::Filesystem { root_directory, .. } => root_directory.display().to_string(),
        Storage::InMemory | Storage::S3(_) => String::new(),
    };
    let swap = |text: &str| edit::swap_storage(text, args.to.as_str(), &usual);
    let candidate = Candidate::of(layout, swap).map_err(Failure::Switch)?;
    let candidate = candidate.map_err(|error| Failure::Swap { path, error })?;
    let source = rendered(layout)?;
    let source = &source.storage.driver;
    let target = &candidate.desired.registry.config.storage.driver;
    if !migrate::are_apart(source, target) {
        let (source, target) = (source.to_string(), target.to_string());
        return Err(Failure::SamePlace { source, target });
    }
    let passes = Passes {
        source: source.to_string(),
        target: target.to_string(),
        dry_run: args.dry_run,
        passes: Vec::new(),
        read_only_seconds: None,
        switched: false,
        pulled: None,
        next: None,
    };
    let text = candidate.config_yml(layout).to_owned();
    let claim = args.waiting.claim(COMMAND);
    let waits = waiting::announce(*printer);
    let storage = Lock::Storage.acquire(layout, COMMAND, claim.patience, waits)?;
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let order = args.order(layout, text);
    let mut migration = Migration { context, signals, order, tags: Vec::new(), passes };
    if args.dry_run {
        migration.pass(Step::Plan, &storage)?;
        return Ok(Report::good(&migration.passes));
    }
    let registry = TheRegistry { layout, claim, printer: *printer, signals };
    let left = collect::bring_back(layout, &storage, &registry)?;
    for hold in &left {
        printer.say(format!("brought back what the {} hold of {hold} left", hold.kind));
    }
    if args.switch {
        let files = candidate.unapplied(layout).map_err(Failure::Switch)?;
        if !files.is_empty() {
            return Err(Failure::Unapplied(files));
        }
    }
    candidate.make_folders(layout, claim).map_err(Failure::Switch)?;
    if args.delete && !args.force {
        migration.pass(Step::Plan, &storage)?;
        migration.passes.passes.pop().map_or(Ok(()), |plan| worth_deleting(&plan))?;
    }
    let mut work = None;
    // It begins before anything is looked at.
    let written_down = args.only.is_none().then(|| Journal::begin(layout, &migration.order.run));
    if args.only != Some(Part::Verify) {
        printer.say(format!(
            "copying from {} to {} while the registry serves",
            migration.passes.source, migration.passes.target
        ));
        match args.only {
            None => {
                let mut begun = migration.begin(Step::Live, &storage, true)?;
                migration.hear(&mut begun)?;
                work = Some(begun);
            }
            Some(_) => drop(migration.pass(Step::Live, &storage)?),
        }
    }
    if args.only == Some(Part::Copy) {
        migration.passes.next =
            Some("what is pushed from now on is copied by the next run".to_owned());
        let is_copied = migration.passes.passes.iter().all(|pass| !pass.has_problems());
        let verdict = if is_copied { Verdict::Good } else { Verdict::Findings };
        return Ok(Report::of(&migration.passes, verdict));
    }
    if args.only == Some(Part::Verify) && args.verify != Depth::Fast {
        printer.say(format!("reading {} while the registry serves", migration.passes.target));
        migration.pass(Step::Read, &storage)?;
    }
    printer.say("the registry becomes read-only; pulls go on");
    let begun = Instant::now();
    let paused = collect::pause(layout, Mode::Brief, (COMMAND, "a migration"), &registry)?;
    let done = match work {
        Some(work) => migration.finish(work, written_down.flatten()),
        None => migration.pass(Step::Verify, &storage),
    };
    let done = done.and_then(|is_same| {
        if is_same && args.switch {
            switch(&mut migration, candidate, (claim, &storage), paused.was_running())?;
        }
        Ok(is_same)
    });
    // A blob that was found damaged before is damaged still.
    let done =
        done.map(|is_same| is_same && migration.passes.passes.iter().all(Pass::is_read_right));
    // Whatever came of it.
    let back = paused.end(layout, &registry);
    migration.passes.read_only_seconds = Some(begun.elapsed().as_secs_f64());
    match (done, back) {
        (Ok(is_same), Ok(())) => Ok(report(migration.passes, args.to, is_same)),
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
    candidate: Candidate,
    (claim, storage): (Claim<'_>, &Held),
    is_up: bool,
) -> Result<(), Failure> {
    let Context { layout, printer, .. } = migration.context;
    let trial = is_up.then(|| Trial::choose(layout, mem::take(&mut migration.tags)));
    printer.say("both sides are the same; the registry is started on the target");
    let check = || Ok(trial.map(|trial| trial.run(layout)).transpose()?.flatten());
    let switched = candidate.switch(layout, claim, storage, (&Supervised(layout), check));
    migration.passes.pulled = switched.map_err(Failure::Switch)?;
    migration.passes.switched = true;
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

/// Refuses to empty a target by an empty source.
fn worth_deleting(plan: &Pass) -> Result<(), Failure> {
    let (source, target) = plan.objects();
    if source > 0 && source >= target.div_ceil(2) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--delete: the source has {source} objects and the target {target}: it looks as if they had changed places; --force \
         does it all the same"
    )))
}

/// What the registry runs on.
fn rendered(layout: &Layout) -> Result<Registry, Failure> {
    let environment: Vec<_> = Services::load(layout)?.registry.environment.into_iter().collect();
    let parsed = Config::load(&layout.config_yml(), &environment);
    let parsed = parsed.map_err(|error| crate::supervise::Error::Config(Box::new(error)))?;
    Ok(parsed.config)
}
