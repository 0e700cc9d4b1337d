//! `health`: checks that take the registry out of service while they fail.

use std::{path::PathBuf, time::Duration};

use http::{HeaderMap, StatusCode, Uri};

use super::{
    check::Findings,
    keys, read, scalar,
    tree::{Node, Value},
};

/// How often a check is made when nothing is said.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long one may take when nothing is said; Distribution waits for ever.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The checks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// `health.storagedriver`, where it is enabled.
    pub storage: Option<Pace>,
    /// `health.file`.
    pub files: Vec<FileCheck>,
    /// `health.http`.
    pub http: Vec<HttpCheck>,
    /// `health.tcp`.
    pub tcp: Vec<TcpCheck>,
}

/// How often something is checked, and how often it must fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// The time from one check to the next; 10 s when unset.
    pub interval: Duration,
    /// Failures in a row that count; one when unset.
    pub threshold: u32,
}

/// A file that must not be there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileCheck {
    /// Its path.
    pub path: PathBuf,
    /// How often.
    pub pace: Pace,
}

/// A URL that must answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCheck {
    /// What is asked, by HEAD.
    pub uri: Uri,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// The status that is good; 200 when unset.
    pub status: StatusCode,
    /// How long an answer may take; 10 s when unset.
    pub timeout: Duration,
    /// How often.
    pub pace: Pace,
}

/// An address that must accept connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcpCheck {
    /// Host and port; the name is resolved for each check.
    pub address: String,
    /// How long a connection may take; 10 s when unset.
    pub timeout: Duration,
    /// How often.
    pub pace: Pace,
}

/// Reads the section.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Health {
    let is_enabled = read::boolean(root, "health.storagedriver.enabled").unwrap_or(false);
    let storage = root.find("health.storagedriver").filter(|_| is_enabled);
    Health {
        storage: storage.map(|node| pace(node, "health.storagedriver", findings)),
        files: each(root, "health.file", findings, file),
        http: each(root, "health.http", findings, http),
        tcp: each(root, "health.tcp", findings, tcp),
    }
}

/// Reads the items of a list; what is no map is a problem.
fn each<T>(
    root: &Node,
    path: &str,
    findings: &mut Findings,
    one: fn(&Node, &str, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for item in root.find(path).map(Node::items).unwrap_or_default() {
        match &item.value {
            Value::Map(_) => found.extend(one(item, &format!("{path}[]"), findings)),
            Value::List(_) | Value::Scalar { .. } => {
                findings.problem(
                    path,
                    item,
                    format!("{} where a map is expected", item.noun()),
                    None,
                );
            }
        }
    }
    found
}

fn file(item: &Node, path: &str, findings: &mut Findings) -> Option<FileCheck> {
    let name = required(
        item,
        path,
        "file",
        "name the file that takes the registry out of service",
        findings,
    )?;
    Some(FileCheck { path: name.into(), pace: pace(item, path, findings) })
}

fn http(item: &Node, path: &str, findings: &mut Findings) -> Option<HttpCheck> {
    let advice = "write a URL such as `http://127.0.0.1:8080/health`";
    let text = required(item, path, "uri", advice, findings)?;
    let uri = text
        .parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    let at = keys::join(path, "uri");
    let Some(uri) = uri else {
        // It may hold a password.
        let node = Node::null(item.find("uri")?.origin.clone());
        findings.problem(&at, &node, "must be a URL of http or https", Some(advice));
        return None;
    };
    Some(HttpCheck {
        uri,
        headers: headers(item, path, findings),
        status: status(item, path, findings),
        timeout: timeout(item),
        pace: pace(item, path, findings),
    })
}

fn headers(item: &Node, path: &str, findings: &mut Findings) -> HeaderMap {
    let Some(node) = item.find("headers") else { return HeaderMap::new() };
    read::header_map(&keys::join(path, "headers"), node, findings).into_iter().collect()
}

fn tcp(item: &Node, path: &str, findings: &mut Findings) -> Option<TcpCheck> {
    let advice = "write `host:port`";
    let address = required(item, path, "addr", advice, findings)?;
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port {
        findings.problem(
            &keys::join(path, "addr"),
            item.find("addr")?,
            "the port is missing",
            Some(advice),
        );
        return None;
    }
    // No host is this machine, as for Go.
    let address =
        if address.starts_with(':') { format!("localhost{address}") } else { address.to_owned() };
    Some(TcpCheck { address, timeout: timeout(item), pace: pace(item, path, findings) })
}

fn required<'a>(
    item: &'a Node,
    path: &str,
    name: &str,
    advice: &str,
    findings: &mut Findings,
) -> Option<&'a str> {
    let text = item.find(name).and_then(Node::text).filter(|text| !text.is_empty());
    if text.is_none() {
        let absent = Node::null(item.origin.clone());
        findings.problem(&keys::join(path, name), &absent, "missing", Some(advice));
    }
    text
}

/// Zero is no interval and no threshold, as for Distribution.
fn pace(item: &Node, path: &str, findings: &mut Findings) -> Pace {
    let interval = read::span(item, "interval").filter(|span| !span.is_zero()).unwrap_or(INTERVAL);
    let threshold = item.find("threshold");
    let count = threshold.and_then(|node| scalar::integer(node.text()?)).unwrap_or(0);
    if let Some(node) = threshold.filter(|_| count < 0) {
        findings.warning(&keys::join(path, "threshold"), node, "less than 1 is the default, 1");
    }
    Pace { interval, threshold: u32::try_from(count.max(1)).unwrap_or(u32::MAX) }
}

fn timeout(item: &Node) -> Duration {
    read::span(item, "timeout").filter(|span| !span.is_zero()).unwrap_or(TIMEOUT)
}

fn status(item: &Node, path: &str, findings: &mut Findings) -> StatusCode {
    let Some(node) = item.find("statuscode") else { return StatusCode::OK };
    match node.text().and_then(scalar::integer) {
        Some(0) | None => StatusCode::OK,
        Some(code) => {
            let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
            status.unwrap_or_else(|| {
                let path = keys::join(path, "statuscode");
                findings.problem(&path, node, "must be a status from 100 to 999", None);
                StatusCode::OK
            })
        }
    }
}
