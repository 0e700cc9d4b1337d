//! `regctl reconfigure`: makes the instance's files say what `instance.toml` says.

use std::{fmt, path::PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::{
    Context, fills,
    services::Supervised,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::{Document, Report, Verdict},
    reconfigure::{self, Activation, Change, Converged, Desired, FolderChange, Plan},
    render::Name,
    state::ServiceName,
    supervise::{self, Act, ActError},
};

/// Apply instance.toml: render, check and replace the files made from it
///
/// Every file is rendered and read by its reader before anything is replaced, and all of them change together:
/// a reconfigure that is interrupted, even by a power cut, is completed by the next command. Without
/// changes nothing is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl reconfigure --dry-run       show what would change, secrets redacted
  regctl reconfigure --dry-run --exit-code || regctl reconfigure
  regctl reconfigure --print-template registry.conf.j2 > /etc/regctl/templates/registry.conf.j2")]
pub(crate) struct Args {
    /// Show what would change as a unified diff, and change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// With --dry-run: exit 5 when something would change
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Print a built-in template, to be copied to etc/regctl/templates and edited there
    #[arg(long, value_name = "NAME", value_enum, conflicts_with_all = ["dry_run", "exit_code"])]
    print_template: Option<Template>,
    #[command(flatten)]
    waiting: Waiting,
}

/// The templates that an administrator may replace.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Template {
    #[value(name = "config.yml.j2")]
    ConfigYml,
    #[value(name = "nginx.conf.j2")]
    NginxConf,
    #[value(name = "registry.conf.j2")]
    RegistryConf,
    #[value(name = "regctl.service.j2")]
    SystemdUnit,
    #[value(name = "logrotate.j2")]
    Logrotate,
    #[value(name = "tmpfiles.conf.j2")]
    Tmpfiles,
    #[value(name = "cron.j2")]
    Cron,
}

/// What changed, or would change.
#[derive(Debug, Serialize)]
struct Reconfigured {
    dry_run: bool,
    /// Accounts and groups that were missing.
    accounts: Vec<String>,
    changes: Vec<Changed>,
    /// Folders that were missing.
    folders: Vec<PathBuf>,
    /// Folders with another mode or owner than they should have.
    folder_access: Vec<FolderAccess>,
    /// Staged files that an interrupted change left behind.
    leftovers: Vec<PathBuf>,
    /// What systemd is told.
    activation: Option<&'static str>,
    /// What was done to the services.
    acts: Vec<Act>,
    /// Services that would take what is in place already.
    unsettled: Vec<ServiceName>,
    /// The file of users that was missing.
    users_file: Option<PathBuf>,
    warnings: Vec<String>,
}

/// One file.
#[derive(Debug, Serialize)]
struct Changed {
    path: PathBuf,
    change: &'static str,
    /// A unified diff without secrets.
    diff: String,
}

/// One folder.
#[derive(Debug, Serialize)]
struct FolderAccess {
    path: PathBuf,
    /// `mode`, `owner`, or `mode and owner`.
    change: &'static str,
    before: String,
    after: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { dry_run, exit_code, print_template, waiting } = args;
    if let Some(template) = print_template {
        return Ok(Report::file(Name::from(template).copy()));
    }
    let Context { layout, printer, .. } = context;
    let Converged { desired, plan, acted, late } = match dry_run {
        true => {
            let (desired, plan) = reconfigure::preview(layout)?;
            Converged { desired, plan, acted: None, late: None }
        }
        false => {
            let claim = waiting.claim("reconfigure");
            let services = Supervised(layout);
            reconfigure::converge(layout, claim, waiting::announce(*printer), &services)?
        }
    };
    desired.warnings.iter().for_each(|warning| printer.warn(warning));
    if dry_run && plan.interrupted {
        printer.warn("an interrupted change would be completed first, and is not in this diff");
    }
    if let Some(skipped) = desired.skipped() {
        printer.say(skipped);
    }
    // What is in place already and nobody has taken yet, such as a renewed certificate.
    let unsettled = match dry_run {
        true => {
            supervise::unsettled(layout).map_err(|error| Failure::Start(ActError::from(error)))?
        }
        false => Vec::new(),
    };
    let changes = !plan.is_empty() || !unsettled.is_empty();
    let notices = if dry_run { Vec::new() } else { plan.notices(layout) };
    let acts = acted.as_ref().and_then(Option::as_deref).unwrap_or_default();
    let is_started = plan.activation == Some(Activation::Enable);
    let mut document = Reconfigured::new(dry_run, desired, &plan, acts);
    document.unsettled = unsettled;
    notices.iter().for_each(|notice| printer.say(notice));
    if acted.is_some() {
        let fills = supervise::quotas(layout).into_iter();
        let new = fills.filter(|fill| fill.counted.is_none() && fill.problem.is_none());
        new.for_each(|fill| printer.say(fills::uncounted(&fill.repositories)));
    }
    if !dry_run && !is_started && !supervise::is_running(layout) {
        printer.say("nothing is running: start with 'regctl run'");
    }
    if let Some(late) = late {
        printer.report(&Report::good(&document)).map_err(Failure::Output)?;
        return Err(late.into());
    }
    let verdict = if exit_code && changes { Verdict::Findings } else { Verdict::Good };
    Ok(Report::of(&document, verdict))
}

