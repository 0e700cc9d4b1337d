//! Having the running registry read its configuration again, through its admin socket.

use std::{collections::BTreeMap, io, time::Duration};

use registry::quota::Fill;
use serde::Deserialize;

use crate::{
    state::Layout,
    sys::local::{self, Method, Peer},
};

/// How long a registry may take to read its configuration again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a registry may take to say how it is.
const GLANCE: Duration = Duration::from_secs(1);

/// What came of it, as keys of `config.yml`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub(crate) struct Reloaded {
    pub(crate) applied: Vec<String>,
    /// What only another process can take.
    pub(crate) needs_restart: Vec<String>,
}

/// Why the registry goes on as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    #[error("the running registry could not be told to reload")]
    Tell(#[source] io::Error),
    #[error("the registry refuses its configuration, and goes on with the former one{}", listed(.0))]
    Invalid(Vec<String>),
    #[error("the running registry answered {status} when told to reload: {body}")]
    Answer { status: u16, body: String },
}

/// What a refusal says.
#[derive(Debug, Deserialize)]
struct Refusal {
    problems: Vec<String>,
}

/// The part of its status that others want to know.
#[derive(Debug, Deserialize)]
struct Status {
    read_only: bool,
    #[serde(default)]
    unhealthy: BTreeMap<String, String>,
    #[serde(default)]
    quotas: Vec<Fill>,
}

/// Has the registry read its configuration again.
pub(crate) fn reload(layout: &Layout) -> Result<Reloaded, ReloadError> {
    let peer = Peer::Unix(layout.registry_socket());
    let answer = local::request(&peer, &Method::POST, "/v1/reload", None, PATIENCE);
    let local::Answer { status, body } = answer.map_err(ReloadError::Tell)?;
    let strange = || ReloadError::Answer { status, body: body.trim().to_owned() };
    match status {
        200 => serde_json::from_str(&body).map_err(|_| strange()),
        422 => {
            let refusal: Refusal = serde_json::from_str(&body).map_err(|_| strange())?;
            Err(ReloadError::Invalid(refusal.problems))
        }
        _ => Err(strange()),
    }
}

/// Asks the running registry whether it takes no writes; `None` when it does not say.
pub(crate) fn is_read_only(layout: &Layout) -> Option<bool> {
    let peer = Peer::Unix(layout.registry_socket());
    let answer = local::request(&peer, &Method::GET, "/v1/status", None, GLANCE).ok()?;
    let status: Status = serde_json::from_str(&answer.body).ok()?;
    Some(status.read_only)
}

/// Asks the running registry which of its health checks fail, and why; none when it does not say.
pub(crate) fn failing_checks(layout: &Layout) -> BTreeMap<String, String> {
    let peer = Peer::Unix(layout.registry_socket());
    let answer = local::request(&peer, &Method::GET, "/v1/status", None, GLANCE).ok();
    let status = answer.and_then(|answer| serde_json::from_str::<Status>(&answer.body).ok());
    status.map(|status| status.unhealthy).unwrap_or_default()
}

/// Asks the running registry how far quotas are used; none when it does not say.
pub(crate) fn quotas(layout: &Layout) -> Vec<Fill> {
    let peer = Peer::Unix(layout.registry_socket());
    let answer = local::request(&peer, &Method::GET, "/v1/status", None, GLANCE).ok();
    let status = answer.and_then(|answer| serde_json::from_str::<Status>(&answer.body).ok());
    status.map(|status| status.quotas).unwrap_or_default()
}

fn listed(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
