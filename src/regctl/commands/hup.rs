//! `regctl hup`: services that read their files again, without a restart.

use std::fmt;

use serde::Serialize;

use super::{
    Context,
    selection::Selection,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::{Document, Report, Verdict},
    state::{Lock, ServiceName},
    supervise::{Line, Outdated, Reloaded, Request, ServiceStatus, ask, reload, reload_nginx},
};

/// Have services read their files again, live
///
/// The registry takes over what config.yml changes and can change while it serves (log level, read-only, users,
/// …) and drops no request; what needs a restart is named, and the exit code is 5 then. nginx gets the signal HUP,
/// at which it reads its configuration and certificates again. Both read what is rendered: edits of instance.toml
/// are applied by `regctl reconfigure`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl hup nginx       after a certificate was renewed
  regctl hup registry    after a file was changed by hand")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    waiting: Waiting,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Told {
    services: Vec<Outcome>,
}

/// What became of one service.
#[derive(Debug, Serialize)]
struct Outcome {
    name: ServiceName,
    result: Ending,
    /// Keys of config.yml.
    applied: Vec<String>,
    needs_restart: Vec<String>,
    #[serde(skip)]
    line: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Ending {
    Reloaded,
    Signalled,
    NotRunning,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, waiting } = args;
    let Context { layout, printer, .. } = context;
    selection.named()?;
    ask(layout, &Request::Status)?;
    // What changes the files meanwhile would be taken for read.
    let claim = waiting.claim("hup");
    let waits = waiting::announce(*printer);
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    let overview = ask(layout, &Request::Status)?;
    // A registry that refuses its files keeps nginx from nothing.
    let told = selection.of(&overview)?.into_iter().rev().map(|status| tell(status, context));
    let mut services: Vec<_> = told.collect::<Result<_, _>>()?;
    services.reverse();
    let verdict = if services.iter().any(|told| told.result == Ending::NotRunning) {
        Verdict::NotRunning
    } else if services.iter().any(|told| !told.needs_restart.is_empty()) {
        Verdict::Findings
    } else {
        Verdict::Good
    };
    Ok(Report::of(&Told { services }, verdict))
}

fn tell(status: &ServiceStatus, context: &Context) -> Result<Outcome, Failure> {
    let layout = &context.layout;
    let service = status.name;
    let mut told = Reloaded::default();
    let result = match service {
        _ if status.pid.is_none() => Ending::NotRunning,
        ServiceName::Nginx => {
            reload_nginx(layout, status).map_err(Failure::Start)?;
            Ending::Signalled
        }
        ServiceName::Registry => {
            told = reload(layout)?;
            if status.outdated == Outdated::Process {
                told.needs_restart.push("environment".to_owned());
            }
            if told.needs_restart.is_empty() {
                ask(layout, &Request::Current { service })?;
            }
            Ending::Reloaded
        }
    };
    let Reloaded { applied, needs_restart } = told;
    let line = Line(status).to_string();
    Ok(Outcome { name: service, result, applied, needs_restart, line })
}

impl Document for Told {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.services.iter().try_for_each(|service| service.fmt(f))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, result, applied, needs_restart, line } = self;
        match result {
            Ending::NotRunning => return writeln!(f, "{line}"),
            Ending::Signalled => return Ok(()),
            Ending::Reloaded => {}
        }
        match (applied.is_empty(), needs_restart.is_empty()) {
            (true, true) => writeln!(f, "{name}: nothing has changed")?,
            (true, false) => {}
            (false, _) => writeln!(f, "{name}: applied {}", applied.join(", "))?,
        }
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            writeln!(f, "{name}: needs a restart for {keys}: `regctl restart {name}`")?;
        }
        Ok(())
    }
}
