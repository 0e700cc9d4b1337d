//! libtrust's pretty JWS: signatures as one more member of the very document that is signed.
//!
//! The payload is the document up to `formatLength`, where the signatures were put in, and `formatTail`,
//! which stood there. Both are in the protected header of each signature, which is signed with the payload.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, ser::PrettyFormatter};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    base64url,
    key::{NoKey, PublicKey},
    sign::SigningKey,
};

/// The longest payload: as long as any manifest.
pub(crate) const PAYLOAD_BYTES: usize = 4 * 1024 * 1024;

/// Docker's clients write one. Each is verified over the whole payload.
const SIGNATURES: usize = 16;

/// Wider than anybody indents.
const INDENT_BYTES: usize = 16;

/// The member that holds the signatures.
const MEMBER: &str = "signatures";

/// Why a document is none that is signed as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JwsError {
    #[error("manifest cannot be read: {0}")]
    Json(String),
    #[error("manifest is not signed: it has no `signatures`")]
    Unsigned,
    #[error("manifest has {0} signatures, where {SIGNATURES} are the most")]
    TooMany(usize),
    #[error("signature {0} has no protected header with `formatLength` and `formatTail`")]
    Protected(usize),
    #[error("signature {0} is over another part of the manifest")]
    Conflict(usize),
    #[error("manifest is longer than 4 MiB without its signatures")]
    TooLong,
    #[error("signature {0} brings no key, neither `jwk` nor `x5c`")]
    NoKey(usize),
    #[error("the key of signature {0} cannot be used: {1}")]
    Key(usize, NoKey),
    #[error("signature {0} does not verify")]
    Wrong(usize),
}

/// What is signed, with the signatures, which are not verified yet.
#[derive(Debug)]
pub(super) struct PrettyJws {
    pub(super) payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Document {
    signatures: Option<Vec<Signature>>,
}

/// One signature, as it is written.
#[derive(Debug, Deserialize, Serialize)]
struct Signature {
    header: Header,
    signature: String,
    protected: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Header {
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<Map<String, Value>>,
    alg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Protected {
    #[serde(rename = "formatLength")]
    format_length: Number,
    #[serde(rename = "formatTail")]
    format_tail: String,
}

impl PrettyJws {
    /// Reads a document of some bounded length.
    pub(super) fn parse(document: &[u8]) -> Result<Self, JwsError> {
        let parsed: Document = serde_json::from_slice(document)
            .map_err(|error| JwsError::Json(error.to_string().chars().take(256).collect()))?;
        let signatures = parsed.signatures.unwrap_or_default();
        match signatures.len() {
            0 => return Err(JwsError::Unsigned),
            count if count > SIGNATURES => return Err(JwsError::TooMany(count)),
            _ => {}
        }
        let mut format = None;
        for (index, signature) in signatures.iter().enumerate() {
            let own = signature.format().ok_or(JwsError::Protected(index + 1))?;
            if *format.get_or_insert_with(|| own.clone()) != own {
                return Err(JwsError::Conflict(index + 1));
            }
        }
        let (length, tail) = format.ok_or(JwsError::Unsigned)?;
        let head = document.get(..length).ok_or(JwsError::Protected(1))?;
        if head.len() + tail.len() > PAYLOAD_BYTES {
            return Err(JwsError::TooLong);
        }
        Ok(Self { payload: [head, &tail].concat(), signatures })
    }

    /// Verifies every signature by the key that it brings along. Whose key it is, clients decide.
    pub(super) fn verify(&self) -> Result<(), JwsError> {
        let payload = base64url::encode(&self.payload);
        for (index, signature) in self.signatures.iter().enumerate() {
            let key = signature.key(index + 1)?;
            let message = [&signature.protected, ".", &payload].concat();
            let signed = base64url::decode(&signature.signature);
            let verifies =
                |signed: Vec<u8>| key.verifies(&signature.header.alg, message.as_bytes(), &signed);
            if !signed.is_some_and(verifies) {
                return Err(JwsError::Wrong(index + 1));
            }
        }
        Ok(())
    }
}

impl Signature {
    /// Where it was put in, and what stood there.
    fn format(&self) -> Option<(usize, Vec<u8>)> {
        let protected = base64url::decode(&self.protected)?;
        let protected: Protected = serde_json::from_slice(&protected).ok()?;
        let length = usize::try_from(protected.format_length.as_u64()?).ok()?;
        Some((length, base64url::decode(&protected.format_tail)?))
    }

    fn key(&self, number: usize) -> Result<PublicKey, JwsError> {
        let first = self.header.x5c.as_ref().and_then(|chain| chain.first());
        let key = match (first, &self.header.jwk) {
            (Some(certificate), _) => STANDARD
                .decode(certificate)
                .map_err(|_| NoKey::Certificate)
                .and_then(|der| PublicKey::from_certificate(&der)),
            (None, Some(jwk)) => PublicKey::from_jwk(jwk),
            (None, None) => return Err(JwsError::NoKey(number)),
        };
        key.map_err(|error| JwsError::Key(number, error))
    }
}

/// Puts a signature into a document. None: it is none that can take one.
pub(crate) fn sign(payload: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let head = payload.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    if !head.starts_with(b"{") || head.len() == 1 {
        return None;
    }
    let time = OffsetDateTime::now_utc().replace_nanosecond(0).ok()?.format(&Rfc3339).ok()?;
    let tail = base64url::encode(&payload[head.len()..]);
    let length = head.len();
    let protected = format!(r#"{{"formatLength":{length},"formatTail":"{tail}","time":"{time}"}}"#);
    let protected = base64url::encode(protected.as_bytes());
    let message = [&protected, ".", &base64url::encode(payload)].concat();
    let signature = base64url::encode(&key.sign(message.as_bytes())?);
    let jwk = Some(key.public().to_jwk());
    let header = Header { jwk, alg: key.algorithm().to_owned(), x5c: None };
    let signatures = [Signature { header, signature, protected }];
    let member = member(indent(payload), &signatures)?;
    Some([head, b",", member.as_bytes(), b"}"].concat())
}

/// The member in the style of the document.
fn member(indent: Option<&str>, signatures: &[Signature]) -> Option<String> {
    let Some(indent) = indent else {
        return Some(format!("\"{MEMBER}\":{}", serde_json::to_string(signatures).ok()?));
    };
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    signatures.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter)).ok()?;
    let text = String::from_utf8(text).ok()?.replace('\n', &format!("\n{indent}"));
    Some(format!("\n{indent}\"{MEMBER}\": {text}\n"))
}

/// What stands before the first member, if the document is broken into lines.
fn indent(payload: &[u8]) -> Option<&str> {
    let line = payload.strip_prefix(b"{\n")?;
    let width = line.iter().position(|byte| *byte == b'"')?;
    let indent = std::str::from_utf8(&line[..width]).ok()?;
    let is_blank = indent.bytes().all(|byte| byte.is_ascii_whitespace());
    (is_blank && (1..=INDENT_BYTES).contains(&width)).then_some(indent)
}
