//! `regctl registry-garbage-collect`: collects the instance's storage, and brings the registry back to what it was.

use std::{
    ffi::OsString, io, io::Write as _, os::unix::net::UnixStream, path::PathBuf, process, thread,
    time::Duration,
};

use registry::{Config, collect::RunId, migrate::are_apart};

use super::{
    Context,
    internal::AS_REGISTRY,
    services::TheRegistry,
    waiting::{self, Waiting},
};
use crate::{
    collect::{self, Mode, Outcome, Record},
    config::load,
    exit::Failure,
    output::{Format, Report, Verdict, Volume},
    state::{Layout, Lock, LogPolicy, Services, lock::Held},
    supervise::{self, Error as ServeError},
    sys::{
        signals::Signals,
        socket,
        worker::{self, Ended, Error as WorkerError, Passed},
    },
};

const COMMAND: &str = "registry-garbage-collect";

/// The log of what was removed.
const LOG: &str = "garbage-collect";

/// Remove from the registry's storage what nothing in it needs
///
/// Blobs that no manifest refers to go; with -m also manifests that no tag leads to, neither directly, nor by an index, nor
/// as a referrer. The registry is stopped for it, and started again if it ran; --read-only and --online leave it up.
///
/// What cannot be read or understood is kept with all that may depend on it, and the exit code is 5. It may be interrupted
/// at any time: what is left is a whole registry, the registry comes back to what it was, and the next run does the rest.
/// When this command is killed, the next one brings the registry back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl registry-garbage-collect --dry-run      say what would go; stops nothing
  regctl registry-garbage-collect                as gitlab-ctl does: stop, collect, start
  regctl registry-garbage-collect -m --read-only pulls go on, pushes are refused meanwhile
  regctl registry-garbage-collect -m --online    pulls and pushes go on
  regctl registry-garbage-collect -m --quarantine 7d
  regctl registry-garbage-collect --undo 20261123T015500Z-0a1b2c3d")]
pub(crate) struct Args {
    /// Another config.yml, with the same storage [default: the instance's]
    config: Option<PathBuf>,
    /// Remove manifests that no tag leads to
    #[arg(long, short = 'm', alias = "delete-manifests")]
    delete_untagged: bool,
    /// Say what would go, and why; change nothing and stop nothing
    #[arg(long, short)]
    dry_run: bool,
    /// Stop the registry meanwhile, whatever `garbage_collect.mode` says
    #[arg(long, conflicts_with_all = ["read_only", "online", "dry_run"])]
    stop: bool,
    /// Leave the registry up, read-only meanwhile; what is younger than 24 h stays
    #[arg(long, conflicts_with_all = ["online", "dry_run"])]
    read_only: bool,
    /// Leave the registry up for pulls and pushes; what is younger than 24 h stays, and what it has promised to clients
    ///
    /// The registry must have been up for an hour: before, it does not know what its predecessor has promised. Lists of
    /// referrers whose subject is gone, and empty repositories, are left to a run that is not --online. Another program's
    /// registry on the same storage ends the run if it is seen: it shows while it receives an upload, and not otherwise. A
    /// bucket must be served by no other registry that takes pushes.
    #[arg(long, conflicts_with = "dry_run")]
    online: bool,
    /// Move what goes to a quarantine that is emptied by the first run after this time
    #[arg(long, value_name = "AGE", value_parser = waiting::duration)]
    quarantine: Option<Duration>,
    /// Bring back what a run has put into quarantine
    #[arg(long, value_name = "RUN", conflicts_with_all = ["delete_untagged", "dry_run", "quarantine", "online", "prune_empty_repositories"])]
    undo: Option<RunId>,
    /// Remove repositories that have neither tags nor manifests any more, whole or not at all; not with --online
    #[arg(long, conflicts_with = "online")]
    prune_empty_repositories: bool,
    /// What is younger stays
    #[arg(long, hide = true, value_name = "AGE", value_parser = waiting::duration)]
    grace: Option<Duration>,
    #[command(flatten)]
    waiting: Waiting,
}

impl Args {
    /// How the registry is meanwhile; `default` is what the setting says.
    fn mode(&self, default: &str) -> Mode {
        match (self.stop, self.read_only, self.online) {
            (true, _, _) => Mode::Stop,
            (_, true, _) => Mode::ReadOnly,
            (_, _, true) => Mode::Online,
            // What comes back, and repositories that go, are not a registry's that takes pushes.
            _ if default == "online" && (self.undo.is_some() || self.prune_empty_repositories) => {
                Mode::ReadOnly
            }
            _ => match default {
                "read-only" => Mode::ReadOnly,
                "online" => Mode::Online,
                _ => Mode::Stop,
            },
        }
    }
}

