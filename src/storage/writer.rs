//! The writing end of an upload session: what is written is hashed, both off the network's threads.
//!
//! Bytes are collected until a batch is worth a hop to a blocking thread; there the batch is written
//! and hashed while the next one is received. At most two batches are in memory. The hash covers
//! exactly the bytes that the store took, so a blob's digest never rests on what a client sent but
//! the store lost.

use std::mem;

use bytes::{Bytes, BytesMut};
use oci::{Algorithm, Digest, Digester};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Error, Kind, filesystem, inmemory};

/// A batch: large enough to make the hop cheap, small enough to bound memory.
const BATCH_BYTES: usize = 512 * 1024;

/// Smaller pieces are copied together.
const SMALL_BYTES: usize = 16 * 1024;

/// The writing end of an upload session. Dropping it keeps what was written and frees the session.
#[derive(Debug)]
pub struct Writer {
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
    Writing(JoinHandle<(Box<Progress>, Result<(), Error>)>),
    /// A batch could not be written, or its thread panicked.
    Failed,
}

/// What has reached the store.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) sink: Sink,
    /// How many bytes the session holds.
    pub(crate) offset: u64,
    /// The hash of these bytes; none until it is made, or after a failed write.
    digester: Option<Digester>,
}

#[derive(Debug)]
pub(crate) enum Sink {
    File(filesystem::UploadFile),
    Memory(inmemory::UploadBytes),
}

impl Writer {
    pub(crate) fn new(sink: Sink, offset: u64) -> Self {
        let progress = Progress { sink, offset, digester: None };
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
    pub async fn offset(&mut self) -> Result<u64, Error> {
        let waiting = self.pending_bytes as u64;
        Ok(self.settle().await?.offset + waiting)
    }

    /// Gives the hash of the bytes that the session holds: kept by the caller since an earlier request.
    ///
    /// It is left out when its length does not fit; [`Writer::digest`] reads the bytes again then.
    ///
    /// # Errors
    /// An earlier write failed.
    pub async fn resume(&mut self, offset: u64, digester: Digester) -> Result<(), Error> {
        let progress = self.settle().await?;
        if progress.offset == offset {
            progress.digester = Some(digester);
        }
        Ok(())
    }

    /// Makes sure that what follows is hashed with `algorithm` from the first byte on.
    ///
    /// # Errors
    /// The bytes that are there cannot be read again.
    pub async fn hash_with(&mut self, algorithm: Algorithm) -> Result<(), Error> {
        let progress = self.settle().await?;
        if progress.digester.as_ref().is_some_and(|digester| digester.algorithm() == algorithm) {
            return Ok(());
        }
        if progress.offset == 0 {
            progress.digester = Some(Digester::new(algorithm));
            return Ok(());
        }
        self.dispatch(move |progress| {
            let digester = progress.sink.rehash(algorithm, progress.offset)?;
            progress.digester = Some(digester);
            Ok(())
        });
        self.settle().await.map(drop)
    }

    /// Appends bytes. They may wait in memory until the next call.
    ///
    /// # Errors
    /// The store did not take this or an earlier batch; what it took remains.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.pending_bytes += bytes.len();
        if bytes.len() < SMALL_BYTES {
            // A small piece may keep a large buffer alive, and would be a write of its own.
            self.gathered.extend_from_slice(&bytes);
        } else {
            self.push_gathered();
            self.pending.push(bytes);
        }
        if self.pending_bytes >= BATCH_BYTES {
            self.settle().await?;
            self.dispatch_pending();
        }
        Ok(())
    }

    /// Hands everything to the store, without waiting for the disk.
    ///
    /// # Errors
    /// The store did not take all of it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.settle().await?;
        if self.pending_bytes > 0 {
            self.dispatch_pending();
        }
        self.settle().await.map(drop)
    }

    /// The digest of everything that was written.
    ///
    /// # Errors
    /// The store did not take all of it, or cannot read it again.
    pub async fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, Error> {
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
    pub async fn sync(&mut self) -> Result<(), Error> {
        self.flush().await?;
        self.settle().await?.sink.rest().await?;
        self.dispatch(|progress| progress.sink.sync(progress.offset));
        self.settle().await.map(drop)
    }

    /// Flushes, frees the session, and returns its length and hash for [`Writer::resume`].
    ///
    /// # Errors
    /// The store did not take all of it; what it took remains.
    pub async fn close(self) -> Result<(u64, Option<Digester>), Error> {
        let progress = self.finish().await?;
        Ok((progress.offset, progress.digester))
    }

    /// Flushes, and hands over the store's side.
    pub(crate) async fn finish(mut self) -> Result<Progress, Error> {
        self.flush().await?;
        self.settle().await?.sink.rest().await?;
        match mem::replace(&mut self.state, State::Failed) {
            State::Idle(progress) => Ok(*progress),
            State::Writing(_) | State::Failed => Err(lost("finish")),
        }
    }

    fn push_gathered(&mut self) {
        if !self.gathered.is_empty() {
            self.pending.push(self.gathered.split().freeze());
        }
    }

    fn dispatch_pending(&mut self) {
        self.push_gathered();
        let batch = mem::take(&mut self.pending);
        self.pending_bytes = 0;
        self.dispatch(move |progress| progress.write(&batch));
    }

    /// Runs `work` on a blocking thread; only from [`State::Idle`].
    fn dispatch(&mut self, work: impl FnOnce(&mut Progress) -> Result<(), Error> + Send + 'static) {
        let state = mem::replace(&mut self.state, State::Failed);
        if let State::Idle(mut progress) = state {
            self.state = State::Writing(spawn_blocking(move || {
                let result = work(&mut progress);
                (progress, result)
            }));
        }
    }

    /// Waits for the batch in hand.
    ///
    /// A future that is dropped while it waits loses nothing: the handle stays.
    async fn settle(&mut self) -> Result<&mut Progress, Error> {
        if let State::Writing(handle) = &mut self.state {
            let joined = handle.await;
            self.state = State::Failed;
            let (progress, result) = joined.map_err(|_| lost("write"))?;
            self.state = State::Idle(progress);
            if result.is_err() {
                self.pending.clear();
                self.gathered.clear();
                self.pending_bytes = 0;
            }
            result?;
        }
        match &mut self.state {
            State::Idle(progress) => Ok(progress),
            State::Writing(_) | State::Failed => Err(lost("write")),
        }
    }
}

impl Progress {
    fn write(&mut self, batch: &[Bytes]) -> Result<(), Error> {
        // Until the batch is whole in the store, no hash speaks for the session.
        let mut digester = self.digester.take();
        for bytes in batch {
            self.sink.write(self.offset, bytes)?;
            self.offset += bytes.len() as u64;
            if let Some(digester) = &mut digester {
                digester.update(bytes);
            }
        }
        self.digester = digester;
        Ok(())
    }
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
