//! Bodies of requests that were refused: read on for a while, so that whoever sends one gets to read the answer.
//!
//! A connection that is closed while the other end still writes is reset, and the answer may be lost with it; nginx in
//! between makes a 502 of that.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

/// Who sends more than that is not waiting for an answer: the connection is closed.
const BYTES_MAX: u64 = 64 << 20;

/// Nor is who takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body, and forgets it, while the request is answered.
pub(super) fn read_on(mut body: Incoming) {
    tokio::spawn(timeout(PATIENCE, async move {
        let mut left = BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let read = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(rest) = left.checked_sub(read) else { return };
            left = rest;
        }
    }));
}
