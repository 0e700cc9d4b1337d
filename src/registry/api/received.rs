//! The body of a request. What nobody takes of it is read on for a while, so that whoever sends it gets
//! to read the answer.
//!
//! A connection that is closed while the other end still writes is reset, and the answer may be lost with it; nginx in
//! between makes a 502 of that.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{header::EXPECT, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};

/// Who sends more than that is not waiting for an answer: the connection is closed.
const BYTES_MAX: u64 = 64 << 20;

/// Nor is who takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who falls silent for so long is not writing, and finds the answer when it reads.
const SILENCE: Duration = Duration::from_secs(2);

/// A body that may be dropped before its end.
#[derive(Debug)]
pub(super) struct Received {
    /// None: there is nothing more to read.
    body: Option<Incoming>,
    /// Whether the client sends nothing before it is told to go on, which reading tells it.
    is_held_back: bool,
}

impl Received {
    pub(super) fn new(parts: &Parts, body: Incoming) -> Self {
        Self { body: Some(body), is_held_back: parts.headers.contains_key(EXPECT) }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_held_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream() && !self.is_held_back);
        // Without a runtime the process ends, and its connections with it.
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(PATIENCE, read_on(rest)));
        }
    }
}

/// Reads a body, and forgets it, while the request is answered.
async fn read_on(mut body: Incoming) {
    let mut left = BYTES_MAX;
    while let Ok(Some(Ok(frame))) = timeout(SILENCE, body.frame()).await {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}
