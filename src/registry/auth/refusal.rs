//! Why a request is not let in: in full for the log, and as little as Distribution says for the client.

use http::{HeaderValue, request::Parts};

use super::{
    grant::User,
    htpasswd::Wrong,
    token::{Missing, TokenError},
};

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

    /// Logs the refusal. Every client asks without credentials first, to learn where to get some.
    pub(super) fn log(&self, parts: &Parts) {
        // The level is compiled into each place that logs.
        macro_rules! log {
            ($log:ident) => {
                tracing::$log!(
                    http.request.method = parts.method.as_str(),
                    http.request.uri = parts.uri.path(),
                    auth.user.name = self.user.as_ref().map(User::as_str),
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
