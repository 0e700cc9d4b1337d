//! An object that is open for reading.

use std::{
    future::Future,
    io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
#[cfg(feature = "s3")]
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

#[cfg(feature = "s3")]
use crate::remote::{Remote, WAITING};
use crate::{Error, Kind, Outlet, Stat, reader::Reader};

/// Less than that leaves faster together with what stands before it, in one write.
const SMALLEST_SENT: u64 = 64 * 1024;

/// An object that is open for reading.
#[derive(Clone, Debug)]
pub struct Object {
    stat: Stat,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File(Arc<Reader>),
    #[cfg(feature = "s3")]
    Remote(Arc<dyn Remote>),
}

impl Object {
    pub(crate) fn of_bytes(bytes: Bytes, stat: Stat) -> Self {
        Self { stat, source: Source::Memory(bytes) }
    }

    pub(crate) fn of_file(reader: Reader, stat: Stat) -> Self {
        Self { stat, source: Source::File(Arc::new(reader)) }
    }

    #[cfg(feature = "s3")]
    pub(crate) fn of_remote(remote: Arc<dyn Remote>, stat: Stat) -> Self {
        Self { stat, source: Source::Remote(remote) }
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stat.size
    }

    /// Size and time.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.stat
    }

    /// Its path below the driver's folder, where it is a file that others can read too.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match &self.source {
            Source::File(reader) => Some(&reader.key),
            Source::Memory(_) => None,
            #[cfg(feature = "s3")]
            Source::Remote(_) => None,
        }
    }

    /// The bytes of `range`, in pieces. What lies behind the end is left out.
    #[must_use]
    pub fn chunks(&self, range: Range<u64>) -> Chunks {
        let end = range.end.min(self.stat.size);
        let next = range.start.min(end);
        Chunks {
            source: self.source.clone(),
            next,
            end,
            reading: None,
            #[cfg(feature = "s3")]
            arriving: None,
            outlet: None,
        }
    }
}

/// The bytes of a range of an object, in pieces of at most 256 KiB from a file, or 1 MiB where the kernel sends it.
///
/// Memory does not grow with the range: one piece is in hand at a time, and a few more on their way over a network.
#[derive(Debug)]
pub struct Chunks {
    source: Source,
    next: u64,
    end: u64,
    /// A read that the page cache could not answer at once.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// What a store sends, once it was asked.
    #[cfg(feature = "s3")]
    arriving: Option<mpsc::Receiver<Result<Bytes, Error>>>,
    /// Where the kernel sends the file, so that no buffer is filled with it.
    outlet: Option<Arc<Outlet>>,
}

impl Chunks {
    /// How many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.end - self.next
    }

    /// Has the kernel send what is left, if it is enough and the file's system can: stand-ins come instead of bytes
    /// then, for the stream that has this outlet and no other.
    pub fn leave_by(&mut self, outlet: &Arc<Outlet>) {
        let is_file = matches!(self.source, Source::File(_));
        self.outlet = (is_file && self.remaining() >= SMALLEST_SENT).then(|| Arc::clone(outlet));
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`Kind::Truncated`] when the object ends before its size.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.remaining() == 0 {
            return Poll::Ready(None);
        }
        if let Some(stand_in) = self.stand_in() {
            self.next += stand_in.len() as u64;
            return Poll::Ready(Some(Ok(stand_in)));
        }
        let bytes = match ready!(self.poll_read(context)) {
            Ok(bytes) if bytes.is_empty() => {
                let error = Error::new(Kind::Truncated, "read", self.source.key());
                return Poll::Ready(Some(Err(error)));
            }
            Ok(bytes) => bytes,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.next += bytes.len() as u64;
        Poll::Ready(Some(Ok(bytes)))
    }

    /// What stands for the next piece; none if that is read.
    fn stand_in(&self) -> Option<Bytes> {
        let (Some(outlet), Source::File(reader), None) =
            (&self.outlet, &self.source, &self.reading)
        else {
            return None;
        };
        outlet.take(reader, self.next..self.end)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        if let Some(reading) = &mut self.reading {
            let joined = ready!(Pin::new(reading).poll(context));
            self.reading = None;
            let read = joined.unwrap_or_else(|error| Err(io::Error::other(error)));
            let failed = |error| Error::io("read", self.source.key(), error);
            return Poll::Ready(read.map_err(failed));
        }
        let wanted = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        match &self.source {
            Source::Memory(bytes) => {
                // `chunks` has bound both ends by the length.
                let range = usize::try_from(self.next).unwrap_or(usize::MAX)..bytes.len();
                let rest = bytes.slice(range);
                Poll::Ready(Ok(rest.slice(..wanted.min(rest.len()))))
            }
            Source::File(reader) => {
                if let Some(bytes) = reader.read_cached(self.next, wanted) {
                    return Poll::Ready(Ok(bytes));
                }
                let (reader, at) = (Arc::clone(reader), self.next);
                self.reading = Some(spawn_blocking(move || reader.read(at, wanted)));
                self.poll_read(context)
            }
            #[cfg(feature = "s3")]
            Source::Remote(remote) => {
                let range = self.next..self.end;
                let arriving = self.arriving.get_or_insert_with(|| {
                    let (to, arriving) = mpsc::channel(WAITING);
                    Arc::clone(remote).send(range, to);
                    arriving
                });
                let received = ready!(arriving.poll_recv(context));
                Poll::Ready(received.unwrap_or_else(|| Ok(Bytes::new())))
            }
        }
    }
}

impl Source {
    fn key(&self) -> &str {
        match self {
            Self::Memory(_) => "object in memory",
            Self::File(reader) => &reader.key,
            #[cfg(feature = "s3")]
            Self::Remote(remote) => remote.key(),
        }
    }
}
