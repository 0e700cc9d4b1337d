//! One connection, from its first byte to its last.
//!
//! It has a bounded time for each of its beginnings: for TLS, for the first request, for the headers of each. One that
//! asks for nothing is closed, whatever it sends besides.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, Interest},
    net::{TcpStream, UnixStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutStream;

use super::{
    protocols::{HEADER_TIMEOUT, Protocols},
    room::Room,
    sending::Sending,
};
use crate::{
    access::{self, Logged},
    api::{Body, Secured},
    auth::Remote,
    content::{Outlet, Socket},
    control::{Phase, Shared},
    events::Peer,
    listener::Accepted,
    metered::Metered,
    statistics::{OpenConnection, OpenRequest},
    tls::{self, Tls},
};

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// A client that has just connected is about to ask: a drain waits so long for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long TLS may take to be set up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection that was told that nothing more is read may take to end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a handshake follows.
const TLS_HANDSHAKE: u8 = 22;

/// What somebody is told who speaks HTTP where TLS is spoken; the words are Go's.
const NOT_TLS: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What the requests of one connection share.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    remote: Arc<str>,
    /// The same with its port.
    peer: Peer,
    is_secured: bool,
    /// Where files leave, on HTTP/1 without TLS.
    outlet: Arc<Outlet>,
    /// Whether a request has come in, and who waits for the first one.
    is_used: AtomicBool,
    used: Notify,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Answers that have begun and not ended.
    answers: AtomicU64,
    /// Pieces of answers, and parts of them, that the client has made room for.
    taken: AtomicU64,
    /// Lets requests in that come beside others.
    beside: Arc<Semaphore>,
    _open: OpenConnection,
}

/// A request of a connection, until its answer has left.
#[derive(Debug)]
pub(super) struct UnderWay {
    connection: Arc<Connection>,
    request: OpenRequest,
    /// Whether it is answered, and the answer leaves.
    is_answer: bool,
    _beside: Option<OwnedSemaphorePermit>,
}

impl access::UnderWay for UnderWay {
    fn sends(&mut self, bytes: u64) {
        self.request.sent(bytes);
        self.connection.taken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.is_answer {
            self.connection.answers.fetch_sub(1, Ordering::Relaxed);
        }
        self.connection.ended.fetch_add(1, Ordering::Release);
    }
}

/// Serves a connection in a task of its own.
pub(super) fn serve(
    protocols: &Arc<Protocols>,
    (shared, room): (&Arc<Shared>, &Room),
    accepted: Accepted,
    permit: Option<OwnedSemaphorePermit>,
) {
    let protocols = Arc::clone(protocols);
    let connection = Arc::new(Connection::new(shared, room, &accepted));
    tokio::spawn(async move {
        // Given back last, when everything of the connection is gone.
        let _permit = permit;
        let ended = match accepted {
            Accepted::Tcp(stream, _) => connection.attend(&protocols, stream).await,
            Accepted::Unix(stream) => connection.attend(&protocols, stream).await,
        };
        // A broken connection is the client's affair.
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    });
}

/// Why a connection ended, if not in peace.
type Ended = Result<(), Box<dyn StdError + Send + Sync>>;

