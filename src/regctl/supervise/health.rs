//! Whether a registry serves: it answers `/v2/`, to whomever.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use registry::{
    Config,
    config::{Address, Clients},
};

use crate::{
    state::{Layout, Services},
    sys::local::{self, Method, Peer},
};

/// How a registry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Health {
    /// It answers, or asks who it is.
    Serves,
    Ill {
        status: u16,
    },
}

/// Asks the registry that serves what is configured.
pub(crate) fn ask(layout: &Layout, patience: Duration) -> io::Result<Health> {
    let services = Services::load(layout).map_err(io::Error::other)?;
    let environment: Vec<_> = services.registry.environment.into_iter().collect();
    let parsed = Config::load(&layout.config_yml(), &environment).map_err(io::Error::other)?;
    let peer = match parsed.config.http.address {
        Address::Tcp(mut address) => {
            // Where it listens on everything it is asked on loopback.
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            if parsed.config.http.tls.is_some() { Peer::Tls(address) } else { Peer::Tcp(address) }
        }
        Address::Unix(ref path) => Peer::Unix(path.clone()),
    };
    let path = format!("{}v2/", parsed.config.http.prefix);
    let answer = match local::request(&peer, &Method::GET, &path, None, patience) {
        Ok(answer) => answer,
        // It asked for a certificate, which this program has none of: so it is there.
        Err(error) if asks_for_certificates(&parsed.config) && !is_absence(&error) => {
            return Ok(Health::Serves);
        }
        Err(error) => return Err(error),
    };
    Ok(match answer.status {
        200 | 401 => Health::Serves,
        status => Health::Ill { status },
    })
}

/// Whether only who has a certificate gets an answer.
fn asks_for_certificates(config: &Config) -> bool {
    let clients = config.http.tls.as_ref().map(|tls| &tls.clients);
    matches!(clients, Some(Clients::Verified(_) | Clients::WithAnyCertificate))
}

/// Whether nobody listens, or says anything.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut)
}
