//! Bytes of an upload that are no part yet, as they came: nothing is copied but what is small.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::room::{Room, Taken};

/// Smaller pieces are copied together: each may keep a large buffer alive.
const SMALL_BYTES: usize = 16 * 1024;

/// A body leaves in frames, so that it shows whether it moves: a large piece would seem to stand still.
const FRAME_BYTES: usize = 256 * 1024;

/// What waits to become a part.
#[derive(Debug)]
pub(super) struct Pending {
    pieces: VecDeque<Bytes>,
    /// Small pieces that follow the others, in one.
    gathered: BytesMut,
    bytes: usize,
    taken: Taken,
}

/// A part: bytes that are sent, perhaps several times, and hashed. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Part {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pieces: Vec<Bytes>,
    bytes: usize,
    _taken: Taken,
}

impl Pending {
    pub(super) fn new(room: &Arc<Room>, tail: Bytes) -> Self {
        let (bytes, taken) = (tail.len(), room.take(tail.len()));
        let pieces = Some(tail).filter(|tail| !tail.is_empty()).into_iter().collect();
        Self { pieces, gathered: BytesMut::new(), bytes, taken }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.taken.grow(bytes.len());
        if bytes.len() < SMALL_BYTES {
            self.gathered.extend_from_slice(&bytes);
        } else {
            self.push_gathered();
            self.pieces.push_back(bytes);
        }
    }

    /// Takes the first bytes as a part.
    pub(super) fn take(&mut self, bytes: usize) -> Part {
        self.push_gathered();
        let bytes = bytes.min(self.bytes);
        let mut pieces = Vec::new();
        let mut missing = bytes;
        while missing > 0 {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            if piece.len() > missing {
                self.pieces.push_front(piece.split_off(missing));
            }
            missing -= piece.len();
            pieces.push(piece);
        }
        self.bytes -= bytes;
        Part { inner: Arc::new(Inner { pieces, bytes, _taken: self.taken.split(bytes) }) }
    }

    /// All of it, in pieces that share its memory.
    pub(super) fn pieces(&mut self) -> Vec<Bytes> {
        self.push_gathered();
        self.pieces.iter().cloned().collect()
    }

    /// All of it, in one piece.
    pub(super) fn joined(&mut self) -> Bytes {
        let pieces = self.pieces();
        match pieces.as_slice() {
            [one] => one.clone(),
            several => several.concat().into(),
        }
    }

    fn push_gathered(&mut self) {
        if !self.gathered.is_empty() {
            self.pieces.push_back(self.gathered.split().freeze());
        }
    }
}

impl Part {
    pub(super) fn len(&self) -> usize {
        self.inner.bytes
    }

    pub(super) fn pieces(&self) -> &[Bytes] {
        &self.inner.pieces
    }

    /// A body that can be sent again.
    pub(super) fn body(&self) -> SdkBody {
        let part = self.clone();
        SdkBody::retryable(move || {
            let (left, part) = (part.len() as u64, part.clone());
            SdkBody::from_body_1_x(Sending { left, part, next: 0, rest: Bytes::new() })
        })
    }
}

/// A part on its way.
#[derive(Debug)]
struct Sending {
    part: Part,
    next: usize,
    /// What is left of the piece before the next one.
    rest: Bytes,
    left: u64,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            let Some(piece) = self.part.pieces().get(self.next).cloned() else {
                return Poll::Ready(None);
            };
            self.next += 1;
            self.rest = piece;
        }
        let length = self.rest.len().min(FRAME_BYTES);
        self.left -= length as u64;
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part: &Part) -> Vec<u8> {
        part.pieces().concat()
    }

    #[test]
    fn parts_hold_the_bytes_in_their_order() {
        let room = Arc::new(Room::default());
        let mut pending = Pending::new(&room, Bytes::from_static(b"tail"));
        let large = Bytes::from(vec![7; 2 * SMALL_BYTES]);
        pending.push(Bytes::from_static(b"a"));
        pending.push(Bytes::from_static(b"b"));
        pending.push(large.clone());
        pending.push(Bytes::from_static(b"c"));
        let all = [b"tailab".as_slice(), &large, b"c"].concat();
        assert_eq!(pending.joined(), all);
        assert_eq!(of(&pending.take(5)), b"taila");
        assert_eq!(of(&pending.take(0)), b"");
        assert_eq!(of(&pending.take(SMALL_BYTES)), &all[5..5 + SMALL_BYTES]);
        assert_eq!(pending.len(), all.len() - 5 - SMALL_BYTES);
        assert_eq!(of(&pending.take(usize::MAX)), &all[5 + SMALL_BYTES..]);
        assert_eq!(pending.len(), 0);
    }

    #[tokio::test]
    async fn a_part_can_be_sent_twice() {
        let room = Arc::new(Room::default());
        let mut pending = Pending::new(&room, Bytes::new());
        let large = Bytes::from(vec![7; 2 * SMALL_BYTES]);
        pending.push(large.clone());
        pending.push(Bytes::from_static(b"end"));
        let part = pending.take(usize::MAX);
        let body = part.body();
        assert_eq!(body.content_length(), Some(part.len() as u64));
        for body in [body.try_clone().unwrap(), body] {
            let sent =
                aws_smithy_types::byte_stream::ByteStream::new(body).collect().await.unwrap();
            assert_eq!(sent.into_bytes(), [large.as_ref(), b"end"].concat());
        }
    }
}
