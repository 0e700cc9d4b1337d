//! The writing end of an upload session whose bytes can be read again: what is written is hashed, both off the
//! network's threads.
//!
//! Bytes are collected until a batch is worth a hop to a blocking thread; there the batch is written,
//! then hashed. While it is hashed another thread writes the next one, and the one after that is
//! received: at most three batches are in memory. The hash covers exactly the bytes that the store took,
//! so a blob's digest never rests on what a client sent but the store lost.

use std::mem;

use bytes::{Bytes, BytesMut};
use oci::{Algorithm, Digest, Digester};
use tokio::{
    sync::oneshot::{self, Receiver},
    task::{JoinHandle, spawn_blocking},
};

use crate::{Error, Kind, filesystem, inmemory};

/// A batch: large enough to make the hop cheap, small enough to bound memory.
const BATCH_BYTES: usize = 384 * 1024;

/// Smaller pieces are copied together.
const SMALL_BYTES: usize = 16 * 1024;

/// The writing end of such a session. Dropping it keeps what was written and frees the session.
#[derive(Debug)]
pub(crate) struct Batches {
    pending: Vec<Bytes>,
    /// Small pieces that follow the pending ones, in one.
    gathered: BytesMut,
    /// The length of both.
    pending_bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle(Box<Progress>),
    /// The last batch is written, and then hashed.
    Writing(Receiver<(Stored, Result<(), Error>)>, Receiver<Option<Digester>>),
    /// The last batch is written, and still hashed.
    Hashing(Stored, Receiver<Option<Digester>>),
    /// Something else than a batch is done with the session.
    Working(JoinHandle<(Box<Progress>, Result<(), Error>)>),
    /// A thread panicked.
    Failed,
}

/// What has reached the store, and its hash.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) stored: Stored,
    /// None until it is made, or after a failed write.
    digester: Option<Digester>,
}

/// What has reached the store.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sink: Sink,
    /// How many bytes the session holds.
    pub(crate) offset: u64,
}

#[derive(Debug)]
pub(crate) enum Sink {
    File(filesystem::UploadFile),
    Memory(inmemory::UploadBytes),
}

impl Batches {
    pub(crate) fn new(sink: Sink, offset: u64) -> Self {
        let progress = Progress { stored: Stored { sink, offset }, digester: None };
        Self {
            pending: Vec::new(),
            gathered: BytesMut::new(),
            pending_bytes: 0,
            state: State::Idle(Box::new(progress)),
        }
    }

    /// How many bytes the session holds, what waits in memory included.
    ///
    /// # Errors
    /// An earlier write failed.
    pub(crate) async fn offset(&mut self) -> Result<u64, Error> {
        let waiting = self.pending_bytes as u64;
        Ok(self.settle().await?.stored.offset + waiting)
    }

    /// Gives the hash of the bytes that the session holds: kept by the caller since an earlier request.
    ///
    /// It is left out when its length does not fit; [`Batches::digest`] reads the bytes again then.
    ///
    /// # Errors
    /// An earlier write failed.
    pub(crate) async fn resume(&mut self, offset: u64, digester: Digester) -> Result<(), Error> {
        let progress = self.settle().await?;
        if progress.stored.offset == offset {
            progress.digester = Some(digester);
        }
        Ok(())
    }

    /// Makes sure that what follows is hashed with `algorithm` from the first byte on.
    ///
    /// # Errors
    /// The bytes that are there cannot be read again.
    pub(crate) async fn hash_with(&mut self, algorithm: Algorithm) -> Result<(), Error> {
        let progress = self.settle().await?;
        if progress.digester.as_ref().is_some_and(|digester| digester.algorithm() == algorithm) {
            return Ok(());
        }
        if progress.stored.offset == 0 {
            progress.digester = Some(Digester::new(algorithm));
            return Ok(());
        }
        self.dispatch(move |progress| {
            let stored = &progress.stored;
            let digester = stored.sink.rehash(algorithm, stored.offset)?;
            progress.digester = Some(digester);
            Ok(())
        });
        self.settle().await.map(drop)
    }

