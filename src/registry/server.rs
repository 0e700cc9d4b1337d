//! A registry on a listener: accepts connections, answers their requests, stops when told to.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use rustix::process::Resource;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    access::{AccessLog, Logged},
    api::{Api, Body},
    auth::{Gate, Unusable},
    config::{Config, UploadPurging},
    content::Content,
    listener::{Accepted, Incomings, Listener},
    purging,
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
const CONNECTIONS: usize = 16 * 1024;

/// A connection that is served holds itself, a blob and another file for a moment.
const DESCRIPTORS: usize = 3;

/// A registry, opened.
#[derive(Debug)]
pub struct Server {
    api: Arc<Api>,
    content: Content,
    purging: UploadPurging,
    access: Option<Arc<AccessLog>>,
    drain_timeout: Duration,
    h2c: bool,
}

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The storage is not usable.
    #[error("failed to open the storage")]
    Storage(#[source] storage::Error),
    /// Passwords or keys are not usable.
    #[error("failed to set up `auth`")]
    Auth(#[source] Unusable),
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
        let content = Content::open(&config.storage.driver).map_err(OpenError::Storage)?;
        let signer = match &config.http.secret {
            Some(secret) => Signer::new(secret.expose().as_bytes()),
            // For this process only: uploads cannot go on after a restart.
            None => Signer::new(uuid::Uuid::new_v4().as_bytes()),
        };
        let access = match config.log.access_log {
            true => Some(Arc::new(AccessLog::start().map_err(OpenError::AccessLog)?)),
            false => None,
        };
        Ok(Self {
            api: Arc::new(Api::new(config, gate, content.clone(), signer)),
            content,
            purging: config.storage.upload_purging,
            access,
            drain_timeout: config.http.drain_timeout,
            h2c: config.http.h2c,
        })
    }

    /// Serves until `shutdown`; then, for `http.draintimeout`, what has begun.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn run(
        self,
        listener: Listener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        if listener.is_public() && self.api.is_open() {
            let address = listener.address();
            tracing::warn!(%address, "there is no authentication: whoever reaches it may pull and push");
        }
        let mut listener = listener.into_tokio()?;
        let builder = Arc::new(self.builder());
        let connections = Arc::new(Semaphore::new(connections()));
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut purging =
            std::pin::pin!(purging::run(&self.api, self.content.clone(), self.purging));
        loop {
            let (accepted, permit) = tokio::select! {
                next = next(&mut listener, &connections) => next?,
                never = &mut purging => match never {},
                () = &mut shutdown => break,
            };
            let connection = Connection {
                api: Arc::clone(&self.api),
                access: self.access.clone(),
                remote: accepted.remote().into(),
            };
            match accepted {
                Accepted::Tcp(stream, _) => {
                    serve(&builder, &graceful, connection, stream, permit);
                }
                Accepted::Unix(stream) => serve(&builder, &graceful, connection, stream, permit),
            }
        }
        drop(listener);
        // Zero is no drain at all, as Distribution.
        let _ = timeout(self.drain_timeout, graceful.shutdown()).await;
        if let Some(access) = &self.access {
            access.flush();
        }
        Ok(())
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

/// How many connections the process can serve.
fn connections() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile).current;
    let descriptors = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    (descriptors / DESCRIPTORS).clamp(1, CONNECTIONS)
}

/// The next connection, once there is room for it.
async fn next(
    listener: &mut Incomings,
    connections: &Arc<Semaphore>,
) -> io::Result<(Accepted, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    Ok((accept(listener).await, permit))
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
    api: Arc<Api>,
    access: Option<Arc<AccessLog>>,
    remote: Arc<str>,
}

impl Connection {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Logged<Body>>, Infallible> {
        let entry = self.access.as_ref().map(|log| log.begin(&self.remote, &request));
        let response = self.api.answer(request).await;
        Ok(Logged::wrap(response, entry))
    }
}

fn serve<S>(
    builder: &Arc<Builder<TokioExecutor>>,
    graceful: &GracefulShutdown,
    connection: Connection,
    stream: S,
    permit: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let connection = Arc::new(connection);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { connection.answer(request).await }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = TokioIo::new(Box::pin(stream));
    let serving = builder.serve_connection(stream, service).into_owned();
    let serving = graceful.watch(serving);
    tokio::spawn(async move {
        // A broken connection is the client's affair.
        if let Err(error) = serving.await {
            tracing::debug!(%error, "connection ended early");
        }
        drop(permit);
    });
}