impl Reconfigured {
    fn new(dry_run: bool, desired: Desired, plan: &Plan, acts: &[Act]) -> Self {
        let changed = |change: &Change| Changed {
            path: change.path.clone(),
            change: change.done(),
            diff: reconfigure::unified(change),
        };
        let missing = plan.folders.iter().filter(|folder| folder.old.is_none());
        let handed_over = plan.handover.iter().map(|key| Changed {
            path: key.path.clone(),
            change: if key.replaces { "replaced" } else { "created" },
            diff: key.diff(),
        });
        Self {
            dry_run,
            accounts: plan.accounts.iter().map(ToString::to_string).collect(),
            changes: plan.changes.iter().map(changed).chain(handed_over).collect(),
            folders: missing.map(|folder| folder.path.clone()).collect(),
            folder_access: plan.folders.iter().filter_map(FolderAccess::of).collect(),
            leftovers: plan.leftovers.clone(),
            activation: plan.activation.map(|activation| activation.shown(!dry_run)),
            acts: acts.to_vec(),
            unsettled: Vec::new(),
            users_file: plan.users_file.as_ref().map(|file| file.path.clone()),
            warnings: desired.warnings,
        }
    }
}

impl FolderAccess {
    /// Returns how a folder that exists changes.
    fn of(folder: &FolderChange) -> Option<Self> {
        let [before, after] = reconfigure::accesses(folder.old?, &folder.access);
        let [before, after] =
            [before, after].map(|words| words.trim_matches([' ', '(', ')']).to_owned());
        let (path, change) = (folder.path.clone(), folder.difference()?);
        Some(Self { path, change, before, after })
    }
}

impl From<Template> for Name {
    fn from(template: Template) -> Self {
        match template {
            Template::ConfigYml => Self::ConfigYml,
            Template::NginxConf => Self::NginxConf,
            Template::RegistryConf => Self::RegistryConf,
            Template::SystemdUnit => Self::SystemdUnit,
            Template::Logrotate => Self::Logrotate,
            Template::Tmpfiles => Self::Tmpfiles,
            Template::Cron => Self::Cron,
        }
    }
}

impl Document for Reconfigured {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Reconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dry_run,
            accounts,
            changes,
            folders,
            folder_access,
            leftovers,
            activation,
            acts,
            unsettled,
            users_file,
            warnings: _,
        } = self;
        let counts = [accounts.len(), changes.len(), folders.len(), folder_access.len()];
        let others = leftovers.len()
            + acts.len()
            + unsettled.len()
            + usize::from(activation.is_some())
            + usize::from(users_file.is_some());
        if counts.iter().sum::<usize>() + others == 0 {
            return writeln!(f, "nothing to change");
        }
        let [create, change, remove] = match dry_run {
            true => ["would create", "would change", "would remove"],
            false => ["created", "changed", "removed"],
        };
        accounts.iter().try_for_each(|account| writeln!(f, "{create} the {account}"))?;
        for Changed { path, change, diff } in changes {
            match dry_run {
                true => f.write_str(diff)?,
                false => writeln!(f, "{change} {}", path.display())?,
            }
        }
        folders.iter().try_for_each(|path| writeln!(f, "{create} {}/", path.display()))?;
        for FolderAccess { path, before, after, .. } in folder_access {
            writeln!(f, "{change} {}/: {before} -> {after}", path.display())?;
        }
        users_file.iter().try_for_each(|path| writeln!(f, "{create} {}", path.display()))?;
        leftovers.iter().try_for_each(|path| writeln!(f, "{remove} {}", path.display()))?;
        activation.iter().try_for_each(|activation| writeln!(f, "{activation}"))?;
        acts.iter().try_for_each(|act| writeln!(f, "{act}"))?;
        unsettled.iter().try_for_each(|service| {
            writeln!(f, "would have {service} take what is in place already")
        })
    }
}
