//! `regctl registry cleanup-tags`: what `cleanup-policy` has done on the storage, in a process of the registry's user.
//!
//! Nobody types it: what is to be done comes on stdin, and who started it is told what happens.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use registry::{
    Config,
    changes::{Act, Change, Changed, Changer, Error as ChangesError},
    collect::{
        self, Access, Error as CollectError, Inventory, Remembered, Store, TaggedRepository,
    },
    config::ImmutableTags,
};
use time::OffsetDateTime;

use super::{
    Context,
    cleaned::{Cleaned, RepositoryReport, Restored},
    remembered,
};
use crate::{
    cleanup::{Counts, Decision, Gone, Order, Told, Work, applying, decide},
    config::policy::{Glob, Policy},
    exit::Failure,
    output::{Printer, Progress, Report},
    sys::{
        runtime::{self, Ending, StopSignals},
        stdin, worker,
    },
};

/// Change tags as the command says that has started this
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(help = "The registry's config.yml")]
    pub(super) config: Option<PathBuf>,
    /// Say what would go; change nothing
    #[arg(long)]
    dry_run: bool,
    /// The same, and how many bytes a collection would free then
    #[arg(long)]
    forecast: bool,
    /// As comma-separated values
    #[arg(long)]
    csv: bool,
    /// The storage is served by the registry to which a connection was passed on
    #[arg(long)]
    beside: bool,
    /// Where the instance remembers what manifests refer to
    #[arg(long)]
    references: Option<PathBuf>,
}

/// Tags that are told of at once, and written down by who has started this.
const BATCH: usize = Changer::BATCH;

/// Failures that are listed.
const FAILURES_MAX: usize = 100;

pub(super) fn run(args: &Args, config: &Config, context: &Context) -> Result<Report, Failure> {
    let text = stdin::text().map_err(Failure::Input)?;
    let order: Order =
        serde_json::from_str(&text).map_err(|error| Failure::Input(io::Error::other(error)))?;
    let line = if args.dry_run { None } else { worker::line().map_err(Failure::Input)? };
    let mut starter = Starter(line.map(BufReader::new));
    let printer = context.printer;
    let work = async {
        let ending = Arc::new(Ending::default());
        if !args.dry_run {
            let waits = move || printer.say("told to stop: ends what is in hand");
            let signals = StopSignals::watch().map_err(Failure::Input)?;
            // What is only read is left as it is.
            signals.end(Arc::clone(&ending), waits, async {});
        }
        match order.work {
            Work::Clean { policies, running, only } => {
                let plan = Plan { policies, running, only };
                clean((args, config), &plan, (&mut starter, &ending), printer).await
            }
            Work::Undo { gone } => {
                ending.guarded(undo(args, config, &gone, (&mut starter, ending.asked()))).await
            }
        }
    };
    runtime::block_on(work).map_err(Failure::Input)?
}

/// What decides.
struct Plan {
    policies: Vec<Policy>,
    running: Vec<String>,
    only: Option<Glob>,
}

impl Plan {
    fn runs(&self, policy: &Policy) -> bool {
        self.running.contains(&policy.name)
    }

    /// Whether anything may go from a repository.
    fn is_about(&self, repository: &str) -> bool {
        self.only.as_ref().is_none_or(|glob| glob.matches(repository))
            && applying(&self.policies, repository, |policy| self.runs(policy))
                .iter()
                .any(|applied| applied.runs)
    }

    /// Decides about a repository. Where tags may be that nobody could list, nothing goes.
    fn decide(
        &self,
        immutable: &[ImmutableTags],
        repository: &TaggedRepository,
        now: OffsetDateTime,
    ) -> RepositoryReport {
        let name = repository.name.to_string();
        let applied = applying(&self.policies, &name, |policy| self.runs(policy));
        let decisions = match repository.is_partial {
            true => Vec::new(),
            false => {
                let rule = |tag: &collect::Tag| immutable.iter().find_map(|it| it.rule(&name, tag));
                let rule = |tag: &collect::Tag| rule(tag).map(ToString::to_string);
                decide(&applied, &rule, &repository.tags, now)
            }
        };
        RepositoryReport::of(name, repository.is_partial, decisions)
    }
}

/// Who has started this.
struct Starter(Option<BufReader<UnixStream>>);

impl Starter {
    fn tell(&mut self, told: &Told) -> io::Result<()> {
        let Some(line) = &mut self.0 else { return Ok(()) };
        let text = serde_json::to_string(told).map_err(io::Error::other)?;
        line.get_mut().write_all(format!("{text}\n").as_bytes())
    }

