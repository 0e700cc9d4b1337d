//! From the text of a token to what it claims, if a trusted key signed it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Rules,
    chain::{self, ChainError},
    claims::{ClaimError, Claims, Verified},
    keys::Keys,
};
use crate::{auth::refusal::excerpt, config::Algorithm};

/// The longest token that is read: one with a thousand scopes is half as long.
const LONGEST: usize = 64 * 1024;

/// Why a token is refused. Nothing here holds the token.
#[derive(Debug, thiserror::Error)]
pub(in crate::auth) enum TokenError {
    #[error("the token has {0} bytes, where 65536 are the most")]
    TooLong(usize),
    #[error("the token is malformed: {0}")]
    Form(&'static str),
    #[error("the token says that it is signed with `{0}`, which is not allowed")]
    Algorithm(String),
    #[error("the token is signed by the key `{0}`, which is none of those trusted")]
    UnknownKey(String),
    #[error("the token names no key, and no trusted one signed it")]
    NoSigner,
    #[error("there is no key to verify it with: `auth.token.jwks` has not answered for too long")]
    NoKeys,
    #[error("the token is not signed by the key that it names")]
    Signature,
    #[error("the token is not trusted: {0}")]
    Chain(ChainError),
    #[error(transparent)]
    Claims(#[from] ClaimError),
}

impl TokenError {
    /// Whether another set of keys might have let the token in.
    pub(super) fn is_about_the_signer(&self) -> bool {
        match self {
            Self::UnknownKey(_) | Self::NoSigner | Self::Chain(_) => true,
            Self::TooLong(_)
            | Self::Form(_)
            | Self::Algorithm(_)
            | Self::NoKeys
            | Self::Signature
            | Self::Claims(_) => false,
        }
    }
}

/// The first part of a token.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    x5c: Option<Vec<String>>,
    crit: Option<Value>,
}

/// Verifies a token against the keys and the rules.
pub(super) fn verify(
    token: &str,
    keys: &Keys,
    rules: &Rules,
    now: i64,
) -> Result<Verified, TokenError> {
    if token.len() > LONGEST {
        return Err(TokenError::TooLong(token.len()));
    }
    let (message, signature) =
        token.rsplit_once('.').ok_or(TokenError::Form("it has no signature"))?;
    let (header, claims) =
        message.split_once('.').ok_or(TokenError::Form("it has no three parts"))?;
    let header: Header = part(header).ok_or(TokenError::Form("its header cannot be read"))?;
    if header.crit.is_some() {
        return Err(TokenError::Form("its header has `crit`, which nobody understands"));
    }
    let algorithm = algorithm(&header.alg, rules)?;
    let claims: Claims = part(claims).ok_or(TokenError::Form("its claims cannot be read"))?;
    // What is not for this registry is not worth the work of a signature, and the log says what is wrong.
    let validity = claims.check(rules, now)?;
    check_signature(&header, algorithm, message, signature, keys, now)?;
    Ok(claims.into_verified(validity))
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Only what verifies with a public key has a name here: `none` and shared secrets have not.
fn algorithm(name: &str, rules: &Rules) -> Result<Algorithm, TokenError> {
    let found = rules.algorithms.iter().find(|algorithm| algorithm.as_str() == name);
    found.copied().ok_or_else(|| TokenError::Algorithm(excerpt(name)))
}

/// The chain counts before the name of a key, as Distribution; without both, each trusted key is tried.
fn check_signature(
    header: &Header,
    algorithm: Algorithm,
    message: &str,
    signature: &str,
    keys: &Keys,
    now: i64,
) -> Result<(), TokenError> {
    if let Some(chain) = header.x5c.as_deref().filter(|chain| !chain.is_empty()) {
        let signer = chain::signer(chain, &keys.roots, now).map_err(TokenError::Chain)?;
        let verified = signer.verifies(algorithm, message, signature);
        return if verified { Ok(()) } else { Err(TokenError::Signature) };
    }
    if let Some(name) = header.kid.as_deref().filter(|name| !name.is_empty()) {
        let named = keys.named(name);
        if named.is_empty() {
            return Err(TokenError::UnknownKey(excerpt(name)));
        }
        let verified = named.iter().any(|key| key.verifies(algorithm, message, signature));
        return if verified { Ok(()) } else { Err(TokenError::Signature) };
    }
    let verified = keys.all().iter().any(|key| key.verifies(algorithm, message, signature));
    if verified { Ok(()) } else { Err(TokenError::NoSigner) }
}
