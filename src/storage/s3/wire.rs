//! How requests to the store leave: by one reqwest client, at a bounded pace, and never for ever.
//!
//! The time that a body takes is not bounded, whichever way it goes: only how long nothing of it moves.

use std::{
    error::Error as StdError,
    io, iter,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::{Error as BodyError, SdkBody};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::pace::Pace;

/// How long a connection may take to be there, its TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request: less than servers keep theirs.
const KEPT: Duration = Duration::from_secs(20);

/// How long the store may take nothing and say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// The same while it copies an object or puts one together, of which some say nothing before it is done.
const LONG_SILENCE: Duration = Duration::from_secs(900);

/// Sends requests. Clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    client: reqwest::Client,
    pace: Arc<Pace>,
    /// How long those wait for an answer who ask for credentials where perhaps nobody is.
    limit: Option<Duration>,
}

impl Wire {
    pub(super) fn new(builder: reqwest::ClientBuilder, pace: Pace) -> reqwest::Result<Self> {
        let client = builder
            // Where a bucket is elsewhere, an error says so.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEPT)
            .build()?;
        Ok(Self { client, pace: Arc::new(pace), limit: None })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // Given back when the answer begins: whoever takes long to read it holds up nobody.
        let _permit = self.pace.wait().await;
        let request =
            request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let silence = if works_long(&request) { LONG_SILENCE } else { SILENCE };
        let moved = Arc::new(AtomicU64::new(0));
        let request = request.map(|body| {
            reqwest::Body::wrap(Leaving { body: Box::pin(body), moved: Arc::clone(&moved) })
        });
        let request = reqwest::Request::try_from(request);
        let request = request.map_err(|error| ConnectorError::user(error.into()))?;
        let response = tokio::select! {
            response = self.client.execute(request) => response.map_err(fault)?,
            () = stalled(&moved, silence) => return Err(timed_out()),
        };
        let response = Response::<reqwest::Body>::from(response).map(|body| {
            let quiet = Box::pin(sleep(SILENCE));
            SdkBody::from_body_1_x(Arriving { body, quiet })
        });
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let Some(limit) = wire.limit else { return wire.send(request).await };
            timeout(limit, wire.send(request)).await.unwrap_or_else(|_| Err(timed_out()))
        })
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let limits = [settings.connect_timeout(), settings.read_timeout()];
        let limit = limits.into_iter().flatten().reduce(|one, other| one + other);
        SharedHttpConnector::new(Self { limit, ..self.clone() })
    }
}

/// Whether the store has to move a whole object before it answers.
fn works_long<T>(request: &Request<T>) -> bool {
    let completes = request.method() == Method::POST
        && request.uri().query().is_some_and(|query| query.contains("uploadId="));
    completes || request.headers().contains_key("x-amz-copy-source")
}

/// Returns when nothing has moved for so long.
async fn stalled(moved: &AtomicU64, silence: Duration) {
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        sleep(silence).await;
        match moved.load(Ordering::Relaxed) {
            now if now == seen => return,
            now => seen = now,
        }
    }
}

/// A body on its way to the store: each piece that is taken counts.
struct Leaving {
    body: Pin<Box<SdkBody>>,
    moved: Arc<AtomicU64>,
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.body.as_mut().poll_frame(context);
        self.moved.fetch_add(1, Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&*self.body)
    }
}

/// A body on its way from the store.
struct Arriving {
    body: reqwest::Body,
    quiet: Pin<Box<Sleep>>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(polled) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.quiet.as_mut().poll(context));
            return Poll::Ready(Some(Err(Box::new(silent()))));
        };
        self.quiet.as_mut().reset(Instant::now() + SILENCE);
        Poll::Ready(polled.map(|frame| frame.map_err(|error| error.without_url().into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the store has said nothing for too long")
}

fn timed_out() -> ConnectorError {
    ConnectorError::timeout(Box::new(silent()))
}

/// What is tried again and what is not: a certificate stays what it is.
fn fault(error: reqwest::Error) -> ConnectorError {
    // A URL may hold a signature.
    let error = error.without_url();
    if error.is_timeout() {
        return ConnectorError::timeout(error.into());
    }
    if refuses_certificate(&error) {
        return ConnectorError::other(error.into(), None);
    }
    ConnectorError::io(error.into())
}

fn refuses_certificate(error: &(dyn StdError + 'static)) -> bool {
    iter::successors(Some(error), |error| (*error).source()).any(|cause| {
        // TLS tells of itself within an error of the connection.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = match inner {
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => cause.downcast_ref::<rustls::Error>(),
        };
        matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
    })
}