impl Connection {
    fn new(shared: &Arc<Shared>, room: &Room, accepted: &Accepted) -> Self {
        Self {
            shared: Arc::clone(shared),
            remote: accepted.remote().into(),
            peer: Peer(accepted.peer().into()),
            is_secured: shared.tls.is_some(),
            outlet: Arc::default(),
            is_used: AtomicBool::new(false),
            used: Notify::new(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            beside: Arc::clone(room.beside()),
            _open: shared.counters.connection(),
        }
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Counts what the client has made room for of a file.
    pub(super) fn sent_of_file(&self, bytes: usize) {
        self.shared.counters.sent_of_files(bytes);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    async fn attend<S: Stream>(self: &Arc<Self>, protocols: &Protocols, stream: S) -> Ended {
        let Some(tls) = &self.shared.tls else {
            let stream = self.guarded(Sending::new(stream, Arc::clone(self)));
            return self.speak(protocols.plain(), stream).await;
        };
        let stream = tokio::select! {
            stream = self.secure(tls, stream) => stream?,
            () = self.draining() => return Ok(()),
        };
        let Some(stream) = stream else { return Ok(()) };
        self.speak(protocols.secured(tls::is_http2(&stream)), stream).await
    }

    /// Sets up TLS; none for a client that has left, or speaks something else and has been told so.
    async fn secure<S: Stream>(
        &self,
        tls: &Tls,
        mut stream: S,
    ) -> io::Result<Option<tls::Stream<Guarded<S>>>> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        match timeout_at(deadline, stream.first_byte()).await?? {
            // Whoever looks whether the port is open says nothing, and nothing is said of it.
            None => Ok(None),
            Some(TLS_HANDSHAKE) => {
                let accepted = timeout_at(deadline, tls.accept(self.guarded(stream))).await;
                let accepted = accepted.unwrap_or_else(|late| Err(late.into()));
                accepted.inspect_err(|error| tls.failed(&self.remote, error)).map(Some)
            }
            Some(_) => {
                tls.failed(&self.remote, &"the client does not speak TLS");
                stream.write_all(NOT_TLS).await?;
                stream.shutdown().await?;
                Ok(None)
            }
        }
    }

    /// Counts what goes over a stream, and gives up a client that takes nothing.
    fn guarded<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Guarded<S> {
        let stream = Metered::new(stream, Arc::clone(&self.shared.counters));
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        Box::pin(stream)
    }

    /// Answers requests until there are no more, or should be none.
    async fn speak<S>(self: &Arc<Self>, builder: &Builder<TokioExecutor>, stream: S) -> Ended
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| {
            let connection = Arc::clone(self);
            async move { connection.answer(request).await }
        });
        let serving = builder.serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let is_idle = tokio::select! {
            // Looked at first: a request that has come in is no longer an idle connection.
            biased;
            ended = &mut serving => return ended,
            () = self.stalled() => return Ok(()),
            () = self.draining() => false,
            () = self.idle() => true,
        };
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            ended = serving => ended,
            () = self.leave(is_idle) => Ok(()),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Logged<Body, UnderWay>>, Infallible> {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let is_first = begun == self.ended.load(Ordering::Acquire);
        let beside = (!is_first).then(|| Arc::clone(&self.beside).try_acquire_owned());
        let (is_room, beside) = (!matches!(beside, Some(Err(_))), beside.and_then(Result::ok));
        let counted = self.shared.counters.request(&request);
        let mut under_way = UnderWay {
            connection: Arc::clone(self),
            request: counted,
            is_answer: false,
            _beside: beside,
        };
        if !self.shared.api.is_open() {
            request.extensions_mut().insert(Remote(Arc::clone(&self.remote)));
        }
        if self.shared.api.has_listeners() {
            request.extensions_mut().insert(self.peer.clone());
        }
        if self.is_secured {
            request.extensions_mut().insert(Secured);
        }
        if !self.is_used.swap(true, Ordering::Relaxed) {
            self.used.notify_one();
        }
        let entry = self.shared.access.begin((&self.remote, &self.peer.0), &request);
        let version = request.version();
        let mut response = match is_room {
            true => self.shared.api.answer(request, &mut under_way.request).await,
            false => self.shared.api.refuse(request),
        };
        under_way.is_answer = true;
        self.answers.fetch_add(1, Ordering::Relaxed);
        under_way.request.answered(response.status());
        if version <= Version::HTTP_11 && !self.is_secured {
            response.body_mut().leave_by(&self.outlet);
        }
        // HTTP/2 has a frame for it.
        if self.shared.is_draining() && version <= Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Logged::wrap(response, entry, under_way))
    }

    /// Waits until the connection should be closed once it has nothing to do.
    async fn draining(&self) {
        self.shared.reached(Phase::Draining).await;
        // What was accepted a moment ago may hold a request that nobody has read.
        if !self.is_used.load(Ordering::Relaxed) {
            let _ = timeout(FIRST_REQUEST, self.used.notified()).await;
        }
    }

    /// Waits until nothing but answers was under way from one look to the next, and nothing of them was taken.
    ///
    /// The time-out of writes does not see it: on HTTP/2 a client can take nothing of an answer and yet talk.
    async fn stalled(&self) {
        let mut before = None;
        loop {
            sleep(WRITE_TIMEOUT).await;
            let ended = self.ended.load(Ordering::Acquire);
            let under_way = self.begun.load(Ordering::Relaxed).saturating_sub(ended);
            let is_waiting = under_way > 0 && under_way == self.answers.load(Ordering::Relaxed);
            let now = is_waiting.then(|| (ended, self.taken.load(Ordering::Relaxed)));
            if now.is_some() && now == before {
                return;
            }
            before = now;
        }
    }

    /// Waits until nothing was under way from one look to the next, and no request has come.
    async fn idle(&self) {
        let mut before = 0;
        loop {
            sleep(HEADER_TIMEOUT).await;
            let ended = self.ended.load(Ordering::Acquire);
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == ended && before == begun {
                return;
            }
            before = begun;
        }
    }

    /// Waits until a connection that reads no more requests has had its time.
    async fn leave(&self, is_idle: bool) {
        let cutting = self.shared.reached(Phase::Cutting);
        if !is_idle {
            return cutting.await;
        }
        // A request that came at the last moment is finished.
        let left = async {
            loop {
                sleep(LEAVE_TIMEOUT).await;
                let ended = self.ended.load(Ordering::Acquire);
                if ended == self.begun.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        tokio::select! {
            () = cutting => {}
            () = left => {}
        }
    }
}

/// A stream of bytes that is counted, and whose writes end.
type Guarded<S> = Pin<Box<TimeoutStream<Metered<S>>>>;

/// A connection that was accepted.
trait Stream: AsyncRead + AsyncWrite + Socket + Send + Unpin + 'static {
    /// Waits for the first byte, and leaves it where it is; none if the stream has ended.
    fn first_byte(&self) -> impl Future<Output = io::Result<Option<u8>>> + Send;
}

impl Stream for TcpStream {
    async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let read = self.peek(&mut byte).await?;
        Ok((read == 1).then_some(byte[0]))
    }
}

impl Stream for UnixStream {
    async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0_u8];
        let peek = || rustix::net::recv(self, &mut byte, RecvFlags::PEEK).map_err(io::Error::from);
        let (read, _) = self.async_io(Interest::READABLE, peek).await?;
        Ok((read == 1).then_some(byte[0]))
    }
}
