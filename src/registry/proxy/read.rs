//! Reading what the other registry says, up to a limit.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::error::Error;
use crate::outbound::Fault;

/// The whole body, when it is not longer than that.
pub(super) async fn bounded(mut response: Response, most: usize) -> Result<Bytes, Error> {
    const TOO_LONG: Error = Error::Unusable("it is too long");
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(TOO_LONG);
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Fault::from)? {
        if bytes.len() + chunk.len() > most {
            return Err(TOO_LONG);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
