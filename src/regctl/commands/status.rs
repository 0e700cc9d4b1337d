//! `regctl status`: how the services are, in runit's lines and with what else is known.

use std::{collections::BTreeMap, fmt};

use registry::quota::Fill;
use serde::Serialize;

use super::{
    Context,
    facts::{self, Answering, Expiry, ReadOnly},
    fills,
    selection::Selection,
};
use crate::{
    cleanup::{self, PolicyRecord},
    collect::Record,
    exit::Failure,
    output::{Document, Report, Verdict},
    state::{Layout, ServiceName, Services},
    supervise::{self, Condition, LineWithLog, Outdated, Request, ServiceStatus, ask},
};

/// Lines of its log that are shown of a service that crashes.
const LOG_LINES: usize = 5;

/// Show how the services are
///
/// Each service has one line, as runit's `sv status` writes it; what else is worth knowing stands indented below:
/// restarts, why it crashes and when it is tried again, the last lines of its log, whether it runs on former
/// settings, read-only and who holds it so, a registry that does not answer, quotas that are used to 90 % or were never counted, a
/// certificate that ends within 30 days, and why nginx does not send large blobs itself.
///
/// The exit code is 0 when everything runs that is enabled, 3 when something does not, and 4 for a service that is
/// unknown or when no supervisor runs. A service that is disabled by its settings is left out of account, unless it
/// is asked for by name: it does not run then, which is 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl status
  regctl status nginx --quiet || regctl start nginx
  regctl status --json | jq .health")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// How everything is.
#[derive(Debug, Serialize)]
struct Status {
    /// The supervisor's pid.
    supervisor: u32,
    services: Vec<Service>,
    /// How the registry answers; null when it does not run or was not asked for.
    health: Option<Answering>,
    /// Null when the registry was not asked for.
    read_only: Option<ReadOnly>,
    /// The certificate of nginx; null when there is none or nginx was not asked for.
    certificate: Option<Expiry>,
    /// Why nginx does not send blobs itself; null when it does, when it is not to, or when it was not asked for.
    no_sendfile: Option<String>,
    /// The last garbage collection; left out when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    garbage_collection: Option<Record>,
    /// The last run of each cleanup policy; left out when there was none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cleanup_policies: BTreeMap<String, PolicyRecord>,
    /// How far quotas are used; left out when there is none, or the registry does not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quotas: Vec<Fill>,
}

/// One service.
#[derive(Debug, Serialize)]
struct Service {
    #[serde(flatten)]
    status: ServiceStatus,
    /// The last lines of its log, when it crashes.
    log_lines: Vec<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection } = args;
    let layout = &context.layout;
    let named = selection.named()?;
    let mut overview = ask(layout, &Request::Status)?;
    if selection.is_by_name() {
        overview.services.retain(|service| named.contains(&service.name));
    }
    let find = |name| overview.services.iter().find(|service| service.name == name);
    let registry = find(ServiceName::Registry);
    let facts = registry.map(|registry| facts::of_registry(layout, registry.state));
    let (health, read_only) = facts.map_or((None, None), |(health, it)| (health, Some(it)));
    let runs = registry.is_some_and(|registry| registry.state == Condition::Run);
    let quotas = if runs { supervise::quotas(layout) } else { Vec::new() };
    let nginx = find(ServiceName::Nginx).filter(|nginx| nginx.enabled);
    let certificate = nginx.and_then(|_| Expiry::of_nginx(layout));
    let no_sendfile = nginx.and_then(|_| Services::load(layout).ok()?.no_sendfile);
    let is_missing = |service: &ServiceStatus| {
        service.pid.is_none() && (service.enabled || selection.is_by_name())
    };
    let missing = overview.services.iter().any(is_missing);
    let verdict = if missing { Verdict::NotRunning } else { Verdict::Good };
    let services = overview.services.into_iter().map(|status| Service::of(layout, status));
    let services = services.collect();
    let supervisor = overview.pid;
    // A record that cannot be read is said by the next collection.
    let garbage_collection = Record::load(layout).ok().flatten();
    let cleanup_policies = cleanup::Record::load(layout).unwrap_or_default().policies;
    let status = Status {
        cleanup_policies,
        supervisor,
        services,
        health,
        read_only,
        certificate,
        no_sendfile,
        garbage_collection,
        quotas,
    };
    Ok(Report::of(&status, verdict))
}

impl Service {
    fn of(layout: &Layout, status: ServiceStatus) -> Self {
        let log_lines = match status.state {
            // Without a process there was nobody who could say anything.
            Condition::Crashed if status.problem.is_none() => {
                supervise::last_lines(layout, status.name, LOG_LINES)
            }
            Condition::Crashed | Condition::Down | Condition::Run | Condition::Stopping => {
                Vec::new()
            }
        };
        Self { status, log_lines }
    }

    /// What there is to say besides its line.
    fn lines(&self) -> Vec<String> {
        let ServiceStatus { wanted: _, state, restarts, failures, problem, outdated, .. } =
            &self.status;
        let mut lines = Vec::new();
        if *state == Condition::Crashed {
            let next = self.status.next_start.unwrap_or_default();
            lines.push(format!("crashes in a row: {failures}; the next start is in {next} s"));
        } else if *restarts > 0 {
            lines.push(format!("restarts: {restarts}"));
        }
        let crashes = (*restarts > 0 || *failures > 0) && problem.is_none();
        if let Some(end) = self.status.last_end.as_ref().filter(|_| crashes) {
            let (how, ago, after) = (&end.how, end.ago, end.after);
            lines.push(format!("last end: {how}, {ago} s ago, after {after} s"));
        }
        lines.extend(problem.iter().map(|problem| format!("problem: {problem}")));
        match outdated {
            Outdated::No => {}
            Outdated::Files | Outdated::Process => {
                lines.push("outdated: it runs on former settings: `regctl reconfigure`".to_owned())
            }
        }
        lines.extend(self.log_lines.iter().map(|line| format!("log: {}", printable(line))));
        lines
    }
}

/// A line of a log without what a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

impl Status {
    /// What there is to say of a service, besides its processes.
    fn lines(&self, name: ServiceName) -> Vec<String> {
        match name {
            ServiceName::Registry => {
                let problem = self.health.as_ref().and_then(|health| health.problem.as_ref());
                let unhealthy = problem.map(|problem| format!("unhealthy: {problem}"));
                let read_only = self.read_only.as_ref().map(ReadOnly::lines).unwrap_or_default();
                let last = self.garbage_collection.as_ref();
                let last = last.map(|record| format!("garbage collection: {record}"));
                let policy = |(name, record): (&String, &PolicyRecord)| {
                    format!("cleanup policy {name}: {}", record.line())
                };
                let policies = self.cleanup_policies.iter().map(policy);
                let quotas = self.quotas.iter().flat_map(fills::lines);
                let said = unhealthy.into_iter().chain(read_only).chain(quotas);
                said.chain(last).chain(policies).collect()
            }
            ServiceName::Nginx => {
                let certificate = self.certificate.as_ref().and_then(Expiry::line);
                let why = self.no_sendfile.as_ref();
                let sendfile = why.map(|why| format!("sendfile: off: {why}"));
                certificate.into_iter().chain(sendfile).collect()
            }
        }
    }
}

impl Document for Status {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for service in &self.services {
            let Service { status, .. } = service;
            if !status.enabled && status.pid.is_none() {
                writeln!(f, "disabled: {}", status.name)?;
                continue;
            }
            writeln!(f, "{}", LineWithLog(status))?;
            let lines = service.lines().into_iter().chain(self.lines(status.name));
            lines.into_iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}
