//! The body of a pushed manifest, which is in memory as a whole.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    StatusCode,
    header::{CONTENT_LENGTH, RETRY_AFTER},
};
use http_body_util::BodyExt;
use oci::ErrorCode;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout},
};

use super::{Call, failure::Failure, received::Received};
use crate::content::{BodyError, Error};

/// Nearly all manifests are smaller.
const SMALL_BYTES: usize = 64 * 1024;

/// 4 MiB in a minute are 70 kB a second.
const BODY_TIME: Duration = Duration::from_secs(60);

/// How long nothing of it may arrive: who sends nothing takes the room of others.
const SILENCE: Duration = Duration::from_secs(10);

/// How long one waits for room, and how soon the client may come back then.
const ROOM_TIME: Duration = Duration::from_secs(30);
const ROOM_SECONDS: u16 = 5;

/// A manifest, and its share of the room for large ones.
pub(super) struct Arrived<'a> {
    pub(super) bytes: Bytes,
    pub(super) _room: Option<SemaphorePermit<'a>>,
}

impl Call<'_> {
    /// The body, which may not be larger than a manifest can be.
    ///
    /// Only a few large ones at once are in memory, whoever sends how many. The time that one waits for room is not the
    /// client's.
    pub(super) async fn manifest_bytes(&self, mut body: Received) -> Result<Arrived<'_>, Failure> {
        let length = self.parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length: Option<usize> = length.and_then(|length| length.parse().ok());
        let most = self.settings.validation.payload_limit;
        if length.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        let mut received = BytesMut::new();
        let mut room = None;
        let mut deadline = Instant::now() + BODY_TIME;
        loop {
            let patience = SILENCE.min(deadline.saturating_duration_since(Instant::now()));
            let Ok(frame) = timeout(patience, body.frame()).await else { return Err(too_slow()) };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| {
                let reason = Error::from(BodyError::new(error));
                Failure::new(ErrorCode::ManifestInvalid).because(reason)
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            if received.len() + bytes.len() > most {
                return Err(too_large(most));
            }
            if room.is_none() && received.len() + bytes.len() > SMALL_BYTES {
                let asked = Instant::now();
                let permit = timeout(ROOM_TIME, self.api.large_manifests.acquire()).await;
                room = Some(permit.ok().and_then(Result::ok).ok_or_else(no_room)?);
                deadline += asked.elapsed();
            }
            received.extend_from_slice(&bytes);
        }
        Ok(Arrived { bytes: received.freeze(), _room: room })
    }
}

fn too_slow() -> Failure {
    Failure::new(ErrorCode::ManifestInvalid)
        .because("it did not arrive within a minute, or nothing of it came for ten seconds")
        .with_status(StatusCode::REQUEST_TIMEOUT)
}

fn no_room() -> Failure {
    Failure::new(ErrorCode::Unavailable)
        .because("as many large manifests as there is room for are being pushed")
        .with_header(RETRY_AFTER, ROOM_SECONDS)
}

/// 413 as the OCI specification says; Distribution answers 400.
fn too_large(most: usize) -> Failure {
    Failure::new(ErrorCode::ManifestInvalid)
        .because(format!("it is larger than {most} bytes"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
