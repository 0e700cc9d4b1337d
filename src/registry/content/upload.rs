//! Upload sessions: bytes arrive in any number of requests, and become a blob when their digest is right.
//!
//! The length of a session is what the storage holds, never what a client or a token claims. A request
//! that breaks off leaves the bytes that arrived; the next one goes on from there.

use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oci::{Algorithm, Digest, RepositoryName};
use storage::{Driver, Key, Kind, UploadId, Writer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{sleep, timeout};

use super::{
    BodyError, Content, Error, Writing,
    locks::{Mode, Subject},
    quota::{Linked, Share},
    session::Turn,
};
use crate::log::Causes as _;

/// A session as storage has it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: UploadId,
    /// RFC 3339.
    pub(crate) started_at: String,
    /// How many bytes it holds.
    pub(crate) offset: u64,
}

/// Where a request says that its body belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Position {
    /// At the end, wherever that is.
    Anywhere,
    /// At this offset.
    At(u64),
    /// At this offset, and of this length.
    Range { start: u64, length: u64 },
}

/// RFC 3339 in UTC takes 20 bytes; with nanoseconds, as others may write it, up to 35.
pub(super) const STARTED_AT_BYTES: usize = 64;

/// A client that sends nothing for so long may be gone.
const QUIET: Duration = Duration::from_secs(1);

/// A client that sends nothing for so long is gone, though its connection may look alive.
const IDLE: Duration = Duration::from_secs(300);

/// Who sends nothing for so much longer is not waited for by a process that is to end: requests that came
/// after it wait for the next one.
const IDLE_AT_THE_END: Duration = Duration::from_secs(9);

impl Content {
    /// What a session holds.
    pub(crate) async fn upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<Session, Error> {
        let unknown = |error| unknown_upload(error, id);
        let data = Key::UploadData(repository, &id);
        let offset = self.backend().stat(data).await.map_err(unknown)?.size;
        let key = Key::UploadStartedAt(repository, &id);
        let text = self.backend().get(key, STARTED_AT_BYTES).await.map_err(unknown)?;
        let started_at = String::from_utf8_lossy(&text).into_owned();
        Ok(Session { id, started_at, offset })
    }
}

impl Writing {
    /// Begins a session.
    pub(crate) async fn begin_upload(&self, repository: &RepositoryName) -> Result<Session, Error> {
        let now = OffsetDateTime::now_utc().replace_nanosecond(0).ok();
        let started_at = now.and_then(|now| now.format(&Rfc3339).ok()).unwrap_or_default();
        let id = UploadId::random();
        let repository = repository.clone();
        self.shielded(move |content| async move {
            content.backend().begin_upload(&repository, id, &started_at).await?;
            Ok(Session { id, started_at, offset: 0 })
        })
        .await
    }

    /// Appends a body to a session, hashing it for the digest to come; returns the new length.
    pub(crate) async fn append<B>(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        (position, algorithm): (Position, Algorithm),
        body: B,
    ) -> Result<u64, Error>
    where
        B: Body<Data = Bytes, Error: Into<BodyError> + Send> + Send + Unpin + 'static,
    {
        let repository = repository.clone();
        self.shielded(move |content| async move {
            let (mut turn, mut writer) = content.open_upload(&repository, id, position).await?;
            let received =
                receive(&content, (&mut turn, &mut writer), (position, algorithm), body).await;
            // Whatever was received is kept, whatever went wrong with the rest.
            let closed = writer.close().await.map(|(offset, digester)| {
                turn.remember(offset, digester);
                offset
            });
            // What went wrong first says more than what came of it.
            received?;
            Ok(closed?)
        })
        .await
    }

    /// Appends the last body and makes the session the blob `digest`.
    ///
    /// If the digest is wrong the session stays as it is.
    pub(crate) async fn commit<B>(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        position: Position,
        body: B,
        digest: &Digest,
    ) -> Result<(), Error>
    where
        B: Body<Data = Bytes, Error: Into<BodyError> + Send> + Send + Unpin + 'static,
    {
        let (repository, digest) = (repository.clone(), *digest);
        self.shielded(move |content| async move {
            let (mut turn, mut writer) = content.open_upload(&repository, id, position).await?;
            let becomes = writer.become_blob(&digest).await;
            becomes.map_err(|error| unknown_upload(error, id))?;
            let algorithm = digest.algorithm();
            let received =
                receive(&content, (&mut turn, &mut writer), (position, algorithm), body).await;
            let actual = match received {
                Ok(()) => writer.digest(algorithm).await.map_err(Error::from),
                Err(error) => Err(error),
            };
            match actual {
                Ok(actual) if actual == digest => {}
                refused => {
                    let closed = writer.close().await;
                    let closed = closed.map(|(offset, digester)| turn.remember(offset, digester));
                    // What went wrong first says more than what came of it.
                    let actual = refused?;
                    closed?;
                    return Err(Error::digest_mismatch(digest, actual));
                }
            }
            match content.may_publish(&repository, &mut writer, &digest).await {
                Ok(share) => content.publish((&repository, id), writer, &digest, share).await,
                Err(refused) => {
                    content.give_up(&repository, id, writer).await;
                    Err(refused)
                }
            }
        })
        .await
    }

    /// Ends a session; its bytes are gone.
    pub(crate) async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Result<(), Error> {
        let repository = repository.clone();
        self.shielded(move |content| async move {
            let (_turn, writer) = content.open_upload(&repository, id, Position::Anywhere).await?;
            // A file that is open cannot go everywhere: NFS keeps it under another name.
            drop(writer);
            content.shared.sessions.forget(id);
            Ok(content.backend().end_upload(&repository, id).await?)
        })
        .await
    }

