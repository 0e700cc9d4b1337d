//! A blob that only passes through: of a registry that may not write, or cannot.
//!
//! The newest piece is held back until the next one is there, and the last one until the digest is right.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Body as _;
use oci::{Digest, Digester};

use crate::{
    metrics::{Kept, Pulls},
    outbound::Fault,
};

/// A blob from the other registry, on its way to one client.
pub(crate) struct Passing {
    digest: Digest,
    body: reqwest::Body,
    pulls: Arc<Pulls>,
    /// None once it is finished.
    digester: Option<Digester>,
    held: Bytes,
    /// How many bytes the client has still to get, those that are held among them.
    remaining: u64,
}

impl Passing {
    pub(super) fn new(
        digest: Digest,
        size: u64,
        (body, pulls): (reqwest::Body, Arc<Pulls>),
    ) -> Self {
        let digester = Some(Digester::new(digest.algorithm()));
        Self { digest, body, pulls, digester, held: Bytes::new(), remaining: size }
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next piece; none at the end.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, storage::Error>>> {
        loop {
            let Some(digester) = &mut self.digester else { return Poll::Ready(None) };
            let held = self.held.len() as u64;
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None if held == self.remaining => return Poll::Ready(self.finish()),
                None => return Poll::Ready(Some(Err(self.broken("it ended early")))),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.broken(Fault::from(error))))),
                Some(Ok(frame)) => frame,
            };
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            self.pulls.pulled(Kept::Blob, bytes.len() as u64);
            if held + bytes.len() as u64 > self.remaining {
                return Poll::Ready(Some(Err(self.broken("it is longer than was said"))));
            }
            digester.update(&bytes);
            let released = std::mem::replace(&mut self.held, bytes);
            if !released.is_empty() {
                self.remaining -= released.len() as u64;
                return Poll::Ready(Some(Ok(released)));
            }
        }
    }

    fn finish(&mut self) -> Option<Result<Bytes, storage::Error>> {
        let actual = self.digester.take()?.finish();
        if actual != self.digest {
            return Some(Err(self.broken("it has another digest")));
        }
        let last = std::mem::take(&mut self.held);
        self.remaining = 0;
        (!last.is_empty()).then_some(Ok(last))
    }

    fn broken(&self, reason: impl fmt::Display) -> storage::Error {
        storage::Error::io("fetch", self.digest, io::Error::other(reason.to_string()))
    }
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing").field("digest", &self.digest).finish_non_exhaustive()
    }
}
