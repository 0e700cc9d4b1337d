//! Having the running registry pull a tag from its own storage, through its admin socket.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    state::Layout,
    sys::local::{self, Method, Peer},
};

/// Reading a large image over a network takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was pulled.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Pulled {
    /// What the tag points to.
    pub(crate) digest: String,
    /// Manifests included.
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error("the running registry could not be asked to pull `{0}`")]
    Ask(String, #[source] io::Error),
    #[error("`{image}` cannot be pulled: {reason}")]
    Refused { image: String, reason: String },
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Has the registry look at a tag and all that it names; with `read` every byte is read and hashed.
pub(crate) fn pull(
    layout: &Layout,
    (repository, tag): (&str, &str),
    read: bool,
) -> Result<Pulled, PullError> {
    let peer = Peer::Unix(layout.registry_socket());
    let image = || format!("{repository}:{tag}");
    let wanted = json!({ "repository": repository, "tag": tag, "read": read }).to_string();
    let answer = local::request(&peer, &Method::POST, "/v1/pull", Some(wanted), PATIENCE);
    let local::Answer { status, body } = answer.map_err(|error| PullError::Ask(image(), error))?;
    let pulled = (status == 200).then(|| serde_json::from_str(&body).ok()).flatten();
    pulled.ok_or_else(|| {
        let refusal = serde_json::from_str(&body).map(|Refusal { error }| error);
        let reason = refusal.unwrap_or_else(|_| format!("status {status}: {}", body.trim()));
        PullError::Refused { image: image(), reason }
    })
}
