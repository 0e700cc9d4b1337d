//! Links: files that hold a digest and nothing else, 71 bytes for sha256.
//!
//! Distribution answers 500 for a link with a trailing newline or without content. Here such a link is
//! not there, and the log says which one it is.

use bytes::Bytes;
use oci::Digest;
use storage::{Driver, Key, Kind, Staged};

use super::{Content, Error};

/// `sha512:` and 128 hex digits are 135 bytes.
pub(super) const LINK_BYTES: usize = 160;

impl Content {
    /// The digest in a link; none if there is no link, or none that can be read as one.
    pub(super) async fn read_link(&self, key: Key<'_>) -> Result<Option<Digest>, Error> {
        let bytes = match self.backend().get(key, LINK_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == Kind::NotFound => return Ok(None),
            Err(error) if error.kind() == Kind::TooLarge => Bytes::new(),
            Err(error) => return Err(error.into()),
        };
        let digest = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        if digest.is_none() {
            tracing::error!(key = %key, "link holds no digest; it is treated as missing");
        }
        Ok(digest)
    }

    /// Prepares a link: only its rename is left to do.
    pub(super) async fn stage_link(&self, key: Key<'_>, digest: &Digest) -> Result<Staged, Error> {
        Ok(self.backend().stage(key, Bytes::from(digest.to_string())).await?)
    }
}
