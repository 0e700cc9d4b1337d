//! Blobs that are being fetched: each once, however many clients want it.
//!
//! A fetch is an upload session whose client is this registry. It runs in a task of its own, beside those who
//! read what has arrived ([`Arriving`]), and becomes a blob when its digest is right. It goes on for a while when
//! nobody waits for it any more, since the next client will want it too.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use oci::{Digest, RepositoryName};
use tokio::{sync::watch, time::sleep};

use super::{
    arriving::Arriving,
    blobs::Opened,
    error::Error,
    misfits::Misfits,
    record::Kind,
    room::{Place, Room},
    schedule::Schedule,
    upstream::Upstream,
};
use crate::{
    content::{BodyError, Content, Error as ContentError, Position, UploadId, Writing},
    log::Causes as _,
    metrics::{Kept, Pulls},
    outbound::Fault,
};

/// Blobs that are fetched at once; more of them wait.
const FETCHES: usize = 100;

/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// What is left free beside what is fetched: links, records and folders need some.
const SPARE: u64 = 1024 * 1024;

/// How far a fetch has come.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    Asking,
    /// The session takes what arrives.
    Receiving {
        session: UploadId,
        size: u64,
        received: u64,
    },
    /// It is a blob of the repository.
    Kept,
    Failed(Arc<Error>),
}

type Sought = (RepositoryName, Digest);

/// All fetches of a registry.
#[derive(Debug)]
pub(super) struct Flights {
    running: Mutex<HashMap<Sought, Weak<watch::Sender<Progress>>>>,
    room: Arc<Room>,
    misfits: Misfits,
    /// How long a fetch goes on that nobody waits for.
    patience: Duration,
    stopped: watch::Sender<bool>,
    schedule: Arc<Schedule>,
    pulls: Arc<Pulls>,
}

/// A fetch, as its task has it. However that ends, the next client begins anew.
struct Flight {
    flights: Arc<Flights>,
    sought: Sought,
    progress: Arc<watch::Sender<Progress>>,
}

impl Flights {
    pub(super) fn new(patience: Duration, (schedule, pulls): (Arc<Schedule>, Arc<Pulls>)) -> Self {
        Self {
            running: Mutex::default(),
            room: Arc::new(Room::new(FETCHES)),
            misfits: Misfits::default(),
            patience,
            stopped: watch::Sender::new(false),
            schedule,
            pulls,
        }
    }

    /// Ends every fetch; none begins any more.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Whether a blob did not fit lately, so that it is not worth a try.
    pub(super) fn are_hopeless(&self, digest: &Digest) -> bool {
        self.misfits.include(digest)
    }

    /// What the fetches that go on will still take, this one left out.
    fn reserved(&self, own: &watch::Sender<Progress>) -> u64 {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let others = running.values().filter_map(Weak::upgrade);
        let others = others.filter(|other| !std::ptr::eq(&raw const **other, own));
        let missing = others.map(|other| match &*other.borrow() {
            Progress::Receiving { size, received, .. } => size.saturating_sub(*received),
            Progress::Asking | Progress::Kept | Progress::Failed(_) => 0,
        });
        missing.fold(0, u64::saturating_add)
    }

    /// Joins the fetch of a blob, or begins it, and returns when its length is known.
    pub(super) async fn join(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        writing: Writing,
        (name, digest): (&RepositoryName, &Digest),
    ) -> Result<Arriving, Error> {
        let content = Content::clone(&writing);
        let begin = || self.begin_or_join(upstream, writing.clone(), (name.clone(), *digest));
        let mut progress = begin();
        let mut is_second = false;
        let arriving = |session, size, progress| {
            let sought = (name.clone(), *digest);
            Arriving::new(
                (content.clone(), Arc::clone(upstream)),
                sought,
                (session, size),
                progress,
            )
        };
        loop {
            let state = progress.borrow_and_update().clone();
            match state {
                Progress::Asking => {}
                Progress::Receiving { session, size, .. } => {
                    return Ok(arriving(session, size, progress));
                }
                Progress::Kept => {
                    let size = content.blob(name, digest).await?.object.size();
                    return Ok(arriving(UploadId::random(), size, progress));
                }
                // Nobody wanted it any more just when this one came.
                Progress::Failed(error) if !is_second && matches!(*error, Error::GivenUp) => {
                    is_second = true;
                    progress = begin();
                    continue;
                }
                Progress::Failed(error) => return Err(Error::Shared(error)),
            }
            // The task is gone: it panicked, or the process ends.
            progress.changed().await.map_err(|_| Error::GivenUp)?;
        }
    }

    fn begin_or_join(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        writing: Writing,
        sought: Sought,
    ) -> watch::Receiver<Progress> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = running.get(&sought).and_then(Weak::upgrade) {
            return progress.subscribe();
        }
        let (progress, receiver) = watch::channel(Progress::Asking);
        let progress = Arc::new(progress);
        running.insert(sought.clone(), Arc::downgrade(&progress));
        drop(running);
        let flight = Flight { flights: Arc::clone(self), sought, progress };
        let upstream = Arc::clone(upstream);
        tokio::spawn(async move { flight.run(&upstream, writing).await });
        receiver
    }
}

