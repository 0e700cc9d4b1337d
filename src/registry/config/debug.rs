//! `http.debug`: a second listener, for health, numbers and metrics.

use super::{Address, Tls, check::Findings, read, tree::Node};

/// Where metrics are when nothing is said.
const METRICS: &str = "/metrics";

/// A second listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Debug {
    /// `http.debug.addr`.
    pub address: Address,
    /// `http.debug.prometheus.path`, where `enabled`; `/metrics` when unset.
    pub metrics: Option<String>,
    /// `http.debug.tls`.
    pub tls: Option<Tls>,
}

/// Reads the section; none without an address.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Debug> {
    let path = "http.debug.addr";
    let text = read::text(root, path)?;
    let node = root.find(path)?;
    let address = match Address::tcp(text) {
        Ok(address) => address,
        Err(wrong) => {
            findings.problem(path, node, wrong.message, wrong.advice.as_deref());
            return None;
        }
    };
    let is_secured = read::boolean(root, "http.debug.tls.enabled").unwrap_or(true);
    Some(Debug {
        address,
        metrics: metrics(root, findings),
        tls: is_secured.then(|| super::tls::read(root, "http.debug.tls", findings)).flatten(),
    })
}

fn metrics(root: &Node, findings: &mut Findings) -> Option<String> {
    if read::boolean(root, "http.debug.prometheus.enabled") != Some(true) {
        return None;
    }
    let path = "http.debug.prometheus.path";
    let Some(text) = read::text(root, path) else { return Some(METRICS.to_owned()) };
    if let Some(node) = root.find(path).filter(|_| !text.starts_with('/') || text.len() < 2) {
        findings.problem(path, node, "must be a path", Some("write `/metrics`"));
    }
    Some(text.to_owned())
}
