//! `regctl verify`: reads the whole storage, says what is wrong with it, and repairs what can be without a loss.

use std::{
    convert::Infallible, ffi::OsString, num::NonZeroU64, os::unix::net::UnixStream, process,
};

use clap::builder::RangedU64ValueParser;
use registry::verify;

use super::{
    Context,
    internal::AS_REGISTRY,
    services::TheRegistry,
    verification::Order,
    waiting::{self, Waiting},
};
use crate::{
    collect::{self, Mode},
    config,
    exit::Failure,
    output::{Format, Report, Verdict, Volume},
    reconfigure::Candidate,
    state::{Lock, Services, lock::Held},
    sys::{
        signals::Signals,
        socket,
        worker::{self, Ended, Error as WorkerError, Passed},
    },
};

const COMMAND: &str = "verify";

/// Read the whole storage and say what is wrong with it
///
/// Every blob is hashed, every link followed, and every tag looked at as if it were pulled, with all that it needs, while the
/// registry serves and is pushed to. What is found is looked at once more before it is told. Exit 5: something is wrong.
///
/// With --repair the registry removes links to blobs that are not there and that no manifest needs, makes missing folders and entries of
/// tags' histories, and links to blobs that manifests of the same repository prove; blobs that are not what their names say are moved to a
/// quarantine for 30 days, so that a push brings them back. Nothing that can be reached is deleted. Each repair is made only if it is still
/// right when the registry looks again. Where no registry runs, the command does the same itself. Exit 0: nothing is wrong
/// any more; exit 5: something still is.
///
/// It may be interrupted or killed at any time, and run again: blobs that were hashed are not read again. Collections, cleanups and
/// migrations wait until it has ended; exit 75: one of them is at work.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl verify
  regctl verify --repair
  regctl verify --sample 5% --max-rate 50MB
  regctl verify --json | jq '.repositories[] | select(.broken_tags != [])'")]
pub(crate) struct Args {
    /// Repair what can be repaired without a loss
    #[arg(long)]
    repair: bool,
    /// Hash only so many of the blobs, others each time; links, tags and manifests are all looked at
    #[arg(long, value_name = "N%", value_parser = percent)]
    sample: Option<f64>,
    /// Blobs that are read at once
    #[arg(long, value_name = "N", default_value_t = verify::AT_ONCE as u64,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=verify::MOST_AT_ONCE as u64))]
    concurrency: u64,
    /// Read at most so much in a second, such as 50MB
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    max_rate: Option<NonZeroU64>,
    /// Hash again what a run has hashed that was cut off
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    waiting: Waiting,
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = config::values::size(text).and_then(NonZeroU64::new);
    rate.ok_or_else(|| "must be a size, such as \"50MB\" or \"20MiB\"".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= 100.0);
    number.ok_or_else(|| "must be a part of a hundred, such as \"5%\" or \"0.5%\"".to_owned())
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = context;
    let path = layout.instance_toml();
    if !config::load::load(&path)?.instance.registry.enable {
        return Err(Failure::Disabled(path));
    }
    let claim = args.waiting.claim(COMMAND);
    let waits = waiting::announce(*printer);
    let storage = Lock::Storage.acquire(layout, COMMAND, claim.patience, waits)?;
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let registry = TheRegistry { layout, claim, printer: *printer, signals };
    for hold in &collect::bring_back(layout, &storage, &registry)? {
        printer.say(format!("brought back what the {} hold of {hold} left", hold.kind));
    }
    let same = |text: &str| Ok::<_, Infallible>(text.to_owned());
    let Ok(as_it_is) = Candidate::of(layout, same).map_err(Failure::Switch)?;
    let made = as_it_is.make_folder(layout, layout.verification_folder(), claim);
    made.map_err(Failure::Switch)?;
    if !args.repair {
        return work(args, context, (&storage, signals), false);
    }
    let paused = collect::pause(layout, Mode::Online, (COMMAND, "a repair"), &registry)?;
    let worked = work(args, context, (&storage, signals), paused.was_running());
    let back = paused.end(layout, &registry);
    let report = worked?;
    back?;
    Ok(report)
}

/// Has the work done, and said, in a process of its own.
fn work(
    args: &Args,
    context: &Context,
    (storage, signals): (&Held, Signals),
    is_served: bool,
) -> Result<Report, Failure> {
    let layout = &context.layout;
    let registry = is_served.then(|| socket::connect(&layout.registry_socket()));
    let registry = registry.transpose().map_err(WorkerError::Registry)?;
    let order = Order {
        repair: args.repair,
        beside: is_served,
        percent: args.sample,
        restart: args.restart,
        at_once: usize::try_from(args.concurrency).unwrap_or(verify::AT_ONCE),
        bytes_a_second: args.max_rate,
        state: layout.verification().join("state"),
    };
    let order = serde_json::to_string(&order).expect("an order is made of texts and numbers");
    // Nothing is told on it.
    let (told, _heard) = UnixStream::pair().map_err(WorkerError::Start)?;
    let passed = Passed { lock: storage.share()?, told, registry };
    let environment = Services::load(layout)?.registry.environment;
    match worker::work_on(signals, words(context), environment, Some(passed), Some(order))? {
        Ended::Code(0) => Ok(Report::silent()),
        Ended::Code(5) => Ok(Report::silent_with(Verdict::Findings)),
        ended => Err(Failure::Worker(ended)),
    }
}

fn words(context: &Context) -> Vec<OsString> {
    let Context { layout, printer, .. } = context;
    let mut words: Vec<OsString> = vec![AS_REGISTRY.into(), "--root".into(), layout.root().into()];
    words.extend(["--parent".into(), process::id().to_string().into()]);
    words.extend(["registry".into(), "verify".into(), layout.config_yml().into()]);
    words.extend((printer.format() == Format::Json).then(|| "--json".into()));
    words.extend((printer.volume() == Volume::Quiet).then(|| "--quiet".into()));
    words
}