    /// Tells, and waits until it was written down.
    fn announce(&mut self, tags: &[Gone]) -> io::Result<()> {
        self.tell(&Told::Going { tags: tags.to_vec() })?;
        let Some(line) = &mut self.0 else { return Ok(()) };
        let mut answer = String::new();
        match line.read_line(&mut answer)? {
            0 => Err(io::Error::other("what is about to go could not be written down")),
            _ => Ok(()),
        }
    }
}

async fn clean(
    (args, config): (&Args, &Config),
    plan: &Plan,
    (starter, ending): (&mut Starter, &Ending),
    printer: Printer,
) -> Result<Report, Failure> {
    let mut cleaned = Cleaned { dry_run: args.dry_run, ..Cleaned::default() };
    // The registry keeps a connection on which something is asked; this one was opened when the command began.
    let beside = match args.beside && !args.dry_run {
        true => Some(beside().await?),
        false => None,
    };
    let Some((store, inventory)) = read(args, config, plan, printer).await? else {
        starter.tell(&Told::Done { policies: BTreeMap::new() }).map_err(Failure::Input)?;
        return Ok(cleaned.report());
    };
    let now = OffsetDateTime::now_utc();
    let (repositories, immutable) = (inventory.repositories().iter(), &config.immutable_tags);
    let decided = repositories.map(|repository| plan.decide(immutable, repository, now));
    cleaned.repositories = decided.collect();
    if args.dry_run {
        if args.forecast {
            cleaned.freed = Some(store.freed(inventory, &going(&cleaned)).await?);
        }
        return Ok(if args.csv { cleaned.csv() } else { cleaned.report() });
    }
    // Only then is the storage this process's alone, where nobody serves it.
    drop((store, inventory));
    let gone: Vec<Gone> = cleaned.gone().collect();
    if !gone.is_empty() {
        let mut deletion = Deletion { cleaned: &mut cleaned, starter, stop: ending.asked() };
        ending.guarded(deletion.carry_out(beside, config, &gone)).await?;
    }
    let policies = cleaned.by_policy();
    starter.tell(&Told::Done { policies }).map_err(Failure::Input)?;
    Ok(cleaned.report())
}

/// Reads the tags; none where there is no storage yet.
async fn read(
    args: &Args,
    config: &Config,
    plan: &Plan,
    printer: Printer,
) -> Result<Option<(Store, Inventory)>, Failure> {
    let access = if args.beside { Access::Guest } else { Access::Look };
    let store = match Store::open(&config.storage.driver, access).await {
        // Nothing was ever pushed.
        Err(CollectError::Missing(_)) => return Ok(None),
        store => store?,
    };
    let mut progress = Progress::new(printer);
    let mut watch = |news| match news {
        collect::Progress::Begun(phase, total) => progress.begin(phase.as_str(), total),
        collect::Progress::Advanced(count) => progress.advance(count),
        collect::Progress::Gone(_) => {}
    };
    let cache = remembered::references(config, args.references.as_ref());
    let remembered = match &cache {
        None => Remembered::Nothing,
        Some(path) if args.dry_run => Remembered::Read(path),
        Some(path) => Remembered::Kept(path),
    };
    let wanted = |name: &collect::RepositoryName| plan.is_about(name.as_str());
    let inventory = store.tagged(&wanted, remembered, &mut watch).await?;
    progress.end();
    Ok(Some((store, inventory)))
}

fn going(cleaned: &Cleaned) -> HashSet<(collect::RepositoryName, collect::Tag)> {
    let gone = cleaned.gone().filter_map(|gone| gone.change(Act::Delete));
    gone.map(|change| (change.repository, change.tag)).collect()
}

/// The registry that serves the storage.
async fn beside() -> Result<Changer, Failure> {
    Ok(Changer::beside(worker::registry().map_err(Failure::Input)?).await?)
}

/// Tags that go.
struct Deletion<'a> {
    cleaned: &'a mut Cleaned,
    starter: &'a mut Starter,
    stop: &'a AtomicBool,
}