impl Args {
    /// Why the registry is not left as the setting says.
    fn instead(&self, default: &str, mode: Mode) -> Option<String> {
        if self.stop
            || self.read_only
            || self.dry_run
            || default != "online"
            || mode == Mode::Online
        {
            return None;
        }
        let what = if self.undo.is_some() { "--undo" } else { "--prune-empty-repositories" };
        Some(format!(
            "{what} is not for a registry that takes pushes: it is read-only meanwhile, whatever `garbage_collect.mode` says"
        ))
    }
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = context;
    let instance = load::load(&layout.instance_toml())?.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(layout.instance_toml()));
    }
    let config = config(args.config.as_ref(), layout)?;
    let settings = &instance.collection;
    let quarantine = args.quarantine.or(settings.quarantine).filter(|_| args.undo.is_none());
    let args = Args { quarantine, ..args };
    let mode = args.mode(&settings.mode);
    if let Some(why) = args.instead(&settings.mode, mode) {
        printer.say(why);
    }
    if args.dry_run {
        let words = words(&args, &config, context, (None, settings.grace));
        let signals = Signals::block().map_err(WorkerError::Wait)?;
        return ended(worker::work(signals, words, environment(layout)?, None)?);
    }
    let claim = args.waiting.claim(COMMAND);
    let waits = waiting::announce(*printer);
    let storage = Lock::Storage.acquire(layout, COMMAND, claim.patience, waits)?;
    // Whoever waits for another command may be sent away; from here on a signal is heard when it does no harm.
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let registry = TheRegistry { layout, claim, printer: *printer, signals };
    let left = collect::bring_back(layout, &storage, &registry)?;
    for hold in &left {
        printer.say(format!("brought back what the {} hold of {hold} left", hold.kind));
    }
    // What cannot work stops nothing.
    let mut could = words(&args, &config, context, (None, settings.grace));
    could.push("--check".into());
    match worker::work(signals, could, environment(layout)?, None)? {
        Ended::Code(0) => {}
        refused => return ended(refused),
    }
    let reason = "a garbage collection";
    let paused = collect::pause(layout, mode, (COMMAND, reason), &registry)?;
    let served = paused.was_running().then_some(mode);
    let words = words(&args, &config, context, (served, settings.grace));
    let record = Record::begin(layout);
    let worked = match &record {
        Ok(_) => work(signals, words, context, (&storage, served)),
        Err(_) => Ok(Ended::Code(1)),
    };
    // Whatever came of it.
    let back = paused.end(layout, &registry);
    note(record?, &worked, context);
    match (worked, back) {
        (Ok(worked), Ok(())) => ended(worked),
        (Err(failure), Ok(())) => Err(failure),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(failure), Err(error)) => {
            printer.error(Failure::from(error), None);
            Err(failure)
        }
    }
}

/// Has the work done, and writes to its log what it removes.
fn work(
    signals: Signals,
    words: Vec<OsString>,
    context: &Context,
    (storage, served): (&Held, Option<Mode>),
) -> Result<Ended, Failure> {
    let Context { layout, printer, .. } = context;
    let registry =
        (served == Some(Mode::Online)).then(|| socket::connect(&layout.registry_socket()));
    let registry = registry.transpose().map_err(WorkerError::Registry)?;
    let environment = environment(layout)?;
    let policy = Services::load(layout)?.registry.log;
    let (told, heard) = UnixStream::pair().map_err(WorkerError::Start)?;
    let folder = layout.log(LOG);
    let log = thread::spawn(move || {
        supervise::keep_log(&folder, LogPolicy { timestamps: true, ..policy }, heard)
    });
    let mut diary = told.try_clone().map_err(WorkerError::Start)?;
    // What cannot be written is said below.
    let _ = writeln!(diary, "a collection begins");
    let passed = Passed { lock: storage.share()?, told, registry };
    let ended = worker::work(signals, words, environment, Some(passed));
    let _ = match &ended {
        Ok(ended) => writeln!(diary, "the collection has ended: {ended}"),
        Err(error) => writeln!(diary, "the collection has not begun: {error}"),
    };
    drop(diary);
    let lost = log.join().map_err(|_| WorkerError::Wait(io::Error::other("the log has ended")))?;
    if let Some(error) = lost {
        printer.warn(format!("the log of what was removed has gaps: {error}: {}", error.source));
    }
    Ok(ended?)
}

