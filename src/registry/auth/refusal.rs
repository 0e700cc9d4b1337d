//! Why a request is not let in: in full for the log, and as little as Distribution says for the client.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};

use super::{
    grant::User,
    htpasswd::Wrong,
    token::{Missing, TokenError},
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of the connection, which a request carries for the log.
#[derive(Clone, Debug)]
pub(crate) struct Remote(pub(crate) Arc<str>);

/// What the client is told.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 401 with this `WWW-Authenticate`.
    Challenge(HeaderValue),
    /// 503: too many passwords are being verified.
    Busy,
}

/// A refusal with what the operator should know of it.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) refusal: Refusal,
    user: Option<User>,
    reason: Reason,
}

/// Why, in the words of the log. Nothing here holds a password or a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("no credentials")]
    NoCredentials,
    #[error("the Authorization header is not one of scheme {0}")]
    OtherScheme(&'static str),
    #[error(transparent)]
    Password(Wrong),
    #[error("too many passwords are being verified")]
    TooManyPasswords,
    #[error("verifying panicked")]
    Panicked,
    #[error(transparent)]
    Token(TokenError),
    #[error(transparent)]
    Scope(Missing),
}

impl Denied {
    pub(super) fn new(refusal: Refusal, reason: Reason) -> Self {
        Self { refusal, user: None, reason }
    }

    /// Who it is, or says to be.
    pub(super) fn of(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Logs the refusal, with whatever tells where it came from: a proxy's word is the proxy's.
    ///
    /// Every client asks without credentials first, to learn where to get some.
    pub(super) fn log(&self, parts: &Parts) {
        let remote = parts.extensions.get::<Remote>().map(|remote| &*remote.0);
        let forwarded = parts.headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
        // The level is compiled into each place that logs.
        macro_rules! log {
            ($log:ident) => {
                tracing::$log!(
                    http.request.method = parts.method.as_str(),
                    http.request.uri = parts.uri.path(),
                    http.request.remoteaddr = remote,
                    http.request.forwardedfor = forwarded.map(excerpt),
                    auth.user.name = self.user.as_ref().map(|user| excerpt(user.as_str())),
                    reason = %self.reason,
                    "access refused"
                )
            };
        }
        match self.reason {
            Reason::NoCredentials => log!(debug),
            Reason::Scope(_) => log!(info),
            Reason::OtherScheme(_)
            | Reason::Password(_)
            | Reason::TooManyPasswords
            | Reason::Panicked
            | Reason::Token(_) => log!(warn),
        }
    }
}

/// What an unknown sender wrote, short and in one line.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
