//! `auth.token`: tokens of an authorization service, as Docker's specification has them.
//!
//! A token is a signed JSON document that names who issued it, for which registry, until when, and what
//! its bearer may do. Verified ones are remembered, by their hash, as long as the keys stay the same.

mod certificates;
mod chain;
mod claims;
mod jwks;
mod key;
mod keys;
mod reader;
mod remote;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{header::HOST, request::Parts};
use sha2::{Digest, Sha256};

use super::{
    Unusable,
    access::Wanted,
    challenge::{self, Fault},
    credentials,
    grant::Grant,
    refusal::{Denied, Reason, Refusal},
    watched::Watched,
};
use crate::config::{self, Algorithm, HeaderText, Jwks, TokenRealm};
use claims::Verified;
use keys::Keys;
pub use reader::TokenReader;
use remote::Remote;
pub(super) use verify::TokenError;

/// Verifies tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    realm: TokenRealm,
    rules: Rules,
    files: Option<Watched<Keys>>,
    remote: Option<Remote>,
}

/// What a token must say.
#[derive(Debug)]
struct Rules {
    service: HeaderText,
    issuer: String,
    algorithms: BTreeSet<Algorithm>,
}

/// What a token does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the token does not allow {lacking}")]
pub(super) struct Missing {
    /// As scopes are written.
    lacking: String,
}

impl Tokens {
    pub(super) fn open(config: &config::Token) -> Result<Self, Unusable> {
        let rules = Rules {
            service: config.service.clone(),
            issuer: config.issuer.clone(),
            algorithms: config.algorithms.clone(),
        };
        let (jwks, remote) = match config.jwks.clone() {
            None => (None, None),
            Some(Jwks::File(path)) => (Some(path), None),
            Some(Jwks::Url(url)) => (None, Some(Remote::new(url)?)),
        };
        let files = match (config.root_cert_bundle.clone(), jwks) {
            (Some(bundle), Some(jwks)) => Some(Watched::open(vec![bundle, jwks], keys::of_both)?),
            (Some(bundle), None) => Some(Watched::open(vec![bundle], keys::of_bundle)?),
            (None, Some(jwks)) => Some(Watched::open(vec![jwks], keys::of_jwks)?),
            (None, None) => None,
        };
        Ok(Self { realm: config.realm.clone(), rules, files, remote })
    }

    pub(super) async fn admit(
        &self,
        parts: &Parts,
        wanted: &Wanted,
        now: SystemTime,
    ) -> Result<Grant, Denied> {
        let Some(token) = credentials::bearer(&parts.headers) else {
            let reason = match credentials::is_given(&parts.headers) {
                false => Reason::NoCredentials,
                true => Reason::OtherScheme("Bearer"),
            };
            return Err(Denied::new(self.challenge(parts, wanted, None), reason));
        };
        let verified = self.verified_by_any(token, now).await.map_err(|error| {
            let challenge = self.challenge(parts, wanted, Some(Fault::InvalidToken));
            Denied::new(challenge, Reason::Token(error))
        })?;
        let grant = Grant::claimed(verified.user.clone(), Arc::clone(&verified.claimed));
        let lacking = wanted.required.iter().find(|access| !grant.covers(access));
        match lacking.map(ToString::to_string) {
            None => Ok(grant),
            Some(lacking) => {
                let challenge = self.challenge(parts, wanted, Some(Fault::InsufficientScope));
                let reason = Reason::Scope(Missing { lacking });
                Err(Denied::new(challenge, reason).of(verified.user.clone()))
            }
        }
    }

    /// Holds a token against the keys of files, then against those of a URL.
    async fn verified_by_any(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<Arc<Verified>, TokenError> {
        let mut refused = TokenError::NoKeys;
        if let Some(files) = &self.files {
            match self.verified(token, &*files.current().await, now) {
                // What is wrong with it is wrong whoever has signed it.
                Err(error) if error.is_about_the_signer() => refused = error,
                verified => return verified,
            }
        }
        let Some(remote) = &self.remote else { return Err(refused) };
        let Some(keys) = remote.current().await else { return Err(TokenError::NoKeys) };
        match self.verified(token, &keys, now) {
            Err(error) if error.is_about_the_signer() => match remote.others(&keys).await {
                Some(others) => self.verified(token, &others, now),
                None => Err(error),
            },
            verified => verified,
        }
    }

    fn verified(
        &self,
        token: &str,
        keys: &Keys,
        now: SystemTime,
    ) -> Result<Arc<Verified>, TokenError> {
        let mark = Sha256::digest(token).into();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        if let Some(verified) = keys.known.get(&mark) {
            verified.validity.check(seconds)?;
            return Ok(verified);
        }
        let verified = Arc::new(verify::verify(token, keys, &self.rules, seconds)?);
        keys.known.add(mark, Arc::clone(&verified));
        Ok(verified)
    }

    fn challenge(&self, parts: &Parts, wanted: &Wanted, fault: Option<Fault>) -> Refusal {
        let service = &self.rules.service;
        Refusal::Challenge(match &self.realm {
            TokenRealm::Fixed(realm) => challenge::bearer(realm, service, wanted, fault),
            TokenRealm::OwnHost(path) => {
                let realm = format!("https://{}{path}", host(parts));
                challenge::bearer(realm, service, wanted, fault)
            }
        })
    }
}

/// The host that the client named. What is no host and port has no place in a header.
fn host(parts: &Parts) -> String {
    let sent = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let named = parts.uri.authority().map(http::uri::Authority::as_str).or(sent);
    let authority = named.and_then(|named| named.parse::<http::uri::Authority>().ok());
    authority.map_or_else(String::new, |authority| match authority.port_u16() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    })
}