    /// Appends bytes. They may wait in memory until the next call.
    ///
    /// # Errors
    /// The store did not take this or an earlier batch; what it took remains.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.pending_bytes += bytes.len();
        if bytes.len() < SMALL_BYTES {
            // A small piece may keep a large buffer alive, and would be a write of its own.
            self.gathered.extend_from_slice(&bytes);
        } else {
            self.push_gathered();
            self.pending.push(bytes);
        }
        if self.pending_bytes >= BATCH_BYTES {
            self.settle_writing().await?;
            self.dispatch_batch();
        }
        Ok(())
    }

    /// Hands everything to the store, without waiting for the disk.
    ///
    /// # Errors
    /// The store did not take all of it.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.settle().await?;
        if self.pending_bytes > 0 {
            let batch = self.take_pending();
            self.dispatch(move |progress| progress.write(&batch));
        }
        self.settle().await.map(drop)
    }

    /// The digest of everything that was written.
    ///
    /// # Errors
    /// The store did not take all of it, or cannot read it again.
    pub(crate) async fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, Error> {
        self.flush().await?;
        self.hash_with(algorithm).await?;
        let progress = self.settle().await?;
        let digester = progress.digester.clone();
        digester.map(Digester::finish).ok_or_else(|| lost("hash"))
    }

    /// Hands everything to the store and waits for the disk.
    ///
    /// # Errors
    /// The store did not take all of it, or the disk did not: then the session is gone.
    pub(crate) async fn sync(&mut self) -> Result<(), Error> {
        self.flush().await?;
        self.settle().await?.stored.sink.rest().await?;
        self.dispatch(|progress| progress.stored.sink.sync(progress.stored.offset));
        self.settle().await.map(drop)
    }

    /// Flushes, frees the session, and returns its length and hash for [`Batches::resume`].
    ///
    /// # Errors
    /// The store did not take all of it; what it took remains.
    pub(crate) async fn close(self) -> Result<(u64, Option<Digester>), Error> {
        let progress = self.end().await?;
        Ok((progress.stored.offset, progress.digester))
    }

    /// Flushes, and hands over the store's side.
    pub(crate) async fn finish(self) -> Result<Stored, Error> {
        Ok(self.end().await?.stored)
    }

    async fn end(mut self) -> Result<Box<Progress>, Error> {
        self.flush().await?;
        self.settle().await?.stored.sink.rest().await?;
        match self.take_state() {
            State::Idle(progress) => Ok(progress),
            _ => Err(lost("finish")),
        }
    }

    fn push_gathered(&mut self) {
        if !self.gathered.is_empty() {
            self.pending.push(self.gathered.split().freeze());
        }
    }

    fn take_pending(&mut self) -> Vec<Bytes> {
        self.push_gathered();
        self.pending_bytes = 0;
        mem::take(&mut self.pending)
    }

    fn take_state(&mut self) -> State {
        mem::replace(&mut self.state, State::Failed)
    }

    /// Writes and hashes what is pending on a blocking thread; only when the batch before is written.
    fn dispatch_batch(&mut self) {
        let batch = self.take_pending();
        let (mut stored, before) = match self.take_state() {
            State::Idle(progress) => {
                let (known, before) = oneshot::channel();
                // The other end is at hand.
                let _ = known.send(progress.digester);
                (progress.stored, before)
            }
            State::Hashing(stored, before) => (stored, before),
            State::Writing(..) | State::Working(_) | State::Failed => return,
        };
        let (tell_written, written) = oneshot::channel();
        let (tell_hashed, hashed) = oneshot::channel();
        self.state = State::Writing(written, hashed);
        spawn_blocking(move || {
            let result = stored.write(&batch);
            // The batch before was first to get a thread, so it ends; nobody hands out a third one meanwhile.
            let digester = before.blocking_recv().ok().flatten();
            // Until the batch is whole in the store, no hash speaks for the session.
            let digester = digester.filter(|_| result.is_ok());
            // Whoever has dropped the writer wants to know neither.
            let _ = tell_written.send((stored, result));
            let _ = tell_hashed.send(digester.map(|digester| hash(digester, &batch)));
        });
    }

    /// Runs `work` on a blocking thread; only from [`State::Idle`].
    fn dispatch(&mut self, work: impl FnOnce(&mut Progress) -> Result<(), Error> + Send + 'static) {
        if let State::Idle(mut progress) = self.take_state() {
            self.state = State::Working(spawn_blocking(move || {
                let result = work(&mut progress);
                (progress, result)
            }));
        }
    }

    /// Waits for everything in hand.
    ///
    /// A future that is dropped while it waits loses nothing: what it waits for stays.
    async fn settle(&mut self) -> Result<&mut Progress, Error> {
        self.settle_writing().await?;
        if let State::Hashing(_, hashed) = &mut self.state {
            // Without its thread there is no hash: the bytes are read again.
            let digester = hashed.await.ok().flatten();
            if let State::Hashing(stored, _) = self.take_state() {
                self.state = State::Idle(Box::new(Progress { stored, digester }));
            }
        }
        match &mut self.state {
            State::Idle(progress) => Ok(progress),
            _ => Err(lost("write")),
        }
    }

    /// Waits until the last batch is written; it may still be hashed.
    async fn settle_writing(&mut self) -> Result<(), Error> {
        let result = match &mut self.state {
            State::Idle(_) | State::Hashing(..) => return Ok(()),
            State::Failed => return Err(lost("write")),
            State::Writing(written, _) => match (written.await, self.take_state()) {
                (Ok((stored, result)), State::Writing(_, hashed)) => {
                    self.state = State::Hashing(stored, hashed);
                    result
                }
                _ => Err(lost("write")),
            },
            State::Working(working) => {
                let joined = working.await;
                self.state = State::Failed;
                joined.map_err(|_| lost("write")).and_then(|(progress, result)| {
                    self.state = State::Idle(progress);
                    result
                })
            }
        };
        if result.is_err() {
            self.take_pending();
        }
        result
    }
}

