//! `regctl registry garbage-collect`: collects the storage of a config.yml that nobody serves.

use std::{
    cell::RefCell,
    fmt,
    io::{ErrorKind, Write as _},
    path::PathBuf,
    time::Duration,
};

use registry::{
    Config,
    collect::{self, Access, Beside, Disposal, Empty, Linked, Options, RunId, Store, Untagged},
    quota::Count,
};
use serde::Serialize;

use super::{
    Context,
    collection::{self, Collected},
    waiting,
};
use crate::{
    exit::Failure,
    output::{Document, Printer, Progress, Report, Verdict},
    sys::{runtime, worker},
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
            Some(run) => undo(config, run, access(args)).await,
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
    let collected = carry_out(args, config, printer, &store).await;
    store.close().await;
    collected
}

async fn carry_out(
    args: &Args,
    config: &Config,
    printer: Printer,
    store: &Store,
) -> Result<Report, Failure> {
    printer.say(format!("collecting {}", config.storage.driver));
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
        return Collected::of(&plan, None).print(&plan, printer);
    }
    linked.replace(plan.take_linked());
    let mut collected = sweep(args, printer, (store, &plan), &mut watch).await?;
    progress.end();
    if !count.is_empty() {
        collected.quotas = store.end_count(count, &linked.take()).await;
    }
    collected.print(&plan, printer)
}

/// Removes what is planned, or puts it into a quarantine.
async fn sweep(
    args: &Args,
    printer: Printer,
    (store, plan): (&Store, &collect::Plan),
    watch: &mut dyn FnMut(collect::Progress),
) -> Result<Collected, Failure> {
    for run in store.expire().await?.emptied {
        printer.say(format!("emptied the quarantine `{run}`, whose time was over"));
    }
    let run = match args.quarantine.filter(|_| !plan.is_empty()) {
        Some(age) => Some(store.quarantine(age).await?),
        None => None,
    };
    let disposal = run.clone().map_or(Disposal::Delete, Disposal::Quarantine);
    let swept = store.sweep(plan, &disposal, watch).await?;
    let mut collected = Collected::of(plan, Some(&swept));
    collected.run = run.map(|run| run.to_string());
    Ok(collected)
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
        cache: config.storage.folder().map(collect::cache_in),
        quotas: config.quotas.iter().flat_map(|quotas| quotas.limits.clone()).collect(),
    }
}

/// Lists what goes, as it comes: there may be a million of it.
fn print(printer: Printer, plan: &collect::Plan) -> Result<(), Failure> {
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

async fn undo(config: &Config, run: &RunId, access: Access) -> Result<Report, Failure> {
    let store = Store::open(&config.storage.driver, access).await?;
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
