//! Having the services take what was configured: the smallest act that does it, and proof that they serve.
//!
//! What is to be done follows from what the supervisor says and not from what was just written, so that a
//! change whose author was interrupted is acted on by the next command.

use std::{
    fmt, io,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    client::{self, AskError},
    control::{Condition, Outdated, Overview, Request, Sent, ServiceStatus, Wanted},
    health::{self, Health},
    reload::reload,
    tail,
    workers::{self, Before, Reload},
};
use crate::state::{Layout, ServiceName};

/// How long services may take until they serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a registry may take to answer once it serves; until it does, its connections wait.
const ANSWER_PATIENCE: Duration = Duration::from_millis(500);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Lines of its log that are shown when a service does not serve.
const SHOWN_LINES: usize = 10;

/// What was done to one service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Act {
    pub(crate) service: ServiceName,
    pub(crate) did: Did,
}

/// What was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Did {
    /// It took its files without a new process.
    Reloaded,
    Restarted,
    Started,
    Stopped,
    /// Somebody has stopped it, and it stays so.
    LeftStopped,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, did } = self;
        match did {
            Did::Reloaded => write!(f, "reloaded {service}"),
            Did::Restarted => write!(f, "restarted {service}"),
            Did::Started => write!(f, "started {service}"),
            Did::Stopped => write!(f, "stopped {service}"),
            Did::LeftStopped => {
                write!(f, "{service} stays down, as it was told: `regctl start {service}`")
            }
        }
    }
}

/// Why the services do not serve as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{service} does not serve: {reason}{}", shown(log))]
    Unhealthy {
        service: ServiceName,
        reason: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
}