impl Progress {
    fn write(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        let digester = self.digester.take();
        self.stored.write(batch)?;
        self.digester = digester.map(|digester| hash(digester, batch));
        Ok(())
    }
}

impl Stored {
    fn write(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        for bytes in batch {
            self.sink.write(self.offset, bytes)?;
            self.offset += bytes.len() as u64;
        }
        Ok(())
    }
}

fn hash(mut digester: Digester, batch: &[Bytes]) -> Digester {
    for bytes in batch {
        digester.update(bytes);
    }
    digester
}

impl Sink {
    fn write(&mut self, at: u64, bytes: &Bytes) -> Result<(), Error> {
        match self {
            Self::File(file) => file.write(at, bytes),
            Self::Memory(memory) => memory.write(bytes),
        }
    }

    async fn rest(&mut self) -> Result<(), Error> {
        match self {
            Self::File(file) => file.rest().await,
            Self::Memory(_) => Ok(()),
        }
    }

    fn sync(&mut self, length: u64) -> Result<(), Error> {
        match self {
            Self::File(file) => file.sync(length),
            Self::Memory(_) => Ok(()),
        }
    }

    fn rehash(&self, algorithm: Algorithm, length: u64) -> Result<Digester, Error> {
        match self {
            Self::File(file) => file.rehash(algorithm, length),
            Self::Memory(memory) => memory.rehash(algorithm),
        }
    }
}

fn lost(operation: &'static str) -> Error {
    Error::new(Kind::Other, operation, "upload session after a failed write")
}
