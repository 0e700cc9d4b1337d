//! `regctl registry garbage-collect`: collects the storage of a config.yml that nobody serves.

use std::{
    cell::RefCell,
    fmt,
    io::{ErrorKind, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use registry::{
    Config,
    collect::{
        self, Access, Beside, Disposal, Empty, Linked, Options, Plan, RunId, Store, Swept, Untagged,
    },
    quota::{Count, Fill},
};
use serde::Serialize;

use super::{
    Context,
    collection::{self, Collected},
    remembered, waiting,
};
use crate::{
    exit::Failure,
    output::{Document, Printer, Progress, Report, Verdict},
    sys::{
        runtime::{self, Ending, StopSignals},
        worker,
    },
};

/// Remove from a storage what nothing in it needs
///
/// The registry that serves it must be stopped: this refuses (75) while a registry of regctl's has the storage open, but cannot see
/// others. Blobs that no manifest refers to go; with -m also manifests that no tag leads to, neither directly, nor by an
/// index, nor as a referrer. Whatever cannot be read or understood is kept with all that may depend on it, and the exit code is 5.
///
/// It may be interrupted at any time: what is left is a whole registry, and the next run does the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl registry garbage-collect --dry-run /etc/docker/registry/config.yml
  regctl registry garbage-collect -m /etc/docker/registry/config.yml
  regctl registry garbage-collect -m --quarantine 7d config.yml
  regctl registry garbage-collect --undo 20261123T015500Z-0a1b2c3d config.yml")]
pub(crate) struct Args {
    #[arg(help = "The registry's config.yml [env: REGISTRY_CONFIGURATION_PATH]")]
    pub(super) config: Option<PathBuf>,
    /// Remove manifests that no tag leads to
    #[arg(long, short = 'm', alias = "delete-manifests")]
    delete_untagged: bool,
    /// Say what would go, and why; change nothing. The registry may run
    #[arg(long, short)]
    dry_run: bool,
    /// Move what goes to a quarantine that is emptied by the first run after this time
    #[arg(long, value_name = "AGE", value_parser = waiting::duration)]
    quarantine: Option<Duration>,
    /// Bring back what a run has put into quarantine
    #[arg(long, value_name = "RUN", conflicts_with_all = ["delete_untagged", "dry_run", "quarantine", "prune_empty_repositories"])]
    undo: Option<RunId>,
    /// Remove repositories that have neither tags nor manifests any more, whole or not at all
    #[arg(long)]
    prune_empty_repositories: bool,
    /// The storage is served by a registry that is read-only
    #[arg(long, hide = true)]
    shared: bool,
    /// The storage is served by the registry to which a connection was passed on
    #[arg(long, hide = true)]
    beside: bool,
    /// Only see whether it could work at all
    #[arg(long, hide = true)]
    check: bool,
    /// Where the instance remembers what manifests refer to
    #[arg(long, hide = true)]
    references: Option<PathBuf>,
    /// Who started this wants to hear of each deletion
    #[arg(long, hide = true)]
    told: bool,
    /// What is younger stays
    #[arg(long, hide = true, value_name = "AGE", value_parser = waiting::duration)]
    grace: Option<Duration>,
}

/// What came back.
#[derive(Debug, Serialize)]
struct Undone {
    run: String,
    restored: u64,
    /// What was there by then, and stays in the quarantine.
    kept: Vec<String>,
}

pub(super) fn run(args: &Args, config: &Config, context: &Context) -> Result<Report, Failure> {
    let work = async {
        if args.check {
            return check(args, config).await;
        }
        match &args.undo {
            Some(run) => undo(config, run, access(args), context.printer).await,
            None => collect(args, config, context.printer).await,
        }
    };
    runtime::block_on(work).map_err(Failure::Input)?
}

/// Fails as the work itself would, and changes nothing.
async fn check(args: &Args, config: &Config) -> Result<Report, Failure> {
    let store = Store::open(&config.storage.driver, Access::Look).await?;
    if let Some(run) = &args.undo {
        store.has_quarantine(run).await?;
    }
    Ok(Report::silent())
}

async fn collect(args: &Args, config: &Config, printer: Printer) -> Result<Report, Failure> {
    let driver = &config.storage.driver;
    let store = if args.beside && !args.dry_run {
        let registry = worker::registry().map_err(Failure::Input)?;
        Store::open_beside(driver, registry, args.grace.unwrap_or_default()).await?
    } else {
        Store::open(driver, access(args)).await?
    };
    printer.say(format!("collecting {driver}"));
    let work = Work::default();
    if !args.dry_run {
        leave_at_a_signal(&work, &store, printer)?;
    }
    let removed = remove(args, config, printer, (&store, &work)).await;
    store.close().await;
    let Removed { plan, swept, run, quotas } = removed?;
    let mut collected = Collected::of(&plan, swept.as_ref());
    (collected.run, collected.quotas) = (run.map(|run| run.to_string()), quotas);
    collected.print(&plan, printer)
}

/// What a signal finds under way.
#[derive(Debug, Default)]
struct Work {
    ending: Arc<Ending>,
    /// Whether something has changed, or may have.
    has_begun: Arc<AtomicBool>,
}

impl Work {
    /// From now on something changes.
    fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }
}

/// Has a signal end this process, with the store given back.
fn leave_at_a_signal(work: &Work, store: &Store, printer: Printer) -> Result<(), Failure> {
    let (store, has_begun) = (store.clone(), Arc::clone(&work.has_begun));
    let signals = StopSignals::watch().map_err(Failure::Input)?;
    let waits = move || printer.say("told to stop: ends what is in hand");
    signals.end(Arc::clone(&work.ending), waits, async move {
        store.close().await;
        let stopped = match has_begun.load(Ordering::Relaxed) {
            false => collect::Error::Stopped,
            true => collect::Error::StoppedWithin,
        };
        printer.error(Failure::from(stopped), None);
    });
    Ok(())
}

/// What came of it.
struct Removed {
    plan: Plan,
    /// None after a dry run.
    swept: Option<Swept>,
    /// The quarantine.
    run: Option<RunId>,
    quotas: Vec<Fill>,
}

/// Plans, and removes what is planned unless this is a dry run.
async fn remove(
    args: &Args,
    config: &Config,
    printer: Printer,
    (store, work): (&Store, &Work),
) -> Result<Removed, Failure> {
    let mut progress = Progress::new(printer);
    let count = Count::begin(config.quotas.as_ref().filter(|_| !args.dry_run));
    let linked = RefCell::new(Linked::default());
    let mut told = args.told.then(worker::listener).transpose().map_err(Failure::Input)?;
    let mut watch = |news| match news {
        collect::Progress::Begun(phase, total) => progress.begin(phase.as_str(), total),
        collect::Progress::Advanced(count) => progress.advance(count),
        collect::Progress::Gone(item) => {
            // Who listened may be gone; so will be this process, in a moment.
            let _ = told.as_mut().map(|told| writeln!(told, "removed {item}"));
            linked.borrow_mut().remove(&item);
        }
    };
    let mut plan = store.plan(&options(args, config), &|_| false, &mut watch).await?;
    if printer.is_read() {
        print(printer, &plan)?;
    }
    if args.dry_run {
        progress.end();
        return Ok(Removed { plan, swept: None, run: None, quotas: Vec::new() });
    }
    linked.replace(plan.take_linked());
    let (swept, run) = sweep(args, printer, (store, &plan), (work, &mut watch)).await?;
    progress.end();
    let quotas = match count.is_empty() {
        true => Vec::new(),
        false => store.end_count(count, &linked.take()).await,
    };
    Ok(Removed { plan, swept: Some(swept), run, quotas })
}

/// Removes what is planned, or puts it into a quarantine.
async fn sweep(
    args: &Args,
    printer: Printer,
    (store, plan): (&Store, &Plan),
    (work, watch): (&Work, &mut dyn FnMut(collect::Progress)),
) -> Result<(Swept, Option<RunId>), Failure> {
    work.begin();
    let expired = store.expire().await?;
    for run in expired.emptied {
        printer.say(format!("emptied the quarantine `{run}`, whose time was over"));
    }
    for run in expired.unreadable {
        printer.warn(format!(
            "the quarantine `{run}` stays: nobody can read until when it should; \
             `--undo {run}` brings back what is in it"
        ));
    }
    let run = match args.quarantine.filter(|_| !plan.is_empty()) {
        Some(age) => Some(store.quarantine(age).await?),
        None => None,
    };
    let disposal = run.clone().map_or(Disposal::Delete, Disposal::Quarantine);
    let Work { ending, .. } = work;
    let swept = ending.guarded(store.sweep(plan, &disposal, ending.asked(), watch)).await?;
    Ok((swept, run))
}

fn access(args: &Args) -> Access {
    match args {
        Args { dry_run: true, .. } => Access::Look,
        Args { shared: true, .. } => Access::Shared,
        Args { .. } => Access::Alone,
    }
}

fn options(args: &Args, config: &Config) -> Options {
    Options {
        untagged: if args.delete_untagged { Untagged::Remove } else { Untagged::Keep },
        empty: if args.prune_empty_repositories { Empty::Remove } else { Empty::Keep },
        beside: if args.beside { Beside::Registry } else { Beside::Nobody },
        grace: args.grace,
        cache: remembered::references(config, args.references.as_ref()),
        quotas: config.quotas.iter().flat_map(|quotas| quotas.limits.clone()).collect(),
    }
}

/// Lists what goes, as it comes: there may be a million of it.
fn print(printer: Printer, plan: &Plan) -> Result<(), Failure> {
    let mut lines = String::new();
    let mut written = Ok(());
    collection::list(plan, |line| {
        lines.push_str(line);
        lines.push('\n');
        if lines.len() > 64 * 1024 && written.is_ok() {
            written = printer.stream(lines.as_bytes());
            lines.clear();
        }
    });
    match written.and_then(|()| printer.stream(lines.as_bytes())) {
        // Whoever read it has seen enough; the work goes on.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Output),
    }
}

async fn undo(
    config: &Config,
    run: &RunId,
    access: Access,
    printer: Printer,
) -> Result<Report, Failure> {
    let store = Store::open(&config.storage.driver, access).await?;
    let work = Work::default();
    leave_at_a_signal(&work, &store, printer)?;
    work.begin();
    let restored = store.undo(run).await;
    store.close().await;
    let restored = restored?;
    let verdict = if restored.kept.is_empty() { Verdict::Good } else { Verdict::Findings };
    let undone = Undone { run: run.to_string(), restored: restored.objects, kept: restored.kept };
    Ok(Report::of(&undone, verdict))
}

impl Document for Undone {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.kept {
            writeln!(f, "`{path}` is there by now, and stays as it is")?;
        }
        writeln!(f, "{}: {} objects are back", self.run, self.restored)
    }
}