impl Flight {
    async fn run(self, upstream: &Upstream, writing: Writing) {
        let fetched = self.fetch(upstream, &writing).await;
        if let Err(error) = &fetched {
            let (name, digest) = &self.sought;
            match error {
                Error::NotKept(reason) => {
                    self.flights.misfits.note(digest);
                    tracing::warn!(repository = %name, %digest, reason, "blob only passes through for a while");
                }
                Error::Missing | Error::GivenUp => {
                    tracing::debug!(repository = %name, %digest, error = error.causes(), "blob is not fetched");
                }
                error => {
                    if error.is_full() {
                        self.flights.misfits.note(digest);
                    }
                    tracing::warn!(repository = %name, %digest, error = error.causes(), "blob could not be fetched");
                }
            }
        }
        // Who comes from here on finds the blob, or tries again.
        self.leave();
        self.progress.send_replace(match fetched {
            Ok(()) => Progress::Kept,
            Err(error) => Progress::Failed(Arc::new(error)),
        });
    }

    async fn fetch(&self, upstream: &Upstream, writing: &Writing) -> Result<(), Error> {
        let (name, digest) = &self.sought;
        let place = self.place().await?;
        // Who looked before a fetch was over, and asked for another one after it, finds what that one has left.
        if writing.blob(name, digest).await.is_ok() {
            return Ok(());
        }
        let mut given_up = Box::pin(given_up(
            Arc::clone(&self.progress),
            self.flights.stopped.subscribe(),
            self.flights.patience,
            place,
        ));
        let Opened { size, body, .. } = tokio::select! {
            opened = upstream.blob(name, digest, 0) => opened?,
            () = &mut given_up => return Err(Error::GivenUp),
        };
        let size = size.ok_or(Error::NotKept("nobody says how long it is"))?;
        let room = writing.room().await?.unwrap_or(u64::MAX);
        let needed = size.saturating_add(self.flights.reserved(&self.progress));
        if needed.saturating_add(SPARE) > room {
            return Err(Error::NotKept("there is no room for it"));
        }
        let session = writing.begin_upload(name).await?.id;
        // Noted first: what is here and not in the record is never removed.
        self.flights.schedule.note(name, digest, Kind::Blob);
        self.progress.send_replace(Progress::Receiving { session, size, received: 0 });
        let body = Arrivals {
            body,
            pulls: Arc::clone(&self.flights.pulls),
            progress: Arc::clone(&self.progress),
            given_up,
        };
        let range = Position::Range { start: 0, length: size };
        let committed = writing.commit(name, session, range, body, digest).await;
        let Err(error) = committed else { return Ok(()) };
        // What has arrived is wrong, or half of it: nobody may go on from there.
        if let Err(error) = writing.cancel_upload(name, session).await {
            tracing::warn!(upload = %session, error = error.causes(), "fetched data could not be removed");
        }
        Err(match error {
            ContentError::DigestMismatch(mismatch) => {
                Error::other_content(&mismatch.claimed, &mismatch.actual)
            }
            ContentError::WrongLength { .. } => Error::Unusable("the blob has another length"),
            ContentError::Body(error) => Error::Cut(error),
            error => error.into(),
        })
    }

    /// Waits for its turn, as long as anybody waits for this fetch.
    async fn place(&self) -> Result<Place, Error> {
        let mut stopped = self.flights.stopped.subscribe();
        let gone = async {
            tokio::select! {
                () = self.progress.closed() => {}
                // The other end lives as long as the registry does.
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        };
        let place = self.flights.room.take(TURN, gone).await;
        let is_given_up = self.progress.is_closed() || *self.flights.stopped.borrow();
        place.ok_or(match is_given_up {
            true => Error::GivenUp,
            false => Error::Busy { retry_after: None },
        })
    }

    fn leave(&self) {
        let mut running = self.flights.running.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Arc::downgrade(&self.progress);
        if running.get(&self.sought).is_some_and(|running| running.ptr_eq(&own)) {
            running.remove(&self.sought);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Returns when a fetch should end: the registry stops, or nobody waits for it, and has not for long or somebody waits
/// for its place.
async fn given_up(
    progress: Arc<watch::Sender<Progress>>,
    mut stopped: watch::Receiver<bool>,
    patience: Duration,
    mut place: Place,
) {
    let abandoned = async {
        loop {
            progress.closed().await;
            let is_wanted = tokio::select! {
                () = sleep(patience) => false,
                () = place.wanted() => true,
            };
            if progress.is_closed() && (!is_wanted || place.leave()) {
                return;
            }
        }
    };
    tokio::select! {
        () = abandoned => {}
        // The other end lives as long as the registry does.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// What arrives, counted.
struct Arrivals {
    body: reqwest::Body,
    pulls: Arc<Pulls>,
    progress: Arc<watch::Sender<Progress>>,
    given_up: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Body for Arrivals {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.given_up.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyError::new("nobody waits for it any more"))));
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(|error| BodyError::new(Fault::from(error)));
        if let Some(bytes) = frame.as_ref().ok().and_then(Frame::data_ref) {
            let more = bytes.len() as u64;
            self.pulls.pulled(Kept::Blob, more);
            self.progress.send_modify(|progress| {
                if let Progress::Receiving { received, .. } = progress {
                    *received += more;
                }
            });
        }
        Poll::Ready(Some(frame))
    }
}
