//! `redis`, in the form of 2.8 or of 3: where registries of Distribution cache descriptors.
//!
//! It is read only where `storage.cache.blobdescriptor` asks for it: else there is nothing to do with one.

use std::{path::PathBuf, time::Duration};

use super::{Origin, Secret, check::Findings, keys, read, scalar, tree::Node};

const CACHE: &str = "storage.cache.blobdescriptor";

/// The old name, which Distribution still reads.
const OLD_CACHE: &str = "storage.cache.layerinfo";

/// How long a connection may take when nothing is said; Distribution 2.8 waits for ever then.
const DIAL: Duration = Duration::from_secs(5);

/// How long commands may take to be sent, and answers to come.
const SPEAK: Duration = Duration::from_secs(3);

/// No wait is longer, whatever is said.
const LONGEST: Duration = Duration::from_secs(60);

/// The Redis that is told what was deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redis {
    /// `redis.addr`, or the one of `redis.addrs`: host and port; the name is resolved for each connection.
    pub address: String,
    /// `redis.username`.
    pub username: Option<String>,
    /// `redis.password`.
    pub password: Option<Secret>,
    /// `redis.db`; 0 when unset.
    pub db: u32,
    /// `redis.dialtimeout`, for TLS and login too; 5 s when unset.
    pub dial_timeout: Duration,
    /// `redis.readtimeout`; 3 s when unset.
    pub read_timeout: Duration,
    /// `redis.writetimeout`; 3 s when unset.
    pub write_timeout: Duration,
    /// `redis.tls`. None: without TLS.
    pub tls: Option<RedisTls>,
}

/// `redis.tls`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedisTls {
    /// `certificate` and `key`: what this side shows.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// `rootcas`: files of authorities. None of them: those that the system trusts.
    pub roots: Vec<PathBuf>,
}

/// Reads the section, if the cache is in Redis.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Redis> {
    if !is_wanted(root, findings) {
        return None;
    }
    let address = address(root, findings);
    let db = db(root, findings);
    let tls = tls(root, findings);
    let (username, password) = (text(root, "username"), text(root, "password"));
    if username.is_some() && password.is_none() {
        problem(root, "password", "missing", Some("a name needs one"), findings);
    }
    Some(Redis {
        address: address?,
        username: username.map(str::to_owned),
        password: password.map(Secret::new),
        db: db?,
        dial_timeout: limit(root, "dialtimeout", DIAL),
        read_timeout: limit(root, "readtimeout", SPEAK),
        write_timeout: limit(root, "writetimeout", SPEAK),
        tls: tls?,
    })
}

/// Whether descriptors are cached in Redis; what is no cache is said, and is none, as upstream.
fn is_wanted(root: &Node, findings: &mut Findings) -> bool {
    let path = if read::text(root, CACHE).is_some() { CACHE } else { OLD_CACHE };
    let Some((node, kind)) = root.find(path).zip(read::text(root, path)) else { return false };
    match kind {
        "redis" => true,
        "inmemory" => false,
        _ => {
            let message =
                "no cache of Distribution, which ignores it; there are inmemory and redis";
            findings.warning(path, node, message);
            false
        }
    }
}

fn text<'a>(root: &'a Node, name: &str) -> Option<&'a str> {
    read::text(root, &keys::join("redis", name))
}

/// A problem with a key of the section, whether or not it is there.
fn problem(root: &Node, name: &str, message: &str, advice: Option<&str>, findings: &mut Findings) {
    let path = keys::join("redis", name);
    let absent = Node::null(Origin::Absent);
    let node = root.find(&path).or_else(|| root.find("redis")).unwrap_or(&absent);
    findings.problem(&path, node, message, advice);
}

fn address(root: &Node, findings: &mut Findings) -> Option<String> {
    let listed: Vec<&str> = root
        .find("redis.addrs")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Node::text)
        .collect();
    let advice = Some("write `addr: redis.example.com:6379`");
    let (name, found) = match (text(root, "addr"), listed.as_slice()) {
        (Some(address), [] | [_]) => ("addr", address),
        (None, [address]) => ("addrs", *address),
        (None, []) => {
            let message = format!("missing, although `{CACHE}` is redis");
            problem(root, "addr", &message, advice, findings);
            return None;
        }
        (_, [..]) => {
            let message = "several addresses are a cluster, which is not supported";
            problem(root, "addrs", message, Some("name a single Redis"), findings);
            return None;
        }
    };
    let port = found.rsplit_once(':').filter(|(host, port)| {
        let is_host = host.starts_with('[') == host.contains(':');
        !host.is_empty() && is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if port.is_none() || found.contains(['/', '@', ' ']) {
        problem(root, name, "must be a host and a port", advice, findings);
        return None;
    }
    Some(found.to_owned())
}

fn db(root: &Node, findings: &mut Findings) -> Option<u32> {
    let Some(text) = text(root, "db") else { return Some(0) };
    let db = scalar::integer(text).and_then(|db| u32::try_from(db).ok());
    if db.is_none() {
        problem(root, "db", "must be the number of a database, from 0", None, findings);
    }
    db
}

fn limit(root: &Node, name: &str, otherwise: Duration) -> Duration {
    let said = read::span(root, &keys::join("redis", name)).filter(|span| !span.is_zero());
    said.unwrap_or(otherwise).min(LONGEST)
}

/// As 3 has it, a certificate or authorities are enough to ask for TLS; as GitLab, `enabled` is.
fn tls(root: &Node, findings: &mut Findings) -> Option<Option<RedisTls>> {
    let roots: Vec<PathBuf> = ["redis.tls.rootcas", "redis.tls.clientcas"]
        .into_iter()
        .filter_map(|path| root.find(path))
        .flat_map(Node::items)
        .filter_map(Node::text)
        .map(PathBuf::from)
        .collect();
    let (certificate, key) = (text(root, "tls.certificate"), text(root, "tls.key"));
    let enabled = read::boolean(root, "redis.tls.enabled");
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let advice = Some("write both, or neither");
            problem(root, "tls", "a certificate and its key go together", advice, findings);
            return None;
        }
    };
    let is_on = enabled.unwrap_or(certificate.is_some() || !roots.is_empty());
    Some(is_on.then_some(RedisTls { certificate, roots }))
}
