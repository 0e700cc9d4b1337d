//! The writing end of an upload session, in whichever way its driver takes bytes.

use bytes::Bytes;
use oci::{Algorithm, Digest, Digester};

#[cfg(feature = "s3")]
use crate::s3::{Parts, boxed};
use crate::{
    Error, Kind,
    batches::{Batches, Sink, Stored},
};

/// The writing end of an upload session.
///
/// Dropping it frees the session and keeps what was handed over last, by [`Writer::flush`] or [`Writer::close`]; a
/// store that can be appended to keeps what was written as well.
#[derive(Debug)]
pub struct Writer(Way);

#[derive(Debug)]
enum Way {
    /// To something that can be appended to, and read again.
    Batches(Batches),
    /// To an object that is put together of parts.
    #[cfg(feature = "s3")]
    Parts(Box<Parts>),
}

macro_rules! each {
    ($self:ident, $way:ident => $call:expr) => {
        match $self.0 {
            Way::Batches(ref mut $way) => $call.await,
            #[cfg(feature = "s3")]
            Way::Parts(ref mut $way) => boxed($call).await,
        }
    };
}

impl Writer {
    pub(crate) fn new(sink: Sink, offset: u64) -> Self {
        Self(Way::Batches(Batches::new(sink, offset)))
    }

    #[cfg(feature = "s3")]
    pub(crate) fn of_parts(parts: Parts) -> Self {
        Self(Way::Parts(Box::new(parts)))
    }

    /// How many bytes the session holds, what waits in memory included.
    ///
    /// # Errors
    /// An earlier write failed.
    pub async fn offset(&mut self) -> Result<u64, Error> {
        each!(self, way => way.offset())
    }

    /// Gives the hash of the bytes that the session holds: kept by the caller since an earlier request.
    ///
    /// It is left out when its length does not fit, and where the store keeps it itself; [`Writer::digest`] finds
    /// another way then.
    ///
    /// # Errors
    /// An earlier write failed.
    pub async fn resume(&mut self, offset: u64, digester: Digester) -> Result<(), Error> {
        match &mut self.0 {
            Way::Batches(batches) => batches.resume(offset, digester).await,
            #[cfg(feature = "s3")]
            Way::Parts(_) => Ok(()),
        }
    }

    /// Says that the session is to become this blob, before anything else is written to it.
    ///
    /// A store that cannot rename has the bytes go to the blob's place then, where nobody sees them before they are
    /// published. One that can needs not know.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the bytes that are there already went to the place of another blob.
    pub async fn become_blob(&mut self, digest: &Digest) -> Result<(), Error> {
        match &mut self.0 {
            Way::Batches(_) => Ok(()),
            #[cfg(feature = "s3")]
            Way::Parts(parts) => parts.become_blob(digest),
        }
    }

    /// Makes sure that what follows is hashed with `algorithm` from the first byte on.
    ///
    /// # Errors
    /// The bytes that are there cannot be read again.
    pub async fn hash_with(&mut self, algorithm: Algorithm) -> Result<(), Error> {
        each!(self, way => way.hash_with(algorithm))
    }

    /// Appends bytes. They may wait in memory until the next call.
    ///
    /// # Errors
    /// The store did not take this or an earlier batch; what it took remains.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        each!(self, way => way.write(bytes))
    }

    /// Hands everything to the store, without waiting for the disk: another request, or another process, can go on
    /// from there.
    ///
    /// # Errors
    /// The store did not take all of it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        each!(self, way => way.flush())
    }

    /// The digest of everything that was written.
    ///
    /// # Errors
    /// The store did not take all of it, or cannot read it again.
    pub async fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, Error> {
        each!(self, way => way.digest(algorithm))
    }

    /// Does of publishing what takes long and shows nothing yet.
    ///
    /// # Errors
    /// The store did not take all of it, or the disk did not: then the session is gone.
    pub async fn sync(&mut self) -> Result<(), Error> {
        each!(self, way => way.sync())
    }

    /// Flushes, frees the session, and returns its length and hash for [`Writer::resume`].
    ///
    /// # Errors
    /// The store did not take all of it; what it took remains.
    pub async fn close(self) -> Result<(u64, Option<Digester>), Error> {
        match self.0 {
            Way::Batches(batches) => batches.close().await,
            #[cfg(feature = "s3")]
            Way::Parts(parts) => Ok((boxed(parts.close()).await?, None)),
        }
    }

    /// Flushes, and hands over the store's side.
    pub(crate) async fn finish(self) -> Result<Stored, Error> {
        match self.0 {
            Way::Batches(batches) => batches.finish().await,
            #[cfg(feature = "s3")]
            Way::Parts(_) => Err(Error::new(Kind::Other, "finish", "upload of another store")),
        }
    }

    /// Hands over the parts.
    #[cfg(feature = "s3")]
    pub(crate) fn into_parts(self) -> Result<Parts, Error> {
        match self.0 {
            Way::Parts(parts) => Ok(*parts),
            Way::Batches(_) => Err(Error::new(Kind::Other, "finish", "upload of another store")),
        }
    }
}
