//! The debug server: health, numbers and metrics, at an address of its own (`http.debug`).
//!
//! It serves from the start of the server to its end, while that one drains too. An address that is taken, perhaps by
//! the process that this one follows, is tried again and again: pulls and pushes do not wait for it.

mod answer;
mod endpoints;
mod numbers;

use std::{io, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    config,
    control::{Control, Phase, Shared},
    listener::{Accepted, Incomings, Listener},
    tls::Tls,
};

/// Connections at once; the next one waits in the kernel's queue.
const CONNECTIONS: usize = 64;

/// A client that has not sent its headers by then is none; nor is one that asks for nothing more.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long TLS may take to be set up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait before an address is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The headers of a request.
const BUFFER_BYTES: usize = 16 * 1024;

/// What the connections of the debug server share.
#[derive(Debug)]
struct Debug {
    shared: Arc<Shared>,
    control: Control,
    tls: Option<Tls>,
    /// Where metrics are, if they are to be had.
    metrics: Option<String>,
}

/// Serves in a task of its own, until the server has ended.
pub(crate) fn spawn(shared: &Arc<Shared>, settings: &config::Debug, tls: Option<Tls>) {
    let (shared, address) = (Arc::clone(shared), settings.address.clone());
    let control = Control::new(Arc::clone(&shared));
    let metrics = settings.metrics.clone();
    let debug = Arc::new(Debug { shared: Arc::clone(&shared), control, tls, metrics });
    tokio::spawn(async move {
        tokio::select! {
            () = shared.reached(Phase::Ended) => {}
            () = accept_all(&debug, &address) => {}
        }
    });
}

/// Accepts connections for ever. They end with this: the set is dropped.
async fn accept_all(debug: &Arc<Debug>, address: &config::Address) {
    let mut listener = listen(address).await;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let accepted = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "failed to accept a connection of the debug server");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let debug = Arc::clone(debug);
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = attend(&debug, accepted).await {
                tracing::debug!(%error, "connection to the debug server ended early");
            }
        });
    }
}

async fn listen(address: &config::Address) -> Incomings {
    let mut is_known = false;
    loop {
        match Listener::bind(address).and_then(Listener::into_tokio) {
            Ok(listener) => {
                tracing::info!(%address, "the debug server listens");
                return listener;
            }
            Err(error) if !is_known => {
                tracing::error!(%address, %error, "the debug server cannot listen; it is tried again");
                is_known = true;
            }
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

async fn attend(debug: &Debug, accepted: Accepted) -> io::Result<()> {
    match accepted {
        Accepted::Tcp(stream, _) => begin(debug, stream).await,
        Accepted::Unix(stream) => begin(debug, stream).await,
    }
}

async fn begin<S>(debug: &Debug, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = Box::pin(stream);
    match &debug.tls {
        None => speak(debug, stream).await,
        Some(tls) => speak(debug, timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await??).await,
    }
}

async fn speak<S>(debug: &Debug, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(async |request| answer::answer(debug, &request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(BUFFER_BYTES);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    serving.await.map_err(io::Error::other)
}
