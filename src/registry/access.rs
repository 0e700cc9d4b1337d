//! One line in the access log for each request, written when the last byte of the answer has left.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri, Version,
    header::{REFERER, USER_AGENT},
};
use http_body::{Body, Frame, SizeHint};

use crate::{
    auth::User,
    log::{Access, AccessLine, Sink},
    statistics::{HandedOver, OpenRequest},
};

/// The access log, on standard output, while it is switched on.
#[derive(Debug)]
pub(crate) struct AccessLog {
    access: Access,
    is_on: AtomicBool,
}

/// What is known of a request before it is answered.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    time: SystemTime,
    remote: Arc<str>,
    method: Method,
    uri: Uri,
    version: Version,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    user: Option<User>,
    status: u16,
    sent: u64,
}

impl AccessLog {
    pub(crate) fn start(is_on: bool) -> io::Result<Self> {
        Ok(Self { access: Access::new(Sink::stdout()?), is_on: AtomicBool::new(is_on) })
    }

    /// Switches it on or off, for requests that begin from now on.
    pub(crate) fn switch(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// The line of a request; none while the log is off.
    pub(crate) fn begin<B>(
        self: &Arc<Self>,
        remote: &Arc<str>,
        request: &Request<B>,
    ) -> Option<Entry> {
        self.is_on.load(Ordering::Relaxed).then(|| Entry {
            log: Arc::clone(self),
            time: SystemTime::now(),
            remote: Arc::clone(remote),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            referer: request.headers().get(REFERER).cloned(),
            agent: request.headers().get(USER_AGENT).cloned(),
            user: None,
            status: 0,
            sent: 0,
        })
    }

    pub(crate) fn flush(&self) {
        self.access.flush();
    }
}

impl Drop for Entry {
    /// However the answer ends: completely, by an error, or because the client went away.
    fn drop(&mut self) {
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (referer, agent) = (text(&self.referer), text(&self.agent));
        let uri = self.uri.path_and_query().map_or("/", |uri| uri.as_str());
        self.log.access.record(&AccessLine {
            time: self.time,
            remote: &self.remote,
            user: self.user.as_ref().map(User::as_str),
            method: self.method.as_str(),
            uri,
            version: version(self.version),
            status: self.status,
            bytes: self.sent,
            referer: referer.as_deref(),
            agent: agent.as_deref(),
        });
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// A body that counts what is sent of it, and with which its request ends.
#[derive(Debug)]
pub(crate) struct Logged<B> {
    body: B,
    entry: Option<Entry>,
    _request: OpenRequest,
}

impl<B> Logged<B> {
    pub(crate) fn wrap(
        mut response: Response<B>,
        entry: Option<Entry>,
        request: OpenRequest,
    ) -> Response<Self> {
        let status = response.status().as_u16();
        let user = response.extensions_mut().remove::<User>();
        let handed_over = response.extensions_mut().remove::<HandedOver>();
        let sent = handed_over.map_or(0, |HandedOver { bytes }| bytes);
        let entry = entry.map(|entry| entry.answered(status, user, sent));
        response.map(|body| Self { body, entry, _request: request })
    }
}

impl Entry {
    fn answered(mut self, status: u16, user: Option<User>, sent: u64) -> Self {
        self.status = status;
        self.user = user;
        self.sent = sent;
        self
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Logged<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let (Some(Ok(frame)), Some(entry)) = (&frame, &mut self.entry) {
            entry.sent += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
