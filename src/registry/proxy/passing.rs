//! A blob that only passes through: of a registry that may not write, or cannot, or has no room for it.
//!
//! The newest piece is held back until the next one is there, and the last one until the digest is right.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http_body::Body as _;
use oci::{Digest, Digester};

use super::blobs::Opened;
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
    /// How many bytes the client has still to get, those that are held among them. None: nobody says.
    remaining: Option<u64>,
    /// What comes first and the client has already.
    skipped: u64,
}

impl Passing {
    pub(super) fn new(digest: Digest, opened: Opened, pulls: Arc<Pulls>) -> Self {
        let digester = Digester::new(digest.algorithm());
        Self {
            digest,
            remaining: opened.size.map(|size| size.saturating_sub(opened.start)),
            body: opened.body,
            pulls,
            digester: Some(digester),
            held: Bytes::new(),
            skipped: 0,
        }
    }

    /// The rest of a blob for a client that has its beginning, of which the digester has been told.
    pub(super) fn rest(
        digest: Digest,
        (opened, size): (Opened, u64),
        (had, digester): (u64, Digester),
        pulls: Arc<Pulls>,
    ) -> Self {
        Self {
            digest,
            body: opened.body,
            pulls,
            digester: Some(digester),
            held: Bytes::new(),
            remaining: Some(size.saturating_sub(had)),
            skipped: had.saturating_sub(opened.start),
        }
    }

    /// None: nobody says how much it is.
    pub(crate) fn remaining(&self) -> Option<u64> {
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
                None if self.remaining.is_none_or(|remaining| remaining == held) => {
                    return Poll::Ready(self.finish());
                }
                None => return Poll::Ready(Some(Err(self.broken("it ended early")))),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.broken(Fault::from(error))))),
                Some(Ok(frame)) => frame,
            };
            let Ok(mut bytes) = frame.into_data() else { continue };
            self.pulls.pulled(Kept::Blob, bytes.len() as u64);
            let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(bytes.len());
            bytes.advance(skipped);
            self.skipped -= skipped as u64;
            if bytes.is_empty() {
                continue;
            }
            let received = held + bytes.len() as u64;
            if self.remaining.is_some_and(|remaining| received > remaining) {
                return Poll::Ready(Some(Err(self.broken("it is longer than was said"))));
            }
            digester.update(&bytes);
            let released = std::mem::replace(&mut self.held, bytes);
            if !released.is_empty() {
                let length = released.len() as u64;
                self.remaining = self.remaining.map(|remaining| remaining - length);
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
        self.remaining = Some(0);
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
