//! One line in the access log for each request, written when the last byte of the answer has left.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri, Version,
    header::{CONTENT_TYPE, HOST, REFERER, USER_AGENT},
};
use http_body::{Body, Frame, SizeHint};

use crate::{
    auth::User,
    config::{AccessFormat, Log},
    log::{Access, AccessLine, Correlation, Sink},
    statistics::HandedOver,
};

/// The access log, on standard output, while it is switched on.
#[derive(Debug)]
pub(crate) struct AccessLog {
    access: Access,
    is_on: AtomicBool,
    is_json: AtomicBool,
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
    /// None: the format has no place for it.
    details: Option<Details>,
    status: u16,
    sent: u64,
}

/// What only JSON tells of a request.
#[derive(Debug)]
struct Details {
    began: Instant,
    /// The client with its port.
    peer: Arc<str>,
    correlation: Correlation,
    host: Option<HeaderValue>,
    first_byte: Duration,
    content_type: Option<HeaderValue>,
}

impl AccessLog {
    pub(crate) fn start(settings: &Log) -> io::Result<Self> {
        let access = Access::new(Sink::stdout()?);
        let log = Self { access, is_on: AtomicBool::default(), is_json: AtomicBool::default() };
        log.switch(settings);
        Ok(log)
    }

    /// Switches it on or off, or to another format, for requests that begin from now on.
    pub(crate) fn switch(&self, settings: &Log) {
        self.is_json.store(settings.access_format == AccessFormat::Json, Ordering::Relaxed);
        self.is_on.store(settings.access_log, Ordering::Relaxed);
    }

    /// The line of a request of this client, without its port and with it; none while the log is off.
    pub(crate) fn begin<B>(
        self: &Arc<Self>,
        (remote, peer): (&Arc<str>, &Arc<str>),
        request: &Request<B>,
    ) -> Option<Entry> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let time = SystemTime::now();
        let is_json = self.is_json.load(Ordering::Relaxed);
        Some(Entry {
            log: Arc::clone(self),
            time,
            remote: Arc::clone(remote),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            referer: request.headers().get(REFERER).cloned(),
            agent: request.headers().get(USER_AGENT).cloned(),
            user: None,
            details: is_json.then(|| Details::of(request, (peer, time))),
            status: 0,
            sent: 0,
        })
    }

    pub(crate) fn flush(&self) {
        self.access.flush();
    }
}

impl Details {
    fn of<B>(request: &Request<B>, (peer, time): (&Arc<str>, SystemTime)) -> Self {
        let from_target = || {
            // HTTP/2 has it in the target.
            let authority = request.uri().authority()?;
            HeaderValue::try_from(authority.as_str()).ok()
        };
        let host = request.headers().get(HOST).cloned().or_else(from_target);
        Self {
            began: Instant::now(),
            peer: Arc::clone(peer),
            correlation: Correlation::of(request.headers(), time),
            host,
            first_byte: Duration::ZERO,
            content_type: None,
        }
    }
}

impl Drop for Entry {
    /// However the answer ends: completely, by an error, or because the client went away.
    fn drop(&mut self) {
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let details = self.details.as_ref();
        let host = details.and_then(|details| text(&details.host));
        let content_type = details.and_then(|details| text(&details.content_type));
        let format = match details {
            Some(_) => AccessFormat::Json,
            None => AccessFormat::Combined,
        };
        let (referer, agent) = (text(&self.referer), text(&self.agent));
        let uri = self.uri.path_and_query().map_or("/", |uri| uri.as_str());
        let line = AccessLine {
            time: self.time,
            remote: &self.remote,
            peer: details.map_or("", |details| &details.peer),
            correlation: details.map_or("", |details| details.correlation.as_str()),
            user: self.user.as_ref().map(User::as_str),
            method: self.method.as_str(),
            uri,
            version: version(self.version),
            status: self.status,
            bytes: self.sent,
            referer: referer.as_deref(),
            agent: agent.as_deref(),
            host: host.as_deref(),
            content_type: content_type.as_deref(),
            took: details.map_or(Duration::ZERO, |details| details.began.elapsed()),
            first_byte: details.map_or(Duration::ZERO, |details| details.first_byte),
        };
        self.log.access.record(&line, format);
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// A request whose answer leaves; it ends when this is dropped.
pub(crate) trait UnderWay {
    /// Counts what is about to leave.
    fn sends(&mut self, bytes: u64);
}

/// A body that counts what is sent of it, and with which its request ends.
#[derive(Debug)]
pub(crate) struct Logged<B, R> {
    body: B,
    entry: Option<Entry>,
    request: R,
}

impl<B, R: UnderWay> Logged<B, R> {
    pub(crate) fn wrap(
        mut response: Response<B>,
        entry: Option<Entry>,
        mut request: R,
    ) -> Response<Self> {
        let status = response.status().as_u16();
        let user = response.extensions_mut().remove::<User>();
        let handed_over = response.extensions_mut().remove::<HandedOver>();
        let sent = handed_over.map_or(0, |HandedOver { bytes }| bytes);
        request.sends(sent);
        let kind = response.headers().get(CONTENT_TYPE);
        let entry = entry.map(|entry| entry.answered(status, user, sent).of_type(kind));
        response.map(|body| Self { body, entry, request })
    }
}

impl Entry {
    fn answered(mut self, status: u16, user: Option<User>, sent: u64) -> Self {
        self.status = status;
        self.user = user;
        self.sent = sent;
        self
    }

    fn of_type(mut self, content_type: Option<&HeaderValue>) -> Self {
        if let Some(details) = &mut self.details {
            details.first_byte = details.began.elapsed();
            details.content_type = content_type.cloned();
        }
        self
    }
}

impl<B: Body<Data = Bytes> + Unpin, R: UnderWay + Unpin> Body for Logged<B, R> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            self.request.sends(bytes);
            if let Some(entry) = &mut self.entry {
                entry.sent += bytes;
            }
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
