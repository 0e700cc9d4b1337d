//! `[registry.storage.cache]` and `[registry.redis]`: the Redis in which other registries cache descriptors.

use std::{path::PathBuf, time::Duration};

use super::{checks::Findings, settings::Settings};
use crate::Secret;

pub(super) const CACHE: &str = "registry.storage.cache.blobdescriptor";

/// The Redis, and how to be let in; unset: as the registry has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Redis {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) db: Option<u64>,
    pub(crate) dial_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) tls: bool,
    /// Files of authorities; none of them: those of the system.
    pub(crate) roots: Vec<PathBuf>,
}

fn key(name: &str) -> String {
    format!("registry.redis.{name}")
}

pub(super) fn redis(settings: &Settings) -> Option<Redis> {
    let span = |name: &str| settings.duration(&key(name));
    let roots = settings.list(&key("tls.rootcas")).unwrap_or_default();
    Some(Redis {
        address: settings.text(&key("addr"))?,
        username: settings.text(&key("username")),
        password: settings.secret(&key("password")),
        db: settings.count(&key("db")),
        dial_timeout: span("dialtimeout"),
        read_timeout: span("readtimeout"),
        write_timeout: span("writetimeout"),
        // Who names authorities would be surprised by a password in the clear.
        tls: settings.flag(&key("tls.enabled")).unwrap_or(!roots.is_empty()),
        roots: roots.into_iter().map(PathBuf::from).collect(),
    })
}

/// A cache needs its Redis, a Redis its port, and a name its password.
pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    let is_set = |key: &str| settings.get(key).is_some() || settings.is_spoiled(key);
    let address = key("addr");
    if settings.text(CACHE).as_deref() == Some("redis")
        && let Some(at) = settings.written(CACHE).filter(|_| !is_set(&address))
    {
        let message = format!("{} needs `{address}` too", findings.assignment(CACHE, &at));
        let hint = "write `addr = \"redis.example.com:6379\"` in [registry.redis]";
        findings.problem(&at, CACHE, message, hint);
    }
    if let (Some(at), Some(text)) = (settings.written(&address), settings.text(&address))
        && !is_host_and_port(&text)
    {
        let message = format!("{}: must be a host and a port", findings.assignment(&address, &at));
        findings.problem(&at, &address, message, "write `addr = \"redis.example.com:6379\"`");
    }
    let (name, password) = (key("username"), key("password"));
    if let Some(at) = settings.written(&name).filter(|_| !is_set(&password)) {
        let message = format!("{} needs `{password}` too", findings.assignment(&name, &at));
        findings.problem(&at, &name, message, "set both, or remove it");
    }
}

fn is_host_and_port(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    text.chars().all(plain)
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && host.starts_with('[') == host.contains(':')
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}
