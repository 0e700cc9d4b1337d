//! A registry on a listener: accepts connections, answers their requests, stops when told to.
//!
//! A stop has three phases. The listener goes first: a socket of this process is closed, one that was passed in is its
//! owner's. Then requests finish, each answer with `Connection: close`, while idle connections are closed at once. After
//! `http.draintimeout` what is left is cut off; a write that loses its client so ends as at any other time, with what
//! it has received kept.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use rustix::process::Resource;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    access::Logged,
    api::{Api, Body},
    auth::{Gate, Remote, Unusable},
    config::Config,
    content::Content,
    control::{Control, Phase, Shared},
    events::{Events, Peer, QueueError},
    listener::{Accepted, Incomings, Listener},
    metered::Metered,
    proxy::Proxy,
    purging,
    redirect::Redirect,
    schema1::{SigningKey, UnusableKey},
    statistics::OpenConnection,
    upload::Signer,
};

/// A client that has not sent its headers by then is none. Longer than nginx keeps an idle connection
/// (60 s), so that the registry is never the first to close one that nginx is about to use.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// What is received of one connection at a time: all of a request's headers, or a piece of its body.
const BUFFER_BYTES: usize = 128 * 1024;

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// How often a client of HTTP/2 is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Connections at once, where the limit of descriptors allows them; the next one waits in the
/// kernel's queue.
const CONNECTIONS: u32 = 16 * 1024;

/// A connection that is served holds itself, a blob and another file for a moment.
const DESCRIPTORS: u32 = 3;

/// A client that has just connected is about to ask: a drain waits so long for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long a stopping process waits for writes whose connections it has cut off.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// A registry, opened.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    h2c: bool,
}

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The storage is not usable.
    #[error("failed to open the storage in {place}")]
    Storage {
        /// The folder, or what stands for it.
        place: String,
        /// What it fails at, below that.
        source: storage::Error,
    },
    /// Passwords or keys are not usable.
    #[error("failed to set up `auth`")]
    Auth(#[source] Unusable),
    /// The key that signs manifests of schema 1 is not usable.
    #[error("failed to set up `compatibility.schema1.signingkeyfile`")]
    SigningKey(#[source] UnusableKey),
    /// Events have no place to wait.
    #[error("failed to set up `notifications`")]
    Events(#[source] QueueError),
    /// No URL can be signed.
    #[error("failed to set up `middleware.storage`")]
    Redirect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing can be asked of the registry behind this one.
    #[error("failed to set up `proxy`: {0}")]
    Proxy(String),
    /// The thread that writes the access log could not be started.
    #[error("failed to start the access log")]
    AccessLog(#[source] io::Error),
}

impl Server {
    /// Reads passwords or keys, and opens the storage.
    ///
    /// # Errors
    /// One of them is not usable.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let gate = Gate::open(&config.auth).map_err(OpenError::Auth)?;
        let driver = &config.storage.driver;
        let unusable = |source| OpenError::Storage { place: driver.to_string(), source };
        let content = Content::open(driver, config.lease).map_err(unusable)?;
        let signer = match &config.http.secret {
            Some(secret) => Signer::new(secret.expose().as_bytes()),
            // For this process only: uploads cannot go on after a restart.
            None => Signer::new(uuid::Uuid::new_v4().as_bytes()),
        };
        let signing_key = SigningKey::open(config.schema1.signing_key_file.as_deref())
            .map_err(OpenError::SigningKey)?;
        let events = Events::open(config).map_err(OpenError::Events)?;
        let proxy = config.proxy.as_ref().map(|proxy| Proxy::open(proxy, content.clone()));
        let proxy = proxy.transpose().map_err(|fault| OpenError::Proxy(fault.to_string()))?;
        let redirect = config.storage.redirect.as_ref().map(Redirect::open).transpose();
        let redirect = redirect.map_err(|error| OpenError::Redirect(error.into()))?;
        let before = (proxy, redirect);
        let api =
            Api::new(config, gate, content.clone(), events.clone(), signer, signing_key, before);
        let shared = Shared::new(config, api, content, events).map_err(OpenError::AccessLog)?;
        Ok(Self { shared: Arc::new(shared), h2c: config.http.h2c })
    }

    /// A handle on the server, before and while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown`; then the listener goes, and what has begun is finished, for at most
    /// `http.draintimeout`. Writes that are cut off then keep what they have received.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn run(
        self,
        listener: Listener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        if listener.is_public() && self.shared.api.is_open() {
            let address = listener.address();
            tracing::warn!(%address, "there is no authentication: whoever reaches it may pull and push");
        }
        let connections = Connections::for_this_process();
        self.shared.events.start();
        self.accept(listener.into_tokio()?, &connections, shutdown).await;
        self.drain(&connections).await;
        Ok(())
    }

    /// Accepts connections until `shutdown`.
    async fn accept(
        &self,
        mut listener: Incomings,
        connections: &Connections,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let shared = &self.shared;
        let builder = Arc::new(self.builder());
        let mut shutdown = std::pin::pin!(shutdown);
        let mut purging = std::pin::pin!(purging::run(shared.content.clone(), shared.purging()));
        let mut fetched = std::pin::pin!(async {
            match shared.api.proxy() {
                Some(proxy) => proxy.run().await,
                None => pending().await,
            }
        });
        loop {
            let (accepted, permit) = tokio::select! {
                // Looked at first: under any load, who is told to stop stops.
                biased;
                () = &mut shutdown => return,
                next = next(&mut listener, connections) => next,
                never = &mut purging => match never {},
                never = &mut fetched => match never {},
            };
            let connection = Connection::new(shared, &accepted);
            match accepted {
                Accepted::Tcp(stream, _) => serve(&builder, connection, stream, permit),
                Accepted::Unix(stream) => serve(&builder, connection, stream, permit),
            }
        }
    }

    /// Lets requests finish, cuts off those that do not, and waits for what is being written.
    async fn drain(&self, connections: &Connections) {
        let shared = &self.shared;
        shared.enter(Phase::Draining);
        // Zero is no drain at all, as Distribution.
        if timeout(shared.drain_timeout(), connections.ended()).await.is_err() {
            shared.enter(Phase::Cutting);
        }
        if let Some(proxy) = shared.api.proxy() {
            proxy.stop().await;
        }
        if timeout(LAST_WRITES, shared.content.writes_ended()).await.is_err() {
            let writes = shared.content.writes_in_flight();
            tracing::error!(writes, "stopping although writes are under way");
        }
        shared.events.close().await;
        shared.access.flush();
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .title_case_headers(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(BUFFER_BYTES)
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL);
        if self.h2c { builder } else { builder.http1_only() }
    }
}

/// Ends what goes on beside the server, however that one ended.
impl Drop for Server {
    fn drop(&mut self) {
        self.shared.enter(Phase::Ended);
    }
}

/// Room for connections.
#[derive(Debug)]
struct Connections {
    room: Arc<Semaphore>,
    most: u32,
}

impl Connections {
    /// As many as the process can serve.
    fn for_this_process() -> Self {
        let limit = rustix::process::getrlimit(Resource::Nofile).current;
        let descriptors = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX);
        let most = (descriptors / DESCRIPTORS).clamp(1, CONNECTIONS);
        let room = usize::try_from(most).expect("a few thousand fit everywhere");
        Self { room: Arc::new(Semaphore::new(room)), most }
    }

    /// Waits for room. The semaphore is never closed.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Waits until there is none.
    async fn ended(&self) {
        // All the room there is: nobody holds any.
        let _ = self.room.acquire_many(self.most).await;
    }
}

