//! A secret is a value that reaches no log, no error, no diff and no `show-config`.
//!
//! Its `Debug`, `Display` and `Serialize` print `[redacted]`, so that care is not needed; the one way to
//! the value is [`Secret::reveal`], whose callers can be counted.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands where a secret would.
pub(crate) const REDACTED: &str = "[redacted]";

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
    fn a_secret_shows_nowhere() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""[redacted]""#);
        assert_eq!(secret.reveal(), "hunter2");
    }
}
