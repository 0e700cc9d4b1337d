//! The running services, as whoever changes their files reaches them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use super::waiting;
use crate::{
    collect::Registry,
    config::{Instance, vhost::Vhost},
    output::Printer,
    reconfigure::{self, Claim, Desired, ReadOnlyError, Services as ServicesOf, Supervision},
    state::{Layout, ServiceName, Services, services},
    supervise::{
        self, Act, ActError, AskError, Change, Line, Outdated, Request, ServiceStatus, Wanted,
    },
    sys::signals::Signals,
};

/// The services of an instance, by way of its supervisor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supervised<'a>(pub(super) &'a Layout);

impl ServicesOf for Supervised<'_> {
    /// None: nothing is running.
    type Acted = Option<Vec<Act>>;
    type Error = ActError;

    fn are_current(&self) -> Result<bool, ActError> {
        Ok(supervise::unsettled(self.0)?.is_empty())
    }

    fn act(&self, desired: Option<&Desired>) -> Result<Self::Acted, ActError> {
        let nginx = desired.map(|desired| nginx_addresses(&desired.instance));
        supervise::act(self.0, &nginx.unwrap_or_default())
    }

    fn started(&self, desired: &Desired) -> Result<(), ActError> {
        let until = Instant::now() + START_PATIENCE;
        while !supervise::is_running(self.0) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        supervise::wait(self.0, &nginx_addresses(&desired.instance))
    }
}

/// How long the system may take to start the supervisor.
const START_PATIENCE: Duration = Duration::from_secs(10);

impl Supervision for Supervised<'_> {
    fn is_current(&self) -> bool {
        let of_registry = |status: &ServiceStatus| {
            status.name == ServiceName::Registry && status.outdated == Outdated::No
        };
        supervise::ask(self.0, &Request::Status)
            .is_ok_and(|overview| overview.services.iter().any(of_registry))
    }

    fn is_there(&self) -> bool {
        let runs =
            |status: &ServiceStatus| status.name == ServiceName::Registry && status.pid.is_some();
        match supervise::ask(self.0, &Request::Status) {
            Ok(overview) => overview.services.iter().any(runs),
            // Then it is its socket that says so.
            Err(_) => true,
        }
    }

    fn took(&self) {
        // A supervisor that is gone by now has nothing to note.
        let _ = supervise::ask(self.0, &Request::Current { service: ServiceName::Registry });
    }
}

/// How long the kernel may take to end what was killed, and a registry to serve that was started.
const KILLED: Duration = Duration::from_secs(5);
const SERVES: Duration = Duration::from_secs(60);

/// How often it is looked whether somebody wants the command to end.
const LISTEN: Duration = Duration::from_millis(200);

/// The registry of an instance, as a command reaches it that works on its storage.
#[derive(Clone, Copy, Debug)]
pub(super) struct TheRegistry<'a> {
    pub(super) layout: &'a Layout,
    pub(super) claim: Claim<'a>,
    pub(super) printer: Printer,
    /// What ends the wait for its end.
    pub(super) signals: Signals,
}

/// Why the registry is not as it was told to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    ReadOnly(#[from] ReadOnlyError),
    #[error(transparent)]
    Services(#[from] services::Error),
    #[error("{0}")]
    NotSo(String),
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
    #[error("failed to hear of signals")]
    Signals(#[source] io::Error),
}

impl TheRegistry<'_> {
    /// Tells it, and looks until it is so, time is over or `is_over` says so.
    fn tell(
        &self,
        change: Change,
        patience: Duration,
        is_over: impl Fn() -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let told = match supervise::tell(self.layout, change, &[ServiceName::Registry]) {
            // What nobody supervises is not there; its storage says if that is wrong.
            Err(AskError::NotRunning) => return Ok(()),
            told => told?,
        };
        let (printer, until) = (self.printer, Instant::now() + patience);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let say = |text: &str| printer.say(text);
            let changed = supervise::wait_for(self.layout, &told, left.min(LISTEN), say)?;
            match changed.iter().find(|changed| !changed.is_so) {
                None => return Ok(()),
                Some(changed) if left.is_zero() => {
                    return Err(RegistryError::NotSo(Line(&changed.status).to_string()));
                }
                Some(_) => is_over()?,
            }
        }
    }

    fn is_interrupted(&self) -> Result<(), RegistryError> {
        match self.signals.come().map_err(RegistryError::Signals)? {
            None => Ok(()),
            Some(signal) => Err(RegistryError::Interrupted(signal.as_str())),
        }
    }
}

impl Registry for TheRegistry<'_> {
    type Error = RegistryError;

    fn is_up(&self) -> Result<bool, RegistryError> {
        let overview = match supervise::ask(self.layout, &Request::Status) {
            Err(AskError::NotRunning) => return Ok(false),
            overview => overview?,
        };
        let is_up = |status: &ServiceStatus| {
            status.name == ServiceName::Registry
                && (status.pid.is_some() || status.wanted == Wanted::Up)
        };
        Ok(overview.services.iter().any(is_up))
    }

    fn stop(&self) -> Result<(), RegistryError> {
        let grace = Services::load(self.layout)?.registry.grace();
        self.tell(Change::Stop, grace.saturating_add(KILLED), || self.is_interrupted())
    }

    fn start(&self) -> Result<(), RegistryError> {
        self.tell(Change::Start, SERVES, || Ok(()))
    }

    fn follow_holds(&self) -> Result<(), RegistryError> {
        let Self { layout, claim, printer, signals: _ } = *self;
        let waits = |reason: &str| waiting::announce(printer)(reason);
        reconfigure::follow_holds(layout, claim, waits, &Supervised(layout))?;
        Ok(())
    }
}

/// Where nginx is to accept connections, as this host reaches it.
pub(super) fn nginx_addresses(instance: &Instance) -> Vec<SocketAddr> {
    let vhost = instance.nginx.vhost.as_ref().filter(|_| instance.nginx.enable);
    vhost.map(addresses).unwrap_or_default()
}

fn addresses(vhost: &Vhost) -> Vec<SocketAddr> {
    let host = |host: String| match host.as_str() {
        "*" => Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        "[::]" => Some(IpAddr::from(Ipv6Addr::LOCALHOST)),
        // A name is nginx's to resolve.
        literal => literal.trim_matches(['[', ']']).parse().ok(),
    };
    let hosts = vhost.listen_addresses.iter().filter_map(|address| host(address.to_string()));
    hosts.map(|host| SocketAddr::new(host, vhost.listen_port)).collect()
}
