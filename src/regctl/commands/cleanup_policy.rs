//! `regctl cleanup-policy`: deletes tags by the rules of `[[cleanup_policy]]`, says what they would do, and undoes it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    process, thread,
};

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Context,
    collected_after::{Both, both, collect_after, document},
    internal::AS_REGISTRY,
    policies,
    services::TheRegistry,
    waiting::{self, Waiting},
};
use crate::{
    cleanup::{Counts, Gone, Order, Record, Run, Told, Work},
    collect::{self, Mode},
    config::{
        instance::Instance,
        load, nearest,
        policy::{Glob, Policy},
    },
    exit::Failure,
    output::{Document, Format, Report, Verdict, Volume},
    state::{Layout, Lock, LogPolicy, Services, lock::Held},
    supervise,
    sys::{
        identity,
        signals::Signals,
        socket,
        worker::{self, Ended, Error as WorkerError, Passed},
    },
};

const COMMAND: &str = "cleanup-policy";

/// The log of what was deleted.
const LOG: &str = "cleanup";

/// Delete tags by the rules of `[[cleanup_policy]]`
///
/// The rules are those of GitLab's cleanup policies: `latest` stays; of the tags that match `name_regex_delete`, and not
/// `name_regex_keep`, those go that are not among the `keep_n` newest, are older than `older_than`, and are not protected. Signatures
/// and lists of referrers follow what they are about; one whose subject has no tag in its repository, and may have one in another,
/// goes only if its own name matches. Tags go by name, never by digest; a collection frees their space.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl cleanup-policy preview
  regctl cleanup-policy run --now --gc
  regctl cleanup-policy list")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the policies that are due
    ///
    /// The registry goes on serving: it deletes the tags itself, each only if it is still what was decided about. A run that is
    /// interrupted is done again by the next one. What went stands in var/log/regctl/cleanup, and can be brought back with undo.
    #[command(after_help = "\
Examples:
  regctl cleanup-policy run
  regctl cleanup-policy run nightly --now
  regctl cleanup-policy run --repository 'group/**' --now --dry-run")]
    Run(RunArgs),
    /// Say of every tag what would become of it, and by which rule
    ///
    /// All policies are looked at as if they were due; nothing is changed.
    #[command(after_help = "\
Examples:
  regctl cleanup-policy preview
  regctl cleanup-policy preview nightly --repository 'group/app'
  regctl cleanup-policy preview --csv > decisions.csv")]
    Preview(PreviewArgs),
    /// List the policies, when each has run, and when it runs again
    #[command(after_help = "\
Examples:
  regctl cleanup-policy list
  regctl cleanup-policy list --json | jq '.policies[] | select(.result == \"failed\")'")]
    List,
    /// Put back the tags that a run has deleted
    ///
    /// A tag comes back if there is none of its name, and its manifest is still there: a collection with -m takes it.
    #[command(after_help = "\
Examples:
  regctl cleanup-policy undo 20261123T022500Z-0a1b2c3d")]
    Undo(UndoArgs),
}

#[derive(Debug, clap::Args)]
struct Selected {
    /// Only this policy
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// Only repositories like this one; `*` is anything but a slash, `**` anything
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    repository: Option<Glob>,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    #[command(flatten)]
    selected: Selected,
    /// Run policies that are not due as well
    #[arg(long)]
    now: bool,
    /// Say what would go, and why; change nothing
    #[arg(long, short = 'd')]
    dry_run: bool,
    /// Then collect what nothing needs any more, untagged manifests too, as `[garbage_collect]` says
    #[arg(long, conflicts_with = "dry_run")]
    gc: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, clap::Args)]
struct PreviewArgs {
    #[command(flatten)]
    selected: Selected,
    /// As comma-separated values
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, clap::Args)]
struct UndoArgs {
    /// The run, as `list` and the log name it
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    waiting: Waiting,
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::parse(text).map_err(|error| format!("must be {error}"))
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let instance = load::load(&context.layout.instance_toml())?.instance;
    match args.action {
        Action::List => policies::list(&instance, context),
        _ if !instance.registry.enable => Err(Failure::Disabled(context.layout.instance_toml())),
        Action::Run(args) => clean(&args, &instance, context),
        Action::Preview(args) => preview(&args, &instance, context),
        Action::Undo(args) => undo(&args, context),
    }
}

