//! How connections are spoken to: HTTP/1.1, HTTP/2, or whichever a client begins with; and what one may cost.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};

/// A client that has not sent its headers by then is none. Longer than nginx keeps an idle connection
/// (60 s), so that the registry is never the first to close one that nginx is about to use.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// What is received of one connection at a time: all of a request's headers, or a piece of its body.
/// A request with longer headers, or more than a hundred, gets 431.
const BUFFER_BYTES: usize = 128 * 1024;

/// How often a client of HTTP/2 is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The headers of one request of HTTP/2, unpacked; longer ones get 431 too.
const H2_HEADER_BYTES: u32 = 64 * 1024;

/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 100;

/// What waits of one answer until a client of HTTP/2 takes it.
const SEND_BYTES: usize = 64 * 1024;

/// Requests that a client has taken back before anybody looked at them; with more the connection ends.
const RESET_UNSEEN: usize = 20;

/// Requests that were ended because the client broke the protocol; likewise.
const RESET_HERE: usize = 128;

/// The protocols of a listener.
#[derive(Debug)]
pub(super) struct Protocols {
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    /// Without TLS.
    plain: Builder<TokioExecutor>,
}

impl Protocols {
    /// With `h2c`, a client without TLS may begin with HTTP/2.
    pub(super) fn new(h2c: bool) -> Self {
        let http1 = builder().http1_only();
        let plain = if h2c { builder() } else { http1.clone() };
        Self { http1, http2: builder().http2_only(), plain }
    }

    pub(super) fn plain(&self) -> &Builder<TokioExecutor> {
        &self.plain
    }

    /// What was agreed on while TLS was set up.
    pub(super) fn secured(&self, is_http2: bool) -> &Builder<TokioExecutor> {
        if is_http2 { &self.http2 } else { &self.http1 }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .max_header_list_size(H2_HEADER_BYTES)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BYTES)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_local_error_reset_streams(RESET_HERE);
    builder
}
