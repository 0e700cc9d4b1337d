//! A bucket, and the requests that are made of it: one function for each, with the error that names the object.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    presigning::PresigningConfig,
    primitives::{ByteStream, DateTime},
    types::{Delete, ObjectIdentifier},
};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    attributes::Attributes, failure::Failure, gate::Gate, lease::Own, room::Room,
    sessions::Sessions,
};
use crate::{Error, Kind, Stat};

/// What one request deletes at most.
pub(super) const BATCH: usize = 1000;

/// How often a small object is read whose bytes break off.
const READS: u32 = 4;

/// A bucket with a folder in it. Clones of its pointer share the connections.
pub(super) struct Store {
    pub(super) client: Client,
    pub(super) bucket: String,
    /// `rootdirectory` without slashes at its ends, and one after it; or nothing.
    pub(super) prefix: String,
    pub(super) attributes: Attributes,
    /// `chunksize`.
    pub(super) part_bytes: usize,
    pub(super) copying: Copying,
    /// Whether the store may list a folder that is empty: who is not Amazon may have real ones.
    pub(super) keeps_folders: bool,
    pub(super) sessions: Arc<Sessions>,
    pub(super) room: Arc<Room>,
    /// Whether it may be written to.
    pub(super) gate: Gate,
    /// The leases of this process, by whatever pointer it has them.
    pub(super) own: Arc<Own>,
    /// Until when a delete may still be carried out that was not answered.
    pub(super) unanswered: Mutex<Option<Instant>>,
}

/// How the store copies what is too large for one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copying {
    /// Up to this one request copies all.
    pub(super) whole: u64,
    pub(super) part: u64,
    pub(super) at_once: usize,
}

/// An object as a HEAD describes it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) stat: Stat,
    /// By which this version of it is told from others.
    pub(super) tag: Option<String>,
}

/// Whom a URL is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presigned {
    Get,
    Head,
}

impl Store {
    /// The whole name of an object or a folder in the bucket.
    pub(super) fn path(&self, key: impl fmt::Display) -> String {
        format!("{}{key}", self.prefix)
    }

    /// How messages name it.
    pub(super) fn named(&self, path: &str) -> String {
        format!("s3://{}/{path}", self.bucket)
    }

    /// What a failed request is to those who asked for it.
    pub(super) fn failed<E>(
        &self,
        operation: &'static str,
        path: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        self.refused(operation, path, Failure::of(operation, error))
    }

    pub(super) fn refused(&self, operation: &'static str, path: &str, failure: Failure) -> Error {
        Error::answered(failure.kind(), operation, self.named(path), failure)
    }

    pub(super) fn error(&self, kind: Kind, operation: &'static str, path: &str) -> Error {
        Error::new(kind, operation, self.named(path))
    }

    /// Reads an object of at most `limit` bytes. One that breaks off is read again.
    pub(super) async fn get(&self, path: &str, limit: usize) -> Result<Bytes, Error> {
        let mut tries = 1;
        loop {
            let sent = self.client.get_object().bucket(&self.bucket).key(path).send().await;
            let answer = sent.map_err(|error| self.failed("read", path, &error))?;
            let too_large = || self.error(Kind::TooLarge, "read", path);
            let length = length_of(&answer);
            if length.is_some_and(|length| length > limit as u64) {
                return Err(too_large());
            }
            let read = self.collect(path, answer.body, limit).await;
            match read.and_then(|bytes| bytes.ok_or_else(too_large)) {
                Ok(bytes) if length.is_none_or(|length| length == bytes.len() as u64) => {
                    return Ok(bytes);
                }
                Err(error) if error.kind() == Kind::TooLarge || tries == READS => {
                    return Err(error);
                }
                Ok(_) if tries == READS => return Err(self.error(Kind::Truncated, "read", path)),
                Ok(_) | Err(_) => tries += 1,
            }
        }
    }