/// The next connection, once there is room for it.
async fn next(
    listener: &mut Incomings,
    connections: &Connections,
) -> (Accepted, Option<OwnedSemaphorePermit>) {
    let permit = connections.room().await;
    (accept(listener).await, permit)
}

/// Accepts a connection. Running out of descriptors is waited out, not died of.
async fn accept(listener: &mut Incomings) -> Accepted {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "failed to accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What the requests of one connection share.
#[derive(Debug)]
struct Connection {
    shared: Arc<Shared>,
    remote: Arc<str>,
    /// The same with its port.
    peer: Peer,
    /// Whether a request has come in, and who waits for the first one.
    is_used: AtomicBool,
    used: Notify,
    _open: OpenConnection,
}

impl Connection {
    fn new(shared: &Arc<Shared>, accepted: &Accepted) -> Self {
        Self {
            shared: Arc::clone(shared),
            remote: accepted.remote().into(),
            peer: Peer(accepted.peer().into()),
            is_used: AtomicBool::new(false),
            used: Notify::new(),
            _open: shared.counters.connection(),
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Logged<Body>>, Infallible> {
        if !self.shared.api.is_open() {
            request.extensions_mut().insert(Remote(Arc::clone(&self.remote)));
        }
        if self.shared.api.has_listeners() {
            request.extensions_mut().insert(self.peer.clone());
        }
        if !self.is_used.swap(true, Ordering::Relaxed) {
            self.used.notify_one();
        }
        let counted = self.shared.counters.request();
        let entry = self.shared.access.begin(&self.remote, &request);
        let version = request.version();
        let mut response = self.shared.api.answer(request).await;
        // HTTP/2 has a frame for it.
        if self.shared.is_draining() && version <= Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Logged::wrap(response, entry, counted))
    }

    /// Waits until the connection should be closed once it has nothing to do.
    async fn draining(&self) {
        self.shared.reached(Phase::Draining).await;
        // What was accepted a moment ago may hold a request that nobody has read.
        if !self.is_used.load(Ordering::Relaxed) {
            let _ = timeout(FIRST_REQUEST, self.used.notified()).await;
        }
    }
}

fn serve<S>(
    builder: &Arc<Builder<TokioExecutor>>,
    connection: Connection,
    stream: S,
    permit: Option<OwnedSemaphorePermit>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let builder = Arc::clone(builder);
    let connection = Arc::new(connection);
    let stream = Metered::new(stream, Arc::clone(&connection.shared.counters));
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = TokioIo::new(Box::pin(stream));
    tokio::spawn(async move {
        // Given back last, when everything of the connection is gone.
        let _permit = permit;
        let service = service_fn(|request| {
            let connection = Arc::clone(&connection);
            async move { connection.answer(request).await }
        });
        let mut serving = std::pin::pin!(builder.serve_connection(stream, service));
        let ended = tokio::select! {
            // Looked at first: a request that has come in is no longer an idle connection.
            biased;
            ended = &mut serving => ended,
            () = connection.draining() => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = serving => ended,
                    () = connection.shared.reached(Phase::Cutting) => return,
                }
            }
        };
        // A broken connection is the client's affair.
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    });
}
