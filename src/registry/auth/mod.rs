//! Who may do what: each request is admitted once, before anything acts on it.
//!
//! The [`Gate`] knows one type of authorization. It turns a request's `Authorization` header, and what the
//! request [`Wanted`], into a [`Grant`] or a [`Refusal`]. Why somebody was refused stands in the log;
//! the client is told what Distribution tells it.

mod access;
mod challenge;
mod credentials;
mod grant;
mod htpasswd;
mod recent;
mod refusal;
mod token;
mod unusable;
mod watched;

use std::time::SystemTime;

use http::request::Parts;

pub(crate) use access::{Access, Action, Resource, Wanted};
pub(crate) use grant::{Grant, User};
pub(crate) use refusal::{Refusal, Remote};
pub use token::TokenReader;
pub use unusable::Unusable;
pub(crate) use watched::{Contents, Watched};

use crate::config;
use htpasswd::Htpasswd;
pub use htpasswd::read as read_passwords;
use refusal::{Denied, Reason};
use token::Tokens;

/// The name of everybody who comes with any header.
const SILLY: &str = "silly";

/// What every request passes.
#[derive(Debug)]
pub(crate) enum Gate {
    /// No authorization: everybody may do everything.
    Open,
    Silly(config::Silly),
    Htpasswd(Htpasswd),
    Token(Box<Tokens>),
}

impl Gate {
    /// Reads the files of passwords or keys.
    pub(crate) fn open(config: &config::Auth) -> Result<Self, Unusable> {
        Ok(match config {
            config::Auth::None => Self::Open,
            config::Auth::Silly(silly) => Self::Silly(silly.clone()),
            config::Auth::Htpasswd(htpasswd) => Self::Htpasswd(Htpasswd::open(htpasswd)?),
            config::Auth::Token(token) => Self::Token(Box::new(Tokens::open(token)?)),
        })
    }

    /// Whether nobody is ever asked.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Lets a request in, or not.
    pub(crate) async fn admit(&self, parts: &Parts, wanted: &Wanted) -> Result<Grant, Refusal> {
        let admitted = match self {
            Self::Open => return Ok(Grant::everything(None)),
            Self::Silly(config) => silly(config, parts, wanted),
            Self::Htpasswd(htpasswd) => htpasswd.admit(&parts.headers).await,
            Self::Token(tokens) => tokens.admit(parts, wanted, SystemTime::now()).await,
        };
        admitted.map_err(|denied| {
            denied.log(parts);
            denied.refusal
        })
    }
}

fn silly(config: &config::Silly, parts: &Parts, wanted: &Wanted) -> Result<Grant, Denied> {
    if credentials::is_given(&parts.headers) {
        return Ok(Grant::everything(User::new(SILLY)));
    }
    let challenge = challenge::silly(&config.realm, &config.service, wanted);
    Err(Denied::new(Refusal::Challenge(challenge), Reason::NoCredentials))
}
