//! Tokens read against one set of keys, without a registry and its files: what is fuzzed.

use std::path::PathBuf;

use super::{
    Rules,
    keys::{self, Keys},
    verify,
};
use crate::{auth::watched::Contents, config::Algorithm};

/// The keys, and what a token must say.
#[derive(Debug)]
pub struct TokenReader {
    keys: Keys,
    rules: Rules,
}

impl TokenReader {
    /// Reads a key set; none if there is no key in it.
    pub fn new(jwks: &[u8]) -> Option<Self> {
        let file = Contents { path: PathBuf::from("jwks.json"), bytes: jwks.to_vec() };
        let keys = keys::of_jwks(&[file]).ok()?;
        let service = "service".parse().ok()?;
        let algorithms = Algorithm::ALL.into_iter().collect();
        Some(Self { keys, rules: Rules { service, issuer: "issuer".to_owned(), algorithms } })
    }

    /// Why a token is refused; an error if it is not.
    pub fn refusal(&self, token: &str, now: i64) -> Option<String> {
        let verified = verify::verify(token, &self.keys, &self.rules, now);
        verified.err().map(|error| error.to_string())
    }
}