/// The policies that are asked for.
fn asked(selected: &Selected, instance: &Instance) -> Result<Vec<Policy>, Failure> {
    let policies = &instance.cleanup.policies;
    let Some(name) = &selected.policy else {
        return Ok(policies.iter().filter(|policy| policy.enabled).cloned().collect());
    };
    let Some(policy) = policies.iter().find(|policy| policy.name == *name) else {
        let near = nearest(name, policies.iter().map(|policy| policy.name.as_str()));
        let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return Err(Failure::Usage(format!("there is no policy `{name}`{hint}")));
    };
    if !policy.enabled {
        return Err(Failure::Usage(format!("`enabled = false` in the policy `{name}`")));
    }
    Ok(vec![policy.clone()])
}

fn preview(args: &PreviewArgs, instance: &Instance, context: &Context) -> Result<Report, Failure> {
    let running = asked(&args.selected, instance)?;
    let order = order(instance, &running, args.selected.repository.clone());
    let mut flags = vec!["--dry-run", "--forecast"];
    flags.extend(args.csv.then_some("--csv"));
    look(context, &order, &flags)
}

/// Has something said that changes nothing.
fn look(context: &Context, order: &Order, flags: &[&str]) -> Result<Report, Failure> {
    let words = words(context, flags);
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let environment = environment(&context.layout)?;
    ended(worker::work_on(signals, words, environment, None, Some(text(order)))?)
}

fn order(instance: &Instance, running: &[Policy], only: Option<Glob>) -> Order {
    let policies = instance.cleanup.policies.clone();
    let running = running.iter().map(|policy| policy.name.clone()).collect();
    Order { work: Work::Clean { policies, running, only } }
}

fn text(order: &Order) -> String {
    serde_json::to_string(order).expect("structs of strings and numbers are JSON")
}

fn clean(args: &RunArgs, instance: &Instance, context: &Context) -> Result<Report, Failure> {
    let asked = asked(&args.selected, instance)?;
    let only = args.selected.repository.clone();
    let mut due = due(args, &Record::load(&context.layout)?, &asked);
    if args.dry_run {
        return look(context, &order(instance, &due, only), &["--dry-run"]);
    }
    if !due.is_empty() {
        let site = Site::enter(context, args.waiting)?;
        // Another command may have run them while this one waited.
        let record = Record::load(&context.layout)?;
        due = self::due(args, &record, &asked);
        if !due.is_empty() {
            let is_one = args.gc && context.printer.format() == Format::Json;
            let order = order(instance, &due, only);
            let Done { report, said } = carry_out(&site, record, &due, &order, is_one)?;
            let signals = site.signals;
            // The collection takes the lock itself.
            drop(site);
            return match (args.gc && report.verdict != Verdict::NotDone, said) {
                (true, None) => collect_after(context, signals),
                (true, Some(said)) => both(context, signals, said),
                (false, None) => Ok(report),
                (false, Some(cleanup)) => {
                    Ok(Report::of(&Both { cleanup, collection: None }, report.verdict))
                }
            };
        }
    }
    Ok(Report::good(&Idle { due: Vec::new() }))
}

fn due(args: &RunArgs, record: &Record, asked: &[Policy]) -> Vec<Policy> {
    let now = OffsetDateTime::now_utc();
    let is_due = |policy: &&Policy| args.now || policy.cadence.is_due(record.last(policy), now);
    asked.iter().filter(is_due).cloned().collect()
}

