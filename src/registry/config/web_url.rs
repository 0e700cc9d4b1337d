//! An address on the web that requests are sent to.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// An `http` or `https` URL. `Display` and `Debug` leave out what may be secret: user, password and query.
#[derive(Clone, Eq, PartialEq)]
pub struct WebUrl(Url);

/// A text is no `http` or `https` URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be a URL that begins with http:// or https://")]
pub struct NotAUrl;

impl FromStr for WebUrl {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let url: Url = text.parse().map_err(|_| NotAUrl)?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        if is_web { Ok(Self(url)) } else { Err(NotAUrl) }
    }
}

impl WebUrl {
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        // It has a host, so both can be taken away.
        let (_, _) = (shown.set_username(""), shown.set_password(None));
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WebUrl {
    /// Whether it says more than is shown of it.
    pub fn has_secret(&self) -> bool {
        let Self(url) = self;
        !url.username().is_empty() || url.password().is_some() || url.query().is_some()
    }

    /// Whether whoever is on the way can read and change what is said.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}
