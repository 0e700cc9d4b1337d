//! Starting, stopping and restarting for somebody who waits until it is so.
//!
//! Telling and waiting are apart: what is told is ordered by the instance's lock, and a service that takes its
//! time to stop is to hold nobody up.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    client::{self, AskError},
    control::{Condition, Overview, Request, ServiceStatus, Wanted},
    health, workers,
};
use crate::{
    state::{Layout, ServiceName},
    sys::fs,
};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Whoever waits longer than this is told for what.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a service may take to answer once.
const ANSWER: Duration = Duration::from_secs(1);

/// What services are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Start,
    Stop,
    Restart,
}

/// A service that was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    change: Change,
    status: ServiceStatus,
    /// The first process that counts: one before it is not the one that was asked for.
    first: u32,
}

/// How a service is after it was told.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) status: ServiceStatus,
    /// Whether it is as it was told to be.
    pub(crate) is_so: bool,
}

/// Tells services, one after the other, and does not wait for them.
pub(crate) fn tell(
    layout: &Layout,
    change: Change,
    names: &[ServiceName],
) -> Result<Vec<Told>, AskError> {
    let tell = |&service| {
        let request = match change {
            Change::Start => Request::Start { service },
            Change::Stop => Request::Stop { service },
            Change::Restart => Request::Restart { service },
        };
        let status = take(client::ask(layout, &request)?, service);
        // Where it does not run by now, the next process is the first that was made for this.
        let is_first = status.state == Condition::Run;
        let first = if is_first { status.starts } else { status.starts.saturating_add(1) };
        Ok(Told { change, status, first })
    };
    names.iter().map(tell).collect()
}

/// Waits until services are as they were told to be; `says` is told what for, when it takes long.
pub(crate) fn wait_for(
    layout: &Layout,
    told: &[Told],
    patience: Duration,
    mut says: impl FnMut(&str),
) -> Result<Vec<Changed>, AskError> {
    let begun = Instant::now();
    let mut changed = Vec::new();
    for told in told {
        let mut is_said = false;
        loop {
            let name = told.status.name;
            let status = take(client::ask(layout, &Request::Status)?, name);
            let is_so = told.is_so(layout, &status);
            let waited = begun.elapsed();
            if is_so || waited >= patience {
                changed.push(Changed { status, is_so });
                break;
            }
            if waited >= SILENCE && !is_said {
                is_said = true;
                let left = patience.saturating_sub(waited).as_secs_f64().ceil();
                says(&format!("waiting up to {left} s for {name} {}", told.change.end(&status)));
            }
            thread::sleep(LOOK);
        }
    }
    Ok(changed)
}

impl Change {
    /// Ends the sentence that begins with `waiting for registry`.
    fn end(self, status: &ServiceStatus) -> String {
        let how = match (&status.problem, &status.last_end) {
            (Some(problem), _) => format!(": {problem}"),
            (None, Some(end)) if status.state == Condition::Crashed => {
                format!(": it ended with {} after {} s", end.how, end.after)
            }
            _ => String::new(),
        };
        match self {
            Self::Start | Self::Restart if status.state != Condition::Stopping => {
                format!("to serve{how}")
            }
            Self::Start | Self::Stop | Self::Restart => {
                "to end: it finishes what is under way".to_owned()
            }
        }
    }
}

impl Told {
    /// How it was when it was told.
    pub(crate) fn status(&self) -> &ServiceStatus {
        &self.status
    }

    fn is_so(&self, layout: &Layout, status: &ServiceStatus) -> bool {
        match self.change {
            Change::Stop => status.pid.is_none() && status.wanted == Wanted::Down,
            Change::Start | Change::Restart => {
                status.state == Condition::Run
                    && status.starts >= self.first
                    && serves(layout, status)
            }
        }
    }
}

/// Whether a process that runs is ready for requests.
fn serves(layout: &Layout, status: &ServiceStatus) -> bool {
    match status.name {
        // Any answer will do: that it is ill is not for this to say.
        ServiceName::Registry => health::ask(layout, ANSWER).is_ok(),
        // In a container of its own its processes have other numbers there; its own file does not.
        ServiceName::Nginx => {
            status.pid.is_some_and(workers::are_there) || written_pid(layout) == status.pid
        }
    }
}

/// Returns what nginx writes when its sockets are open. A former one that ends late takes the file with it.
fn written_pid(layout: &Layout) -> Option<u32> {
    fs::read_to_string(&layout.nginx_pid()).ok().flatten()?.trim().parse().ok()
}

fn take(overview: Overview, name: ServiceName) -> ServiceStatus {
    let found = overview.services.into_iter().find(|service| service.name == name);
    found.expect("a supervisor knows every service")
}