/// Runs policies, and notes when, and what came of it.
fn carry_out(
    site: &Site<'_>,
    mut record: Record,
    due: &[Policy],
    order: &Order,
    is_heard: bool,
) -> Result<Done, Failure> {
    let Context { layout, printer, .. } = site.context;
    let mut names: Vec<String> = due.iter().map(|policy| policy.name.clone()).collect();
    let run = Run::begin(layout)?;
    printer.say(format!("run {}: {}", run.name, names.join(", ")));
    if matches!(&order.work, Work::Clean { only: Some(_), .. }) {
        // A part of the repositories says nothing of when all are due.
        names.clear();
    }
    record.begin(layout, &names, &run.name)?;
    let came = site.work(&text(order), run, is_heard);
    let said = match &came {
        Ok(Came { counts: Some(counts), ended: Ended::Code(0 | 5), .. }) => Ok(counts.clone()),
        Ok(Came { ended, .. }) => Err(ended.to_string()),
        Err(failure) => Err(failure.to_string()),
    };
    record.end(layout, &names, &said)?;
    let Came { ended: end, heard, .. } = came?;
    Ok(Done { report: ended(end)?, said: heard.map(|text| document(&text)).transpose()? })
}

fn undo(args: &UndoArgs, context: &Context) -> Result<Report, Failure> {
    let gone = Run::read(&context.layout, &args.run)?;
    let site = Site::enter(context, args.waiting)?;
    let order = Order { work: Work::Undo { gone } };
    let run = Run::begin(&context.layout)?;
    ended(site.work(&text(&order), run, false)?.ended)
}

/// What a run came to.
struct Done {
    report: Report,
    /// What it has said, where it was kept to be a part of something larger.
    said: Option<Value>,
}

/// The instance while its tags are worked on: nobody else works on its storage, and nobody starts the registry if it is down.
struct Site<'a> {
    context: &'a Context,
    storage: Held,
    signals: Signals,
    waiting: Waiting,
}

/// What came of the work.
struct Came {
    ended: Ended,
    counts: Option<BTreeMap<String, Counts>>,
    /// What it has written to stdout, where that was asked for.
    heard: Option<String>,
}

impl<'a> Site<'a> {
    fn enter(context: &'a Context, waiting: Waiting) -> Result<Self, Failure> {
        let Context { layout, printer, .. } = context;
        let claim = waiting.claim(COMMAND);
        let waits = waiting::announce(*printer);
        let storage = Lock::Storage.acquire(layout, COMMAND, claim.patience, waits)?;
        let signals = Signals::block().map_err(WorkerError::Wait)?;
        let site = Self { context, storage, signals, waiting };
        collect::bring_back(layout, &site.storage, &site.registry())?;
        Ok(site)
    }

    fn registry(&self) -> TheRegistry<'_> {
        let Context { layout, printer, .. } = self.context;
        let claim = self.waiting.claim(COMMAND);
        TheRegistry { layout, claim, printer: *printer, signals: self.signals }
    }

    fn work(&self, order: &str, run: Run, is_heard: bool) -> Result<Came, Failure> {
        let (layout, registry) = (&self.context.layout, self.registry());
        let paused = collect::pause(layout, Mode::Online, (COMMAND, "a cleanup"), &registry)?;
        let worked = self.carry_out((paused.was_running(), is_heard), order, run);
        let back = paused.end(layout, &registry);
        let came = worked?;
        back?;
        Ok(came)
    }

    fn carry_out(
        &self,
        (is_served, is_heard): (bool, bool),
        order: &str,
        run: Run,
    ) -> Result<Came, Failure> {
        let Context { layout, printer, .. } = self.context;
        let registry = is_served.then(|| socket::connect(&layout.registry_socket()));
        let registry = registry.transpose().map_err(WorkerError::Registry)?;
        let environment = environment(layout)?;
        let policy = Services::load(layout)?.registry.log;
        let (told, heard) = UnixStream::pair().map_err(WorkerError::Start)?;
        let (mut diary, pages) = UnixStream::pair().map_err(WorkerError::Start)?;
        let folder = layout.log(LOG);
        let log = thread::spawn(move || {
            supervise::keep_log(&folder, LogPolicy { timestamps: true, ..policy }, pages)
        });
        // What cannot be written is said below.
        let _ = writeln!(diary, "run {} of {} begins", run.name, identity::name());
        let listening = thread::spawn(move || listen(heard, diary, run));
        let passed = Passed { lock: self.storage.share()?, told, registry };
        let flags: &[&str] = if is_served { &["--beside"] } else { &[] };
        let words = words(self.context, flags);
        let order = Some(order.to_owned());
        let (signals, passed) = (self.signals, Some(passed));
        let ended = match is_heard {
            true => worker::work_heard(signals, words, environment, passed, order)
                .map(|(ended, heard)| (ended, Some(heard))),
            false => worker::work_on(signals, words, environment, passed, order)
                .map(|ended| (ended, None)),
        };
        let gone = || WorkerError::Wait(io::Error::other("who listens to the work has ended"));
        let (mut diary, listened) = listening.join().map_err(|_| gone())?;
        let _ = match &ended {
            Ok((ended, _)) => writeln!(diary, "the run has ended: {ended}"),
            Err(error) => writeln!(diary, "the run has not begun: {error}"),
        };
        drop(diary);
        if let Some(error) = log.join().map_err(|_| gone())? {
            printer
                .warn(format!("the log of what was deleted has gaps: {error}: {}", error.source));
        }
        let (ended, heard) = ended?;
        Ok(Came { ended, counts: listened?, heard })
    }
}

