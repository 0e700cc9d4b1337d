//! The body of an answer: nothing, a document, or bytes of a blob as they are read.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{
    content::{Chunks, Outlet},
    log::Causes as _,
    proxy::{ArrivingChunks, Passing},
};

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Body {
    pieces: Pieces,
}

#[derive(Debug)]
enum Pieces {
    None,
    /// What is not read, and nobody knows the length of.
    Unread,
    One(Piece),
    Many(VecDeque<Piece>),
}

/// A part of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    Blob(Chunks),
    Arriving(Box<ArrivingChunks>),
    Passing(Box<Passing>),
}

impl Body {
    pub(super) const fn empty() -> Self {
        Self { pieces: Pieces::None }
    }

    /// Of an answer to a HEAD: it is not said that the body is empty.
    pub(super) const fn unread() -> Self {
        Self { pieces: Pieces::Unread }
    }

    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self { pieces: Pieces::One(Piece::Bytes(bytes.into())) }
    }

    pub(super) fn one(piece: Piece) -> Self {
        Self { pieces: Pieces::One(piece) }
    }

    pub(super) fn parts(pieces: VecDeque<Piece>) -> Self {
        Self { pieces: Pieces::Many(pieces) }
    }

    /// Has the kernel send what it can of files, on the connection of this outlet.
    pub(crate) fn leave_by(&mut self, outlet: &Arc<Outlet>) {
        match &mut self.pieces {
            Pieces::None | Pieces::Unread => {}
            Pieces::One(piece) => piece.leave_by(outlet),
            Pieces::Many(pieces) => pieces.iter_mut().for_each(|piece| piece.leave_by(outlet)),
        }
    }
}

impl Piece {
    /// None: nobody knows before its end.
    fn remaining(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Blob(chunks) => Some(chunks.remaining()),
            Self::Arriving(chunks) => Some(chunks.remaining()),
            Self::Passing(passing) => passing.remaining(),
        }
    }

    fn leave_by(&mut self, outlet: &Arc<Outlet>) {
        match self {
            Self::Bytes(_) | Self::Passing(_) => {}
            Self::Blob(chunks) => chunks.leave_by(outlet),
            Self::Arriving(chunks) => chunks.leave_by(outlet),
        }
    }

    /// The next bytes; none at the end.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, storage::Error>>> {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Self::Blob(chunks) => chunks.poll_next(context),
            Self::Arriving(chunks) => chunks.poll_next(context),
            Self::Passing(passing) => passing.poll_next(context),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = storage::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, storage::Error>>> {
        loop {
            let next = match &mut self.pieces {
                Pieces::None | Pieces::Unread => None,
                Pieces::One(piece) => ready!(piece.poll_next(context)),
                Pieces::Many(pieces) => match pieces.front_mut() {
                    None => None,
                    Some(piece) => match ready!(piece.poll_next(context)) {
                        None => {
                            pieces.pop_front();
                            continue;
                        }
                        next => next,
                    },
                },
            };
            return Poll::Ready(next.map(|result| match result {
                Ok(bytes) => Ok(Frame::data(bytes)),
                Err(error) => {
                    // The status is long gone: the client sees a broken connection, the operator this.
                    tracing::error!(error = error.causes(), "blob could not be read to its end");
                    Err(error)
                }
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let remaining = match &self.pieces {
            Pieces::None => Some(0),
            Pieces::Unread => None,
            Pieces::One(piece) => piece.remaining(),
            Pieces::Many(pieces) => pieces.iter().map(Piece::remaining).sum(),
        };
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
