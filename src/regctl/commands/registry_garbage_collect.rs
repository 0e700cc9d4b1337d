//! `regctl registry-garbage-collect`: collects the instance's storage, and brings the registry back to what it was.

use std::{ffi::OsString, path::PathBuf, process, time::Duration};

use registry::{Config, collect::RunId};

use super::{
    Context,
    internal::AS_REGISTRY,
    services::TheRegistry,
    waiting::{self, Waiting},
};
use crate::{
    collect::{self, Mode},
    config::load,
    exit::Failure,
    output::{Format, Report, Verdict, Volume},
    state::{Layout, Lock, Services, lock::Held},
    supervise::Error as ServeError,
    sys::{
        signals::Signals,
        worker::{self, Ended},
    },
};

const COMMAND: &str = "registry-garbage-collect";

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
    /// The registry must have been up for an hour: before, it does not know what its predecessor has promised.
    #[arg(long, conflicts_with = "dry_run")]
    online: bool,
    /// Move what goes to a quarantine that is emptied by the first run after this time
    #[arg(long, value_name = "AGE", value_parser = waiting::duration)]
    quarantine: Option<Duration>,
    /// Bring back what a run has put into quarantine
    #[arg(long, value_name = "RUN", conflicts_with_all = ["delete_untagged", "dry_run", "quarantine", "online", "prune_empty_repositories"])]
    undo: Option<RunId>,
    /// Remove repositories that have neither tags nor manifests any more, whole or not at all
    #[arg(long, conflicts_with = "online")]
    prune_empty_repositories: bool,
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

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let signals = Signals::block().map_err(Failure::Input)?;
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
    if args.dry_run {
        let words = words(&args, &config, context, (None, settings.grace));
        return ended(worker::work(signals, words, environment(layout)?, None)?);
    }
    let claim = args.waiting.claim(COMMAND);
    let lock =
        || Lock::Storage.acquire(layout, COMMAND, claim.patience, waiting::announce(*printer));
    let registry = TheRegistry { layout, claim, printer: *printer };
    let (storage, left) = collect::bring_back(layout, lock()?, lock, &registry)?;
    for hold in &left {
        printer.say(format!("brought back what the {} hold of {hold} left", hold.kind));
    }
    let reason = "a garbage collection";
    let paused = collect::pause(layout, mode, (COMMAND, reason), &registry)?;
    let served = paused.was_running().then_some(mode);
    let words = words(&args, &config, context, (served, settings.grace));
    let worked = work(signals, words, layout, &storage);
    // Whatever came of it.
    let back = paused.end(layout, Some(storage), &registry);
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

fn work(
    signals: Signals,
    words: Vec<OsString>,
    layout: &Layout,
    storage: &Held,
) -> Result<Ended, Failure> {
    Ok(worker::work(signals, words, environment(layout)?, Some(storage.share()?))?)
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
    if other.to_string() == storage.to_string() {
        return Ok(named.clone());
    }
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
    let mut flag = |is_set: bool, word: &str| words.extend(is_set.then(|| word.into()));
    flag(args.delete_untagged, "--delete-untagged");
    flag(args.dry_run, "--dry-run");
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
        Some(Mode::ReadOnly) => words.push("--shared".into()),
        Some(Mode::Online) => words.extend(["--beside".into(), layout.registry_socket().into()]),
    }
    if args.undo.is_none() && matches!(served, Some(Mode::ReadOnly | Mode::Online)) {
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
