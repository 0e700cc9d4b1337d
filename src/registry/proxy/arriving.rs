//! A blob that is read while it is fetched.
//!
//! Its digest is known only at its end, so the last byte is held back until it is right: a client of a blob that
//! is wrong, or is cut off, is left with less than it was told it would get. Parts that lie before the end could
//! not be told from wrong ones at all, and wait for it.
//!
//! When what arrives cannot be kept to its end, who is at the end of it goes on without the storage: the rest is asked for
//! again, and the digest is that of what the client has and of the rest.

use std::{
    fmt,
    future::poll_fn,
    io,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use oci::{Digest, Digester, RepositoryName};
use tokio::{
    sync::watch,
    task::consume_budget,
    time::{sleep, timeout},
};

use super::{error::Error, flight::Progress, passing::Passing, upstream::Upstream};
use crate::content::{Chunks, Content, Object, Outlet, UploadId};

/// What is worth looking for: as much as a session writes at a time.
const STEP: u64 = 512 * 1024;

/// What has been received is written in so long, when there is enough of it.
const LITTLE: Duration = Duration::from_millis(5);

/// What a session has received is written after a second of silence.
const LOOK: Duration = Duration::from_millis(1100);

/// A blob on its way.
#[derive(Clone)]
pub(crate) struct Arriving {
    content: Content,
    upstream: Arc<Upstream>,
    sought: (RepositoryName, Digest),
    session: UploadId,
    size: u64,
    progress: watch::Receiver<Progress>,
}

/// The bytes of a range of it, in pieces.
pub(crate) struct ArrivingChunks {
    blob: Arriving,
    next: u64,
    end: u64,
    reading: Option<Chunks>,
    outlet: Option<Arc<Outlet>>,
    finding: Option<Finding>,
    /// What the session held when it was last looked at: readable also when that one has been given up.
    session: Option<Object>,
    passing: Option<Box<Passing>>,
}

/// Opens what there is by now.
type Finding = Pin<Box<dyn Future<Output = Result<Next, storage::Error>> + Send>>;

/// Where the next bytes come from.
enum Next {
    Kept(Chunks),
    Session(Chunks, Object),
    /// All that is left, from the other registry.
    Passing(Box<Passing>),
}

impl Arriving {
    pub(super) fn new(
        (content, upstream): (Content, Arc<Upstream>),
        sought: (RepositoryName, Digest),
        (session, size): (UploadId, u64),
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self { content, upstream, sought, session, size, progress }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn chunks(&self, range: Range<u64>) -> ArrivingChunks {
        let end = range.end.min(self.size);
        let next = range.start.min(end);
        ArrivingChunks {
            blob: self.clone(),
            next,
            end,
            reading: None,
            outlet: None,
            finding: None,
            session: None,
            passing: None,
        }
    }

    /// Waits until some of the range can be read.
    async fn find(
        mut self,
        range: Range<u64>,
        session: Option<Object>,
    ) -> Result<Next, storage::Error> {
        let (name, digest) = self.sought.clone();
        let broken = |error: &dyn fmt::Display| broken(&digest, error);
        loop {
            let state = self.progress.borrow_and_update().clone();
            match state {
                Progress::Kept => {
                    let blob = self.content.blob(&name, &digest).await;
                    let object = blob.map_err(|error| broken(&error))?.object;
                    return Ok(Next::Kept(object.chunks(range)));
                }
                Progress::Failed(error) if error.is_storage_failure() && range.end == self.size => {
                    let rest = self.rest(range.start, session).await?;
                    return Ok(Next::Passing(Box::new(rest)));
                }
                Progress::Failed(error) => return Err(broken(&error)),
                Progress::Asking | Progress::Receiving { .. } => {}
            }
            if range.end == self.size {
                let arrived = self.content.arrived(&name, self.session).await;
                let arrived = arrived.map_err(|error| broken(&error))?;
                let most = self.size.saturating_sub(1);
                let limit = arrived.as_ref().map_or(0, |object| object.size().min(most));
                if let Some(object) = arrived.filter(|_| limit > range.start) {
                    return Ok(Next::Session(object.chunks(range.start..limit), object));
                }
            }
            let worthwhile = |state: &Progress| match state {
                Progress::Asking => false,
                Progress::Receiving { received, .. } => *received >= range.start + STEP,
                Progress::Kept | Progress::Failed(_) => true,
            };
            let waited = timeout(LOOK, self.progress.wait_for(worthwhile)).await;
            match waited.map(|state| state.is_ok()) {
                Ok(false) => return Err(broken(&"nothing fetches it any more")),
                // There may be enough, and it be on its way to the session.
                Ok(true) => sleep(LITTLE).await,
                Err(_) => {}
            }
        }
    }
}

impl Arriving {
    /// What is left of it, for a client that has all before it from what the session held.
    async fn rest(&self, next: u64, session: Option<Object>) -> Result<Passing, storage::Error> {
        let (name, digest) = &self.sought;
        let mut digester = Digester::new(digest.algorithm());
        if let Some(session) = session {
            let mut had = session.chunks(0..next);
            while let Some(bytes) = poll_fn(|context| had.poll_next(context)).await {
                digester.update(&bytes?);
                consume_budget().await;
            }
        } else if next > 0 {
            return Err(broken(digest, &"nobody knows its beginning any more"));
        }
        let opened = self.upstream.blob(name, digest, next).await;
        let opened = opened.map_err(|error: Error| broken(digest, &error))?;
        if opened.size.is_some_and(|size| size != self.size) {
            return Err(broken(digest, &"it has another length than before"));
        }
        let pulls = Arc::clone(&self.upstream.pulls);
        Ok(Passing::rest(*digest, (opened, self.size), (next, digester), pulls))
    }
}

impl ArrivingChunks {
    pub(crate) fn remaining(&self) -> u64 {
        self.end - self.next
    }

    /// Has the kernel send what there is of the file.
    pub(crate) fn leave_by(&mut self, outlet: &Arc<Outlet>) {
        self.outlet = Some(Arc::clone(outlet));
    }

    /// The next piece; none at the end.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, storage::Error>>> {
        loop {
            if self.remaining() == 0 {
                return Poll::Ready(None);
            }
            if let Some(passing) = &mut self.passing {
                let piece = ready!(passing.poll_next(context));
                if let Some(Ok(bytes)) = &piece {
                    self.next += bytes.len() as u64;
                }
                return Poll::Ready(piece);
            }
            if let Some(reading) = &mut self.reading {
                match ready!(reading.poll_next(context)) {
                    Some(Ok(bytes)) => {
                        self.next += bytes.len() as u64;
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => self.reading = None,
                }
                continue;
            }
            let rest = self.next..self.end;
            let (blob, session) = (&self.blob, &self.session);
            let finding = self
                .finding
                .get_or_insert_with(|| Box::pin(blob.clone().find(rest, session.clone())));
            let found = ready!(finding.as_mut().poll(context));
            self.finding = None;
            let mut chunks = match found? {
                Next::Kept(chunks) => chunks,
                Next::Session(chunks, session) => {
                    self.session = Some(session);
                    chunks
                }
                Next::Passing(passing) => {
                    self.passing = Some(passing);
                    continue;
                }
            };
            if let Some(outlet) = &self.outlet {
                chunks.leave_by(outlet);
            }
            self.reading = Some(chunks);
        }
    }
}

fn broken(digest: &Digest, reason: &dyn fmt::Display) -> storage::Error {
    storage::Error::io("fetch", digest, io::Error::other(reason.to_string()))
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("sought", &self.sought).finish_non_exhaustive()
    }
}

impl fmt::Debug for ArrivingChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = self.next..self.end;
        f.debug_struct("ArrivingChunks").field("range", &range).finish_non_exhaustive()
    }
}
