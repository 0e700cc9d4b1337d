//! Where a redirect may lead.

use http::StatusCode;
use reqwest::{
    Url,
    redirect::{Attempt, Policy},
};

/// As many as Go's client follows.
const MOST: usize = 10;

/// Whom a redirect may send a request to. A redirect that is not followed is the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Redirects {
    /// The host that was asked, at the same port, or at HTTPS instead of HTTP.
    SameHost,
    /// The same as that, where a request stays what it is: a POST would become a GET otherwise.
    SameHostUnchanged,
    /// Any host, never from HTTPS to HTTP. No `Authorization` and no cookie goes along to another.
    Anywhere,
}

impl Redirects {
    pub(super) fn policy(self) -> Policy {
        Policy::custom(move |attempt: Attempt<'_>| {
            let followed = attempt.previous();
            let stays = self.is_followed(attempt.status());
            let leads_there = followed.last().is_some_and(|from| self.allows(from, attempt.url()));
            if stays && leads_there && followed.len() <= MOST {
                attempt.follow()
            } else {
                attempt.stop()
            }
        })
    }

    fn is_followed(self, status: StatusCode) -> bool {
        let stays =
            matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        stays || self != Self::SameHostUnchanged
    }

    fn allows(self, from: &Url, to: &Url) -> bool {
        if from.scheme() == "https" && to.scheme() != "https" {
            return false;
        }
        match self {
            Self::Anywhere => true,
            Self::SameHost | Self::SameHostUnchanged => {
                let same_port = from.port_or_known_default() == to.port_or_known_default();
                let secured =
                    from.scheme() != to.scheme() && from.port().is_none() && to.port().is_none();
                from.host() == to.host() && (same_port || secured)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Redirects::{self, Anywhere, SameHost};

    fn allows(redirects: Redirects, from: &str, to: &str) -> bool {
        redirects.allows(&from.parse().expect("a URL"), &to.parse().expect("a URL"))
    }

    #[test]
    fn the_same_host_is_a_host_and_its_port() {
        assert!(allows(SameHost, "http://a.example.com/x", "http://a.example.com/y"));
        assert!(allows(SameHost, "http://a.example.com/x", "https://a.example.com/x"));
        assert!(allows(SameHost, "https://a.example.com/x", "https://a.example.com:443/x"));
        assert!(!allows(SameHost, "https://a.example.com/x", "https://a.example.com:8443/x"));
        assert!(!allows(SameHost, "http://a.example.com:5000/", "https://a.example.com/"));
        assert!(!allows(SameHost, "https://a.example.com/", "https://b.example.com/"));
    }

    #[test]
    fn nothing_leads_from_https_to_http() {
        assert!(!allows(SameHost, "https://a.example.com/", "http://a.example.com/"));
        assert!(!allows(Anywhere, "https://a.example.com/", "http://b.example.com/"));
        assert!(allows(Anywhere, "https://a.example.com/", "https://b.example.com/"));
    }
}