impl Deletion<'_> {
    async fn carry_out(
        &mut self,
        beside: Option<Changer>,
        config: &Config,
        gone: &[Gone],
    ) -> Result<(), Failure> {
        let mut changer = match beside {
            Some(changer) => changer,
            None => Changer::alone(config).await?,
        };
        let came = self.delete(&mut changer, gone).await;
        changer.close().await;
        came
    }

    async fn delete(&mut self, changer: &mut Changer, gone: &[Gone]) -> Result<(), Failure> {
        for (number, batch) in gone.chunks(BATCH).enumerate() {
            go_on(self.stop, (number * BATCH, gone.len()))?;
            self.starter.announce(batch).map_err(Failure::Input)?;
            let changes: Vec<Change> =
                batch.iter().filter_map(|gone| gone.change(Act::Delete)).collect();
            let changed = changer.change(&changes).await?;
            for (tag, changed) in batch.iter().zip(changed) {
                let what = what(&changed);
                self.note(tag, &changed);
                let told = Told::Came { tag: tag.clone(), what };
                self.starter.tell(&told).map_err(Failure::Input)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, tag: &Gone, changed: &Changed) {
        let Self { cleaned, .. } = self;
        match changed {
            Changed::Done | Changed::Vanished => {}
            Changed::Moved | Changed::NoManifest => {
                let (repository, tag) = (tag.repository.clone(), tag.tag.clone());
                cleaned.moved.push(format!("{repository}:{tag}"));
            }
            Changed::Failed(reason) => {
                cleaned.failed += 1;
                if cleaned.failures.len() < FAILURES_MAX {
                    cleaned.failures.push(format!("{}:{}: {reason}", tag.repository, tag.tag));
                }
            }
        }
    }
}

/// Fails once it is told to stop.
fn go_on(stop: &AtomicBool, (done, of): (usize, usize)) -> Result<(), Failure> {
    match stop.load(Ordering::Relaxed) {
        true => Err(ChangesError::Stopped { done, of }.into()),
        false => Ok(()),
    }
}

/// What came of a change, for the log.
fn what(changed: &Changed) -> String {
    match changed {
        Changed::Done => "done".to_owned(),
        Changed::Vanished => "was gone".to_owned(),
        Changed::Moved => "left alone: it is another one by now".to_owned(),
        Changed::NoManifest => "left alone: its manifest is gone".to_owned(),
        Changed::Failed(reason) => format!("failed: {reason}"),
    }
}

async fn undo(
    args: &Args,
    config: &Config,
    gone: &[Gone],
    (starter, stop): (&mut Starter, &AtomicBool),
) -> Result<Report, Failure> {
    let mut changer = match args.beside {
        true => beside().await?,
        false => Changer::alone(config).await?,
    };
    let restored = restore(&mut changer, gone, (starter, stop)).await;
    changer.close().await;
    let restored = restored?;
    starter.tell(&Told::Done { policies: BTreeMap::new() }).map_err(Failure::Input)?;
    Ok(restored.report())
}

async fn restore(
    changer: &mut Changer,
    gone: &[Gone],
    (starter, stop): (&mut Starter, &AtomicBool),
) -> Result<Restored, Failure> {
    let mut restored = Restored::default();
    for (number, batch) in gone.chunks(BATCH).enumerate() {
        go_on(stop, (number * BATCH, gone.len()))?;
        let changes: Vec<Change> =
            batch.iter().filter_map(|gone| gone.change(Act::Restore)).collect();
        let changed = changer.change(&changes).await?;
        for (tag, changed) in batch.iter().zip(changed) {
            restored.add(&format!("{}:{}", tag.repository, tag.tag), &changed);
            let told = Told::Came { tag: tag.clone(), what: what(&changed) };
            starter.tell(&told).map_err(Failure::Input)?;
        }
    }
    Ok(restored)
}

impl Cleaned {
    /// The tags that go, in the order of the report.
    fn gone(&self) -> impl Iterator<Item = Gone> {
        let tags = self.repositories.iter().flat_map(|repository| {
            repository.tags.iter().map(|decision| (repository.name.clone(), decision))
        });
        let going = tags.filter(|(_, decision)| decision.goes());
        going.filter_map(|(repository, decision)| {
            let Decision { tag, digest, rule, policy, .. } = decision;
            Some(Gone {
                repository,
                tag: tag.to_string(),
                digest: (*digest)?.to_string(),
                rule: rule.clone(),
                policy: policy.clone(),
            })
        })
    }

    /// How many each policy has deleted and kept.
    fn by_policy(&self) -> BTreeMap<String, Counts> {
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        for decision in self.repositories.iter().flat_map(|it| &it.tags) {
            let Some(policy) = &decision.policy else { continue };
            let count = counts.entry(policy.clone()).or_default();
            if decision.goes() { count.deleted += 1 } else { count.kept += 1 }
        }
        counts
    }
}