/// Notes what came of it for whoever asks later.
fn note(record: Record, worked: &Result<Ended, Failure>, context: &Context) {
    let (outcome, problem) = match worked {
        Ok(Ended::Code(0)) => (Outcome::Done, None),
        Ok(Ended::Code(5)) => (Outcome::KeptForDoubt, None),
        Ok(ended) => (Outcome::Failed, Some(ended.to_string())),
        Err(failure) => (Outcome::Failed, Some(failure.to_string())),
    };
    if let Err(error) = record.end(&context.layout, outcome, problem) {
        context.printer.warn(format!("what came of it was not noted: {error}"));
    }
}

/// The config.yml: the instance's, or another one with the same storage.
fn config(named: Option<&PathBuf>, layout: &Layout) -> Result<PathBuf, Failure> {
    let own = layout.config_yml();
    let environment: Vec<_> = environment(layout)?.into_iter().collect();
    let read = |path: &PathBuf| {
        let parsed = Config::load(path, &environment);
        parsed.map_err(|error| Failure::from(ServeError::Config(Box::new(error))))
    };
    let storage = read(&own)?.config.storage.driver;
    let Some(named) = named.filter(|named| **named != own) else { return Ok(own) };
    let other = read(named)?.config.storage.driver;
    // Two buckets of one name are called the same.
    if other.to_string() == storage.to_string() && !are_apart(&other, &storage) {
        return Ok(named.clone());
    }
    let (other, storage) = (other.place(), storage.place());
    Err(Failure::Usage(format!(
        "`{named}` has the storage {other}, and the registry of this instance {storage}: stop whoever serves that one, \
         and use `regctl registry garbage-collect {named}`",
        named = named.display()
    )))
}

fn environment(layout: &Layout) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    Ok(Services::load(layout)?.registry.environment)
}

/// The command line of the process that does the work; `served` is how the registry is meanwhile, if it is there.
fn words(
    args: &Args,
    config: &std::path::Path,
    context: &Context,
    (served, grace): (Option<Mode>, Duration),
) -> Vec<OsString> {
    let Context { layout, printer, .. } = context;
    let mut words: Vec<OsString> = vec![AS_REGISTRY.into(), "--root".into(), layout.root().into()];
    words.extend(["--parent".into(), process::id().to_string().into()]);
    words.extend(["registry".into(), "garbage-collect".into(), config.into()]);
    words.extend(["--references".into(), layout.references().into()]);
    let mut flag = |is_set: bool, word: &str| words.extend(is_set.then(|| word.into()));
    flag(args.delete_untagged, "--delete-untagged");
    flag(args.dry_run, "--dry-run");
    flag(!args.dry_run, "--told");
    flag(args.prune_empty_repositories, "--prune-empty-repositories");
    flag(printer.format() == Format::Json, "--json");
    flag(printer.volume() == Volume::Quiet, "--quiet");
    if let Some(age) = args.quarantine {
        words.extend(["--quarantine".into(), format!("{}s", age.as_secs()).into()]);
    }
    if let Some(run) = &args.undo {
        words.extend(["--undo".into(), run.to_string().into()]);
    }
    match served {
        None | Some(Mode::Stop) => {}
        Some(Mode::ReadOnly | Mode::Brief) => words.push("--shared".into()),
        Some(Mode::Online) => words.push("--beside".into()),
    }
    let beside = matches!(served, Some(Mode::ReadOnly | Mode::Online)).then_some(grace);
    if let Some(grace) = args.grace.or(beside).filter(|_| args.undo.is_none()) {
        words.extend(["--grace".into(), format!("{}s", grace.as_secs()).into()]);
    }
    words
}

/// What the process has said is said; what is left is how it ended.
fn ended(ended: Ended) -> Result<Report, Failure> {
    match ended {
        Ended::Code(0) => Ok(Report::silent()),
        Ended::Code(1) => Ok(Report::silent_with(Verdict::NotDone)),
        Ended::Code(5) => Ok(Report::silent_with(Verdict::Findings)),
        ended => Err(Failure::Worker(ended)),
    }
}
