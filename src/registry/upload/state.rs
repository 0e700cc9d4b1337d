//! The state of an upload session in its URL: `_state`, signed with `http.secret`.
//!
//! The form is Distribution's: base64url of an HMAC-SHA256 and the JSON that it signs. So a session that
//! upstream began goes on here, and the other way round, when the secret is the same. The signature
//! proves that this registry, or another node of it, gave the URL out. What the state says of
//! the offset is what the client was told last, not what storage holds.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// An HMAC-SHA256 is as long as a SHA-256.
const MAC_BYTES: usize = 32;

/// Longer than any state that this registry gives out: a name of 255 bytes, a UUID, a time, a number.
const STATE_CHARS: usize = 1024;

/// What a URL of an upload session says. Field names are those of Distribution's JSON.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// The repository.
    pub name: String,
    /// The session.
    #[serde(rename = "UUID")]
    pub uuid: String,
    /// How many bytes the session held when the URL was given out.
    pub offset: u64,
    /// When the session began, RFC 3339.
    pub started_at: String,
}

/// A text that is no [`State`] of this registry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StateError {
    /// It has another form.
    #[error("state of the upload is malformed")]
    Form,
    /// Another secret signed it, or somebody changed it.
    #[error("state of the upload is not signed by this registry")]
    Signature,
}

/// Signs states, and checks them.
#[derive(Clone)]
pub struct Signer {
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer([redacted])")
    }
}

impl Signer {
    /// A signer for `http.secret`.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { mac: Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length") }
    }

    /// The text for the URL.
    #[must_use]
    pub fn sign(&self, state: &State) -> String {
        let json = serde_json::to_vec(state).expect("strings and a number are always JSON");
        let mut signed = self.mac.clone().chain_update(&json).finalize().into_bytes().to_vec();
        signed.extend_from_slice(&json);
        URL_SAFE.encode(signed)
    }

    /// Reads the text of a URL.
    ///
    /// # Errors
    /// It is malformed, or not signed with this secret.
    pub fn verify(&self, text: &str) -> Result<State, StateError> {
        if text.len() > STATE_CHARS {
            return Err(StateError::Form);
        }
        let signed = URL_SAFE.decode(text).map_err(|_| StateError::Form)?;
        let (tag, json) = signed.split_at_checked(MAC_BYTES).ok_or(StateError::Form)?;
        let mac = self.mac.clone().chain_update(json);
        mac.verify_slice(tag).map_err(|_| StateError::Signature)?;
        serde_json::from_slice(json).map_err(|_| StateError::Form)
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    fn state() -> State {
        State {
            name: "group/app".to_owned(),
            uuid: "0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5".to_owned(),
            offset: 42,
            started_at: "2026-01-02T03:04:05Z".to_owned(),
        }
    }

    #[test]
    fn what_was_signed_is_verified() {
        let signer = Signer::new(b"secret");
        assert_eq!(signer.verify(&signer.sign(&state())), Ok(state()));
    }

    #[test]
    fn the_form_is_that_of_distribution() {
        let text = Signer::new(b"secret").sign(&state());
        let bytes = URL_SAFE.decode(text).unwrap();
        let json = r#"{"Name":"group/app","UUID":"0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5","Offset":42,"StartedAt":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(std::str::from_utf8(&bytes[MAC_BYTES..]).unwrap(), json);
    }

    #[test]
    fn another_secret_or_a_changed_byte_is_refused() {
        let signer = Signer::new(b"secret");
        let text = signer.sign(&state());
        assert_eq!(Signer::new(b"other").verify(&text), Err(StateError::Signature));
        let changed = Signer::new(b"secret").sign(&State { offset: 43, ..state() });
        let mixed = format!("{}{}", &text[..44], &changed[44..]);
        assert_eq!(signer.verify(&mixed), Err(StateError::Signature));
    }

    #[test]
    fn what_is_no_state_is_malformed() {
        let signer = Signer::new(b"secret");
        for text in ["", "x", "====", "e30=", &"A".repeat(2000)] {
            assert_eq!(signer.verify(text), Err(StateError::Form), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            assert!(Signer::new(b"secret").verify(&text).is_err());
        }
    }
}
