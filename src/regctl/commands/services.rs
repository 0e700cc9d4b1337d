//! The running services, as whoever changes their files reaches them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use crate::{
    config::{Instance, vhost::Vhost},
    reconfigure::{Desired, Services, Supervision},
    state::{Layout, ServiceName},
    supervise::{self, Act, ActError, Outdated, Request},
};

/// The services of an instance, by way of its supervisor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supervised<'a>(pub(super) &'a Layout);

impl Services for Supervised<'_> {
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
        let of_registry = |status: &supervise::ServiceStatus| {
            status.name == ServiceName::Registry && status.outdated == Outdated::No
        };
        supervise::ask(self.0, &Request::Status)
            .is_ok_and(|overview| overview.services.iter().any(of_registry))
    }

    fn is_there(&self) -> bool {
        let runs = |status: &supervise::ServiceStatus| {
            status.name == ServiceName::Registry && status.pid.is_some()
        };
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
