//! Why a request that left got no answer, in words that may be logged.

use std::{error::Error as StdError, fmt};

/// What went wrong. It never names the URL, whose query may be a signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    text: String,
    is_timeout: bool,
}

impl Fault {
    /// Whether the other side took too long.
    pub(crate) fn is_timeout(&self) -> bool {
        self.is_timeout
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let is_timeout = error.is_timeout();
        let text = if is_timeout { "no answer in time".to_owned() } else { deepest(&error) };
        Self { text, is_timeout }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Fault {}

/// The last cause says what happened; those before it say that something did.
fn deepest(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
