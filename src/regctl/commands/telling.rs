//! Telling services what to do: what `start`, `stop`, `restart` and the signals have in common.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Context,
    selection::Selection,
    waiting::{self, duration},
};
use crate::{
    exit::Failure,
    output::{Document, Report, Verdict},
    state::{
        Holds, Lock, Patience, ServiceName, Services,
        holds::{Hold, Kind},
        lock,
    },
    supervise::{Change, Changed, Line, Request, Sent, ServiceStatus, ask, tell, wait_for},
};

/// How long to wait when nobody says, as gitlab-ctl waits.
const WAIT: Duration = Duration::from_secs(30);

/// How long the kernel may take to end what was killed.
const KILLED: Duration = Duration::from_secs(5);

/// How long to wait until services are as they were told to be
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct UntilSo {
    /// Wait at most this long until it is so [env: SVWAIT, in seconds] [default: 30s, or as long as a service may take to end]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Do not wait: say how it is at once
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

/// What becomes of a service that does not end in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unfinished {
    Left,
    Killed,
}

/// How the services are now.
#[derive(Debug, Serialize)]
struct Told {
    services: Vec<Outcome>,
}

/// What came of telling one.
#[derive(Debug, Serialize)]
struct Outcome {
    result: Ending,
    status: ServiceStatus,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Ending {
    /// It is so.
    Ok,
    /// It was not so in time, and may be later.
    Timeout,
    /// Nobody waited.
    Told,
}

impl UntilSo {
    /// None: at once.
    fn patience(self, context: &Context) -> Result<Option<Duration>, Failure> {
        if self.no_wait {
            return Ok(None);
        }
        let Some(seconds) = &context.environment.service_wait else {
            return Ok(Some(self.wait.unwrap_or_else(|| default_wait(context))));
        };
        let read = || Some(Duration::from_secs(seconds.parse::<u32>().ok()?.into()));
        let wait = self.wait.or_else(read);
        wait.map(Some).ok_or_else(|| {
            Failure::Usage(format!("`SVWAIT={seconds}` in the environment: must be whole seconds"))
        })
    }
}

/// Returns how long to wait when nobody says: as gitlab-ctl, or longer where a service may take longer to end.
fn default_wait(context: &Context) -> Duration {
    let Ok(services) = Services::load(&context.layout) else { return WAIT };
    let grace = services.registry.grace().max(services.nginx.grace());
    WAIT.max(grace.saturating_add(KILLED))
}

/// Tells services, and waits until it is so.
pub(crate) fn change(
    change: Change,
    command: &str,
    selection: &Selection,
    until: (UntilSo, Unfinished),
    context: &Context,
) -> Result<Report, Failure> {
    let (until, unfinished) = until;
    let Context { layout, printer, .. } = context;
    selection.named()?;
    let patience = until.patience(context)?;
    let begun = Instant::now();
    let overview = ask(layout, &Request::Status)?;
    let mut names = match change {
        // What is disabled is down: to stop it is no mistake.
        Change::Stop => selection.of(&overview)?.iter().map(|service| service.name).collect(),
        Change::Start | Change::Restart => selection.enabled(&overview, context)?,
    };
    if change == Change::Stop {
        // Who is in front goes first.
        names.reverse();
    }
    if names.is_empty() {
        printer.say("no service is enabled");
    }
    let told = {
        let patience = patience.map_or(Patience::None, Patience::AtMost);
        let _lock =
            Lock::Instance.acquire(layout, command, patience, waiting::announce(*printer))?;
        if names.contains(&ServiceName::Registry) {
            forget_stops(command, context)?;
        }
        tell(layout, change, &names)?
    };
    let Some(patience) = patience else {
        let outcome = |told: &crate::supervise::Told| Outcome {
            result: Ending::Told,
            status: told.status().clone(),
        };
        return Ok(report(told.iter().map(outcome).collect()));
    };
    let left = patience.saturating_sub(begun.elapsed());
    let mut changed = wait_for(layout, &told, left, |text| printer.say(text))?;
    if unfinished == Unfinished::Killed && changed.iter().any(|changed| !changed.is_so) {
        for Changed { status, .. } in changed.iter().filter(|changed| !changed.is_so) {
            ask(layout, &Request::Signal { service: status.name, signal: Sent::Kill })?;
        }
        changed = wait_for(layout, &told, KILLED, |text| printer.say(text))?;
    }
    Ok(report(changed.into_iter().map(Outcome::of).collect()))
}

/// Clears what commands that are gone have left behind: whether the registry is to run, somebody says now.
pub(crate) fn forget_stops(command: &str, context: &Context) -> Result<(), Failure> {
    let Context { layout, printer, .. } = context;
    let is_left = |hold: &Hold| hold.kind == Kind::Stop && hold.is_stale();
    // Holds that cannot be read are the supervisor's to refuse a start for; a stop is not.
    if !Holds::load(layout).is_ok_and(|holds| holds.all.iter().any(is_left)) {
        return Ok(());
    }
    let storage = match Lock::Storage.acquire(layout, command, Patience::None, |_| {}) {
        Ok(storage) => storage,
        // Then the supervisor says who keeps it.
        Err(lock::Error::Held { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for hold in Holds::clear_stale_stops(layout, &storage)? {
        printer.say(format!("cleared the {} hold of {hold}", hold.kind));
    }
    Ok(())
}

/// Sends services a signal, or has them run once, and says nothing, as runit does not.
pub(crate) fn send(
    selection: &Selection,
    context: &Context,
    request: impl Fn(ServiceName) -> Request,
) -> Result<Report, Failure> {
    selection.named()?;
    let overview = ask(&context.layout, &Request::Status)?;
    for service in selection.of(&overview)? {
        ask(&context.layout, &request(service.name))?;
    }
    Ok(Report::silent())
}

fn report(mut services: Vec<Outcome>) -> Report {
    services.sort_by_key(|outcome| outcome.status.name);
    let late = services.iter().any(|outcome| outcome.result == Ending::Timeout);
    let verdict = if late { Verdict::NotDone } else { Verdict::Good };
    Report::of(&Told { services }, verdict)
}

impl Outcome {
    fn of(changed: Changed) -> Self {
        let Changed { status, is_so } = changed;
        Self { result: if is_so { Ending::Ok } else { Ending::Timeout }, status }
    }
}

impl Document for Told {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome { result, status } in &self.services {
            let lead = match result {
                Ending::Ok => "ok: ",
                Ending::Timeout => "timeout: ",
                Ending::Told => "",
            };
            writeln!(f, "{lead}{}", Line(status))?;
        }
        Ok(())
    }
}