/// Returns the services that do not run, or not as configured; none when there is no supervisor.
pub(crate) fn unsettled(layout: &Layout) -> Result<Vec<ServiceName>, AskError> {
    match client::ask(layout, &Request::Status) {
        Ok(overview) => {
            let services = overview.services.iter().filter(|service| is_unsettled(service));
            Ok(services.map(|service| service.name).collect())
        }
        Err(AskError::NotRunning) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_unsettled(status: &ServiceStatus) -> bool {
    status.outdated != Outdated::No || status.state == Condition::Crashed || is_starting(status)
}

/// Whether it is an nginx that has not come as far as to serve, as one that waits for its port. A signal would end it.
fn is_starting(status: &ServiceStatus) -> bool {
    status.name == ServiceName::Nginx && status.pid.is_some_and(|pid| !workers::are_there(pid))
}

/// Whether there is a supervisor.
pub(crate) fn is_running(layout: &Layout) -> bool {
    !matches!(client::ask(layout, &Request::Status), Err(AskError::NotRunning))
}

/// Waits until everything serves that should, right after the start.
pub(crate) fn wait(layout: &Layout, nginx: &[SocketAddr]) -> Result<(), ActError> {
    let overview = client::ask(layout, &Request::Status)?;
    let enabled = overview.services.iter().filter(|service| service.enabled);
    let mut names = enabled.map(|service| service.name);
    names.try_for_each(|name| serves(layout, name, 0, nginx))
}

/// Has the services take what is configured, and waits until they serve; `None` when nothing is running.
pub(crate) fn act(layout: &Layout, nginx: &[SocketAddr]) -> Result<Option<Vec<Act>>, ActError> {
    let before = match client::ask(layout, &Request::Status) {
        Ok(overview) => overview,
        Err(AskError::NotRunning) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let after = client::ask(layout, &Request::Refresh)?;
    let mut acts = Vec::new();
    for (old, new) in before.services.iter().zip(&after.services) {
        if let Some(did) = take(layout, old, new)? {
            acts.push(Act { service: new.name, did });
        }
    }
    for act in &acts {
        match act.did {
            Did::Reloaded | Did::Restarted | Did::Started => {
                serves(layout, act.service, of(&before, act.service).restarts, nginx)?;
            }
            Did::Stopped | Did::LeftStopped => {}
        }
    }
    Ok(Some(acts))
}

/// Does what a service needs.
fn take(
    layout: &Layout,
    old: &ServiceStatus,
    new: &ServiceStatus,
) -> Result<Option<Did>, ActError> {
    let service = new.name;
    let restart = || client::ask(layout, &Request::Restart { service }).map(|_| Did::Restarted);
    Ok(match (old.enabled, new.enabled) {
        (true, false) => {
            stopped(layout, service)?;
            Some(Did::Stopped)
        }
        (false, true) => Some(Did::Started),
        (false, false) => None,
        (true, true) if new.state == Condition::Crashed => {
            client::ask(layout, &Request::Start { service })?;
            Some(Did::Started)
        }
        (true, true) => match (new.outdated, service) {
            _ if new.wanted == Wanted::Down => Some(Did::LeftStopped),
            // What is on its way out, or in, takes no signal: the next process takes the files.
            _ if new.state == Condition::Stopping || is_starting(new) => Some(restart()?),
            (Outdated::No, _) => None,
            (Outdated::Files, ServiceName::Nginx) => {
                reload_nginx(layout, new)?;
                Some(Did::Reloaded)
            }
            (Outdated::Files, ServiceName::Registry) if reloads(layout) => {
                client::ask(layout, &Request::Current { service })?;
                Some(Did::Reloaded)
            }
            (Outdated::Files | Outdated::Process, _) => Some(restart()?),
        },
    })
}

/// Has nginx read its files again, and returns when it has taken them.
pub(crate) fn reload_nginx(layout: &Layout, status: &ServiceStatus) -> Result<(), ActError> {
    let service = status.name;
    let before = status.pid.map(|pid| Before::of(pid, layout));
    client::ask(layout, &Request::Signal { service, signal: Sent::Hup })?;
    let until = Instant::now() + PATIENCE;
    let Some(before) = before else { return Ok(()) };
    let reason = loop {
        match before.compare(layout) {
            Reload::Done => return Ok(()),
            Reload::Refused(reason) => break reason,
            Reload::UnderWay if Instant::now() >= until => {
                break "it goes on with its former files".to_owned();
            }
            Reload::UnderWay => thread::sleep(LOOK),
        }
    };
    client::ask(layout, &Request::Outdated { service })?;
    Err(unhealthy(layout, service, reason))
}

/// Has the registry read its configuration again; says whether that was enough.
fn reloads(layout: &Layout) -> bool {
    // Whatever else it answers, a restart shows what is wrong.
    reload(layout).is_ok_and(|reloaded| reloaded.needs_restart.is_empty())
}

/// Waits until a service has stopped.
fn stopped(layout: &Layout, name: ServiceName) -> Result<(), ActError> {
    let mut until = Instant::now() + PATIENCE;
    loop {
        let overview = client::ask(layout, &Request::Status)?;
        let status = of(&overview, name);
        if status.pid.is_none() {
            return Ok(());
        }
        until = until.max(drained(status));
        if Instant::now() >= until {
            return Err(unhealthy(layout, name, "it does not stop".to_owned()));
        }
        thread::sleep(LOOK);
    }
}

/// Waits until a service serves; `crashes` had happened before.
fn serves(
    layout: &Layout,
    name: ServiceName,
    crashes: u32,
    nginx: &[SocketAddr],
) -> Result<(), ActError> {
    let mut until = Instant::now() + PATIENCE;
    loop {
        let overview = client::ask(layout, &Request::Status)?;
        let status = of(&overview, name);
        until = until.max(drained(status));
        if let Some(reason) = status.problem.clone() {
            // There was no process that could have said anything.
            return Err(ActError::Unhealthy { service: name, reason, log: Vec::new() });
        }
        if let Some(reason) = crashed(status, crashes) {
            return Err(unhealthy(layout, name, reason));
        }
        let reason = match status.state {
            Condition::Run => match answers(layout, status, nginx) {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            },
            _ => "it does not run".to_owned(),
        };
        if Instant::now() >= until {
            return Err(unhealthy(layout, name, reason));
        }
        thread::sleep(LOOK);
    }
}

/// Until when a service may take from here on: what it has begun may take it as long as `http_draintimeout` says, after which
/// the supervisor ends it, and only what comes then is its own time.
fn drained(status: &ServiceStatus) -> Instant {
    let now = Instant::now();
    if status.state == Condition::Stopping { now + PATIENCE } else { now }
}

/// Says how a service has ended since it was told to run.
fn crashed(status: &ServiceStatus, crashes: u32) -> Option<String> {
    let is_new = status.state == Condition::Crashed || status.restarts > crashes;
    let end = status.last_end.as_ref().filter(|_| is_new)?;
    Some(format!("it ended with {} after {} s", end.how, end.after))
}

fn answers(layout: &Layout, status: &ServiceStatus, nginx: &[SocketAddr]) -> Result<(), String> {
    match status.name {
        ServiceName::Registry => match health::ask(layout, ANSWER_PATIENCE) {
            Ok(Health::Serves) => Ok(()),
            Ok(Health::Ill { status }) => Err(format!("it answers {status} to /v2/")),
            Err(error) => Err(error.to_string()),
        },
        // Somebody else may listen there.
        ServiceName::Nginx if !status.pid.is_some_and(workers::are_there) => {
            Err("it does not listen yet".to_owned())
        }
        ServiceName::Nginx => nginx.iter().try_for_each(|address| {
            let connected = TcpStream::connect_timeout(address, Duration::from_secs(1));
            connected.map(drop).map_err(|error: io::Error| format!("{address}: {error}"))
        }),
    }
}

fn unhealthy(layout: &Layout, service: ServiceName, reason: String) -> ActError {
    ActError::Unhealthy { service, reason, log: tail::last(layout, service, SHOWN_LINES) }
}

fn shown(log: &[String]) -> String {
    match log.is_empty() {
        true => String::new(),
        false => format!("; its log ends with:\n  {}", log.join("\n  ")),
    }
}

fn of(overview: &Overview, name: ServiceName) -> &ServiceStatus {
    let found = overview.services.iter().find(|service| service.name == name);
    found.expect("a supervisor knows every service")
}