    /// Reads the first bytes of an object that is not empty.
    pub(super) async fn get_first(
        &self,
        path: &str,
        bytes: u64,
    ) -> Result<(Bytes, SystemTime), Error> {
        let range = format!("bytes=0-{}", bytes.saturating_sub(1));
        let limit = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut tries = 1;
        loop {
            let request = self.client.get_object().bucket(&self.bucket).key(path).range(&range);
            let answer = request.send().await.map_err(|error| self.failed("read", path, &error))?;
            let modified = time_of(answer.last_modified);
            match self.collect(path, answer.body, limit).await {
                Ok(Some(read)) => return Ok((read, modified)),
                Ok(None) => return Err(self.error(Kind::TooLarge, "read", path)),
                Err(error) if tries == READS => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// A body in one piece; none if it is longer than `limit`.
    async fn collect(
        &self,
        path: &str,
        mut body: ByteStream,
        limit: usize,
    ) -> Result<Option<Bytes>, Error> {
        let mut whole = BytesMut::new();
        let broken = |error| Error::answered(Kind::Unavailable, "read", self.named(path), error);
        let mut first = Bytes::new();
        while let Some(piece) = body.try_next().await.map_err(broken)? {
            if first.len() + whole.len() + piece.len() > limit {
                return Ok(None);
            }
            // Most objects come in one piece.
            if first.is_empty() && whole.is_empty() {
                first = piece;
                continue;
            }
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
        Ok(Some(if whole.is_empty() { first } else { whole.freeze() }))
    }

    pub(super) async fn head(&self, path: &str, operation: &'static str) -> Result<Head, Error> {
        let sent = self.client.head_object().bucket(&self.bucket).key(path).send().await;
        let answer = sent.map_err(|error| self.failed(operation, path, &error))?;
        let size = answer.content_length.and_then(|length| u64::try_from(length).ok());
        let size = size.ok_or_else(|| self.error(Kind::Other, operation, path))?;
        let stat = Stat { size, modified: time_of(answer.last_modified) };
        Ok(Head { stat, tag: answer.e_tag })
    }

    /// The size of an object; none if it is not there.
    pub(super) async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match self.head(path, "stat").await {
            Ok(head) => Ok(Some(head.stat.size)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.put_body(path, bytes.into()).await
    }

    /// Stores an object whose bytes need no hash for the sake of the request: they have one.
    pub(super) async fn put_body(&self, path: &str, body: ByteStream) -> Result<(), Error> {
        self.may_write("write", path).await?;
        self.put_free(path, body).await
    }

    /// The same for what is no content of the registry's.
    pub(super) async fn put_free(&self, path: &str, body: ByteStream) -> Result<(), Error> {
        let request = self.client.put_object().bucket(&self.bucket).key(path).body(body);
        let request = self.attributes.of_put(request).customize().disable_payload_signing();
        request.send().await.map(drop).map_err(|error| self.failed("write", path, &error))
    }

    /// Deletes an object, whether or not it is there.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Error> {
        self.may_write("delete", path).await?;
        self.delete_free(path).await
    }

    /// The same for what is no content of the registry's.
    pub(super) async fn delete_free(&self, path: &str) -> Result<(), Error> {
        let sent = self.client.delete_object().bucket(&self.bucket).key(path).send().await;
        match sent.map_err(|error| self.failed("delete", path, &error)) {
            Err(error) if !error.is_not_found() => Err(self.in_doubt(error)),
            _ => Ok(()),
        }
    }

    /// Remembers that a delete may be carried out at any time, unless the store has refused it.
    fn in_doubt(&self, error: Error) -> Error {
        if !matches!(error.kind(), Kind::Denied | Kind::NotFound) {
            self.doubts();
        }
        error
    }

    /// Deletes up to [`BATCH`] objects. What the store says of each counts only where it is a failure.
    pub(super) async fn delete_all(&self, paths: &[String]) -> Result<(), Error> {
        let [first, _, ..] = paths else {
            return match paths {
                [one] => self.delete(one).await,
                _ => Ok(()),
            };
        };
        self.may_write("delete", first).await?;
        let objects = paths.iter().map(|path| {
            ObjectIdentifier::builder().key(path).build().expect("its key is all that it needs")
        });
        let objects = Delete::builder().set_objects(Some(objects.collect())).quiet(true).build();
        let objects = objects.expect("its objects are all that it needs");
        let request = self.client.delete_objects().bucket(&self.bucket).delete(objects);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure::of("delete", &error);
                // Some stores know no such request, and some want it with a hash that others gave up.
                return match failure.code() {
                    Some(
                        "NotImplemented" | "MethodNotAllowed" | "InvalidRequest"
                        | "MissingContentMD5" | "MalformedXML" | "InvalidDigest",
                    ) => self.delete_each(paths).await,
                    _ => Err(self.in_doubt(self.refused("delete", first, failure))),
                };
            }
        };
        let failed = answer.errors().iter().find(|error| error.code() != Some("NoSuchKey"));
        failed.map_or(Ok(()), |error| {
            let failure = Failure::of_one("delete", error.code(), error.message());
            Err(self.in_doubt(self.refused("delete", error.key().unwrap_or(first), failure)))
        })
    }

    async fn delete_each(&self, paths: &[String]) -> Result<(), Error> {
        for path in paths {
            self.delete(path).await?;
        }
        Ok(())
    }

    /// A URL by which anybody can have an object for some time.
    pub(super) async fn presign(
        &self,
        path: &str,
        method: Presigned,
        lasting: Duration,
    ) -> Result<String, Error> {
        let config = PresigningConfig::expires_in(lasting);
        let config = config.map_err(|error| {
            Error::answered(Kind::Other, "sign a URL of", self.named(path), error)
        })?;
        let signed = match method {
            Presigned::Get => {
                let request = self.client.get_object().bucket(&self.bucket).key(path);
                request
                    .presigned(config)
                    .await
                    .map_err(|error| self.failed("sign a URL of", path, &error))
            }
            Presigned::Head => {
                let request = self.client.head_object().bucket(&self.bucket).key(path);
                request
                    .presigned(config)
                    .await
                    .map_err(|error| self.failed("sign a URL of", path, &error))
            }
        };
        Ok(signed?.uri().to_owned())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client holds the secrets.
        let Self { bucket, prefix, .. } = self;
        f.debug_struct("Store")
            .field("bucket", bucket)
            .field("prefix", prefix)
            .finish_non_exhaustive()
    }
}

fn length_of(answer: &GetObjectOutput) -> Option<u64> {
    answer.content_length().and_then(|length| u64::try_from(length).ok())
}

/// When the store says that it was written; a store that does not say so is taken to have done it just now.
pub(super) fn time_of(time: Option<DateTime>) -> SystemTime {
    time.and_then(|time| SystemTime::try_from(time).ok()).unwrap_or_else(SystemTime::now)
}
