//! Why a request that left got no answer, in words that may be logged.

use std::{error::Error as StdError, fmt, io, iter};

/// What went wrong. It never names the URL, whose query may be a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    text: String,
    is_timeout: bool,
    is_connect: bool,
    is_closed: bool,
}

impl Fault {
    /// Whether the other side took too long.
    pub(crate) fn is_timeout(&self) -> bool {
        self.is_timeout
    }

    /// Whether there was no connection, so that nothing was asked.
    pub(crate) fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Whether the other side ended a connection without an answer, as happens to one that was kept.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let is_timeout = error.is_timeout();
        let text = if is_timeout { "no answer in time".to_owned() } else { deepest(&error) };
        let is_connect = error.is_connect();
        let is_closed = !is_timeout && !is_connect && causes(&error).any(is_close);
        Self { text, is_timeout, is_connect, is_closed }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Fault {}

/// The last cause says what happened; those before it say that something did.
fn deepest(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(error.source(), |cause| (*cause).source())
}

fn is_close(cause: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    })
}
