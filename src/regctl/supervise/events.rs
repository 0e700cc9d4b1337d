//! Asking the running registry for its events that wait, and having it do something to them, through its admin socket.

use std::{collections::BTreeMap, io, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    state::Layout,
    sys::local::{self, Method, Peer},
};

/// A replay copies as much as a queue may hold.
const PATIENCE: Duration = Duration::from_secs(60);

const PATH: &str = "/v1/events";

/// What an endpoint has been told since the registry's process began, and what waits for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct EndpointState {
    pub(crate) name: String,
    /// Without what may be secret.
    pub(crate) url: String,
    /// Whether what waits survives the process.
    pub(crate) durable: bool,
    /// Whether this process delivers; the one that it replaces may still do so.
    pub(crate) delivering: bool,
    pub(crate) pending: u64,
    pub(crate) pending_bytes: u64,
    /// Given up, and kept.
    pub(crate) dead: u64,
    pub(crate) delivered: u64,
    pub(crate) failures: u64,
    pub(crate) given_up: u64,
    /// There was no room for them.
    pub(crate) lost: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Null after a success.
    pub(crate) trouble: Option<String>,
}

/// What is to become of an endpoint's events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EventsWish {
    Replay,
    ForgetDead,
    ForgetPending,
}

/// Why it is not known, or not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventsError {
    /// There is nobody to ask.
    #[error("the registry does not run")]
    NotRunning,
    #[error("the running registry could not be asked for its events")]
    Ask(#[source] io::Error),
    #[error("{0}")]
    Refused(String),
    #[error("the running registry answered {status} when asked for its events: {body}")]
    Answer { status: u16, body: String },
}

#[derive(Deserialize)]
struct Listed {
    endpoints: Vec<EndpointState>,
}

#[derive(Deserialize)]
struct Done {
    events: u64,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Lists every endpoint.
pub(crate) fn events(layout: &Layout) -> Result<Vec<EndpointState>, EventsError> {
    let Listed { endpoints } = ask(layout, &Method::GET, None)?;
    Ok(endpoints)
}

/// Does something to the events of an endpoint, and says to how many.
pub(crate) fn do_with_events(
    layout: &Layout,
    endpoint: &str,
    wish: EventsWish,
) -> Result<u64, EventsError> {
    let document = json!({ "endpoint": endpoint, "wish": wish }).to_string();
    let Done { events } = ask(layout, &Method::POST, Some(document))?;
    Ok(events)
}

fn ask<T: for<'de> Deserialize<'de>>(
    layout: &Layout,
    method: &Method,
    document: Option<String>,
) -> Result<T, EventsError> {
    let peer = Peer::Unix(layout.registry_socket());
    let answer = local::request(&peer, method, PATH, document, PATIENCE);
    let local::Answer { status, body } = answer.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => EventsError::NotRunning,
        _ => EventsError::Ask(error),
    })?;
    let strange = || EventsError::Answer { status, body: body.trim().to_owned() };
    match status {
        200 => serde_json::from_str(&body).map_err(|_| strange()),
        404 | 409 | 500 => {
            let Refusal { error } = serde_json::from_str(&body).map_err(|_| strange())?;
            Err(EventsError::Refused(error))
        }
        _ => Err(strange()),
    }
}
