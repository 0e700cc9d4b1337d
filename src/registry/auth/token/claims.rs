//! What a token says: who issued it, for whom, until when, and what it allows.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Number;

use super::Rules;
use crate::auth::{
    grant::{Claimed, User},
    refusal::excerpt,
};

/// How far two clocks may differ, as Distribution has it.
const LEEWAY_SECONDS: i64 = 60;

/// A token whose bearer has just got it does not expire for longer than this, so the clocks differ.
const JUST_ISSUED_SECONDS: i64 = 3600;

/// The claims, as they are written.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<Number>,
    nbf: Option<Number>,
    #[serde(default)]
    access: Option<Vec<Access>>,
}

/// One name or a list of names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Access {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    actions: Option<Vec<String>>,
}

/// A token that has been verified.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) user: Option<User>,
    pub(super) claimed: Arc<Claimed>,
    pub(super) validity: Validity,
}

/// From when until when, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    not_before: Option<i64>,
    expires: i64,
}

/// Why a token does not count here or now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::auth) enum ClaimError {
    #[error("the token was issued by `{found}`, and `auth.token.issuer` is `{expected}`")]
    Issuer { found: String, expected: String },
    #[error("the token is for {found}, and `auth.token.service` is `{expected}`")]
    Audience { found: String, expected: String },
    #[error("the token never expires: `exp` is missing")]
    NoExpiry,
    #[error("the token expired {ago} s ago{}", clocks(*.ago))]
    Expired { ago: i64 },
    #[error(
        "the token is not valid for another {ahead} s: the clocks of issuer and registry differ"
    )]
    TooEarly { ahead: i64 },
}

fn clocks(ago: i64) -> &'static str {
    if ago < JUST_ISSUED_SECONDS {
        "; if clients have just got it, the clocks of issuer and registry differ"
    } else {
        ""
    }
}

impl Claims {
    /// Holds the claims against the rules.
    pub(super) fn check(&self, rules: &Rules, now: i64) -> Result<Validity, ClaimError> {
        let issuer = self.iss.as_deref().unwrap_or_default();
        if issuer != rules.issuer {
            let expected = rules.issuer.clone();
            return Err(ClaimError::Issuer { found: excerpt(issuer), expected });
        }
        let service = rules.service.to_string();
        if !self.audience().contains(&service.as_str()) {
            let found = self.audience();
            let names: Vec<_> =
                found.iter().take(5).map(|name| format!("`{}`", excerpt(name))).collect();
            let found = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            return Err(ClaimError::Audience { found, expected: service });
        }
        let expires = self.exp.as_ref().and_then(seconds).ok_or(ClaimError::NoExpiry)?;
        let validity = Validity { not_before: self.nbf.as_ref().and_then(seconds), expires };
        validity.check(now)?;
        Ok(validity)
    }

    fn audience(&self) -> Vec<&str> {
        match &self.aud {
            None => Vec::new(),
            Some(Audience::One(name)) => vec![name],
            Some(Audience::Many(names)) => names.iter().map(String::as_str).collect(),
        }
    }

    pub(super) fn into_verified(self, validity: Validity) -> Verified {
        let mut claimed = Claimed::default();
        for access in self.access.iter().flatten() {
            let actions = access.actions.iter().flatten().map(String::as_str);
            claimed.add(&access.kind, &access.name, actions);
        }
        let user = User::new(self.sub.as_deref().unwrap_or_default());
        Verified { user, claimed: Arc::new(claimed), validity }
    }
}

impl Validity {
    pub(super) fn check(self, now: i64) -> Result<(), ClaimError> {
        let ago = now.saturating_sub(self.expires);
        if ago > LEEWAY_SECONDS {
            return Err(ClaimError::Expired { ago });
        }
        let ahead = self.not_before.map_or(0, |begin| begin.saturating_sub(now));
        if ahead > LEEWAY_SECONDS {
            return Err(ClaimError::TooEarly { ahead });
        }
        Ok(())
    }
}

/// Whole seconds; RFC 7519 allows fractions.
#[expect(clippy::cast_possible_truncation, reason = "a time out of range is the end of times")]
fn seconds(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))
}