type Listened = Result<Option<BTreeMap<String, Counts>>, Failure>;

/// Longer than a batch.
const LINE_BYTES: u64 = 16 << 20;

/// Writes down what is about to go before it does, and what came of it.
fn listen(heard: UnixStream, mut diary: UnixStream, mut run: Run) -> (UnixStream, Listened) {
    let mut counts = None;
    let mut lines = BufReader::new(heard);
    let mut line = String::new();
    let listened = loop {
        line.clear();
        match lines.by_ref().take(LINE_BYTES).read_line(&mut line) {
            Err(_) | Ok(0) => break Ok(counts),
            Ok(_) => {}
        }
        match serde_json::from_str(&line) {
            Ok(Told::Going { tags }) => {
                if let Err(error) = run.note(&tags) {
                    // The process finds that nobody listens, and deletes nothing.
                    break Err(error.into());
                }
                // It may have been killed meanwhile.
                let _ = lines.get_mut().write_all(b"written\n");
            }
            Ok(Told::Came { tag, what }) => {
                let by = tag.policy.as_deref().unwrap_or("-");
                let Gone { repository, tag, digest, rule, .. } = &tag;
                let text = format!("{repository}:{tag} {digest} ({by}: {rule}): {what}");
                let _ = writeln!(diary, "{}", text.replace(char::is_control, " "));
            }
            Ok(Told::Done { policies }) => counts = Some(policies),
            Err(_) => {}
        }
    };
    (diary, listened)
}

fn environment(layout: &Layout) -> Result<BTreeMap<String, String>, Failure> {
    Ok(Services::load(layout)?.registry.environment)
}

/// The command line of the process that does the work.
fn words(context: &Context, flags: &[&str]) -> Vec<OsString> {
    let Context { layout, printer, .. } = context;
    let mut words: Vec<OsString> = vec![AS_REGISTRY.into(), "--root".into(), layout.root().into()];
    words.extend(["--parent".into(), process::id().to_string().into()]);
    words.extend(["registry".into(), "cleanup-tags".into(), layout.config_yml().into()]);
    words.extend(["--references".into(), layout.references().into()]);
    words.extend(flags.iter().map(OsString::from));
    words.extend((printer.format() == Format::Json).then(|| "--json".into()));
    words.extend((printer.volume() == Volume::Quiet).then(|| "--quiet".into()));
    words
}

/// What the process has said is said; what is left is how it ended.
pub(super) fn ended(ended: Ended) -> Result<Report, Failure> {
    match ended {
        Ended::Code(0) => Ok(Report::silent()),
        Ended::Code(1) => Ok(Report::silent_with(Verdict::NotDone)),
        Ended::Code(5) => Ok(Report::silent_with(Verdict::Findings)),
        ended => Err(Failure::Worker(ended)),
    }
}

/// Nothing was to be done.
#[derive(Debug, Serialize)]
struct Idle {
    due: Vec<String>,
}

impl Document for Idle {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no policy is due; --now runs them all the same")
    }
}