    async fn open_upload(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        position: Position,
    ) -> Result<(Turn, Writer), Error> {
        // Asked first, so that ids which nobody was given leave nothing in memory, and a request that
        // comes too late does not end the one that has overtaken it: sessions only grow.
        let data = Key::UploadData(repository, &id);
        let stat = self.backend().stat(data).await.map_err(|error| unknown_upload(error, id))?;
        match position {
            Position::At(start) | Position::Range { start, .. } if start < stat.size => {
                return Err(Error::WrongOffset { current: stat.size });
            }
            Position::At(_) | Position::Range { .. } | Position::Anywhere => {}
        }
        let mut turn = self.shared.sessions.take(id).await.ok_or(Error::UploadBusy(id))?;
        let opened = self.backend().append(repository, id).await;
        let mut writer = opened.map_err(|error| unknown_upload(error, id))?;
        if let Some((offset, digester)) = turn.recall() {
            writer.resume(offset, digester).await?;
        }
        Ok((turn, writer))
    }

    /// What a finished upload takes of quotas.
    async fn may_publish(
        &self,
        repository: &RepositoryName,
        writer: &mut Writer,
        digest: &Digest,
    ) -> Result<Share, Error> {
        let bytes = writer.offset().await?;
        self.share((repository, Linked::Blob), digest, bytes).await
    }

    /// Ends a session that becomes nothing: what has no room is not to take it for days.
    async fn give_up(&self, repository: &RepositoryName, id: UploadId, writer: Writer) {
        // What is still to be written is not waited for by anybody else.
        let closed = writer.close().await.map(drop);
        self.shared.sessions.forget(id);
        let ended = self.backend().end_upload(repository, id).await;
        if let Err(error) = closed.and(ended) {
            tracing::warn!(upload = %id, error = error.causes(), "refused upload could not be removed");
        }
    }

    async fn publish(
        &self,
        (repository, id): (&RepositoryName, UploadId),
        mut writer: Writer,
        digest: &Digest,
        share: Share,
    ) -> Result<(), Error> {
        // What takes long is done before others have to wait, and a full disk says so while the
        // session is whole. A blob that is there needs no second copy on disk.
        if !self.has_bytes(digest).await? {
            writer.sync().await?;
        }
        let link = self.stage_layer(repository, digest, share).await?;
        let lock = self.shared.locks.acquire(Subject::Digest(digest), Mode::Exclusive).await;
        self.backend().publish(writer, digest).await?;
        self.commit_counted(link).await?;
        self.shared.leases.promise(digest);
        drop(lock);
        self.shared.sessions.forget(id);
        if let Err(error) = self.backend().end_upload(repository, id).await {
            // The blob is there; the rest of the session is purged when it is old.
            tracing::warn!(upload = %id, error = error.causes(), "finished upload could not be removed");
        }
        Ok(())
    }
}

/// Writes a body to the end of a session, hashing it on the way.
async fn receive<B>(
    content: &Content,
    (turn, writer): (&mut Turn, &mut Writer),
    (position, algorithm): (Position, Algorithm),
    mut body: B,
) -> Result<(), Error>
where
    B: Body<Data = Bytes, Error: Into<BodyError>> + Unpin,
{
    let current = writer.offset().await?;
    let announced = match position {
        Position::Anywhere => None,
        Position::At(start) | Position::Range { start, .. } if start != current => {
            return Err(Error::WrongOffset { current });
        }
        Position::At(_) => None,
        Position::Range { length, .. } => Some(length),
    };
    if body.is_end_stream() {
        return check_length(0, announced);
    }
    writer.hash_with(algorithm).await?;
    let mut received = 0;
    loop {
        let frame = tokio::select! {
            frame = next_frame(content, &mut body, writer) => frame?,
            () = turn.wanted_by_another() => return Err(Error::TakenOver),
        };
        let Some(frame) = frame else { break };
        // Trailers say nothing here.
        let Ok(bytes) = frame.map_err(Into::into)?.into_data() else { continue };
        received += bytes.len() as u64;
        if announced.is_some_and(|announced| received > announced) {
            return check_length(received, announced);
        }
        writer.write(bytes).await?;
    }
    check_length(received, announced)
}

/// The next piece of a body; none at its end.
///
/// When the client falls silent, what it has sent is written: it may never come back on this
/// connection, and asks on another one how far it got.
async fn next_frame<B>(
    content: &Content,
    body: &mut B,
    writer: &mut Writer,
) -> Result<Option<Result<Frame<Bytes>, B::Error>>, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    if let Ok(frame) = timeout(QUIET, body.frame()).await {
        return Ok(frame);
    }
    writer.flush().await?;
    let not_waited_for = async {
        content.is_ending().await;
        sleep(IDLE_AT_THE_END).await;
    };
    tokio::select! {
        biased;
        frame = timeout(IDLE, body.frame()) => {
            frame.map_err(|_| BodyError::new("no data for five minutes").into())
        }
        () = not_waited_for => Err(Error::SilentAtTheEnd(QUIET + IDLE_AT_THE_END)),
    }
}

fn check_length(received: u64, announced: Option<u64>) -> Result<(), Error> {
    match announced {
        Some(announced) if announced != received => Err(Error::WrongLength { received, announced }),
        _ => Ok(()),
    }
}

fn unknown_upload(error: storage::Error, id: UploadId) -> Error {
    match error.kind() {
        Kind::NotFound => Error::UploadUnknown(id),
        Kind::Busy => Error::UploadBusy(id),
        _ => error.into(),
    }
}
