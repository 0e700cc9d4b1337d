//! The other registry's blobs.

use http::{HeaderMap, StatusCode, header::CONTENT_RANGE};
use oci::{Digest, RepositoryName};

use super::{
    error::Error,
    upstream::{Asking, Described, Upstream},
};

/// A blob that has been opened there. It may be anything as long as its bytes are not looked at.
#[derive(Debug)]
pub(super) struct Opened {
    /// How long all of it is; none: nobody says.
    pub(super) size: Option<u64>,
    /// Where the body begins.
    pub(super) start: u64,
    pub(super) body: reqwest::Body,
}

impl Upstream {
    pub(super) async fn describe_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Described, Error> {
        let path = format!("{name}/blobs/{digest}");
        let said = match self.ask(name, &path, &Asking::head()).await {
            Ok(response) => size_in(response.headers(), digest),
            Err(Error::Status(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)) => {
                None
            }
            Err(error) => return Err(error),
        };
        let size = match said {
            Some(size) => Some(size),
            // The answer to a GET begins with what that to a HEAD should have said.
            None => {
                let response = self.ask(name, &path, &Asking::large(None)).await?;
                size_in(response.headers(), digest)
            }
        };
        Ok(Described { digest: Some(*digest), size, media_type: None })
    }

    /// Opens a blob, at best from there on.
    pub(super) async fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        start: u64,
    ) -> Result<Opened, Error> {
        let path = format!("{name}/blobs/{digest}");
        let asking = Asking::large(Some(start).filter(|start| *start > 0));
        let response = self.ask(name, &path, &asking).await?;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let (from, size) = part(response.headers()).filter(|(from, _)| *from == start).ok_or(
                Error::Unusable("it sends another part of the blob than it was asked for"),
            )?;
            return Ok(Opened { size, start: from, body: response.into() });
        }
        let mut size = size_in(response.headers(), digest);
        if size.is_none() {
            let asked = self.ask(name, &path, &Asking::head()).await;
            size = asked.ok().and_then(|head| size_in(head.headers(), digest));
        }
        Ok(Opened { size, start: 0, body: response.into() })
    }
}

/// The length that is said of a blob. Only one blob has none, whatever a server says that does not know.
fn size_in(headers: &HeaderMap, digest: &Digest) -> Option<u64> {
    let size = Described::of(headers).size?;
    (size > 0 || *digest == Digest::of(digest.algorithm(), b"")).then_some(size)
}

/// Where a part begins, and how long the whole is.
fn part(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, size.trim().parse().ok()))
}
