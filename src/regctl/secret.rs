//! A secret is a value that reaches no log, no error, no diff and no `show-config`.
//!
//! Its `Debug`, `Display` and `Serialize` print `[redacted]`, so that care is not needed; the one way to
//! the value is [`Secret::reveal`], whose callers can be counted.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands where a secret would.
pub(crate) const REDACTED: &str = "[redacted]";

/// Whether a header of this name carries what nobody else should know.
pub(crate) fn is_secret_header(name: &str) -> bool {
    const WHOLE: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
    const PARTS: [&str; 3] = ["secret", "key", "password"];
    let name = name.to_ascii_lowercase();
    let is_token = name.starts_with("x-") && name.ends_with("token");
    is_token || WHOLE.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part))
}

/// A value that is only ever shown as `[redacted]`.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value out of sight.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// Returns the value, for the one file or header it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_secret_by_its_name() {
        for name in ["Authorization", "COOKIE", "X-Auth-Token", "X-Api-Key", "Client-Secret"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Host", "X-Forwarded-For", "X-Content-Type-Options", "Via"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }

    #[test]
    fn a_secret_shows_nowhere() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""[redacted]""#);
        assert_eq!(secret.reveal(), "hunter2");
    }
}
