//! The URL of another server, which may be served below a path: `https://example.com/gitlab`.

use std::{fmt, str::FromStr};

use super::values::{Expected, ExternalUrl};

/// Scheme, host, perhaps a port and a path; no user, no query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WebUrl {
    origin: ExternalUrl,
    /// Empty, or starts with a slash; as it was written, because to some servers a last slash matters.
    path: String,
}

const EXPECTED: Expected = Expected(
    "a URL such as \"https://gitlab.example.com\" or \"https://example.com/gitlab\", without a query",
);

impl WebUrl {
    /// Whether its path is one that the registry goes on from: nothing encoded in it, and no way up.
    pub(super) fn has_plain_path(&self) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let has_dots = self.path.split('/').any(|part| matches!(part, "." | ".."));
        self.path.chars().all(is_plain) && !has_dots
    }

    /// Returns the URL of something below.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.to_string().trim_end_matches('/'))
    }
}

impl FromStr for WebUrl {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let authority = text.find("://").map_or(0, |scheme| scheme + 3);
        let end = text[authority..].find('/').map_or(text.len(), |slash| authority + slash);
        let (origin, path) = text.split_at(end);
        // These stand in a quoted parameter of a header as they are.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%+:@".contains(c);
        if !path.chars().all(plain) || path.contains("//") {
            return Err(EXPECTED);
        }
        let origin = origin.parse().map_err(|expected| match origin.contains("://") {
            true => EXPECTED,
            false => expected,
        })?;
        Ok(Self { origin, path: path.to_owned() })
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_leads_where_it_says() {
        for (text, is_plain) in [
            ("https://a.example.com", true),
            ("https://a.example.com/~b/c-d_e.f/", true),
            ("https://a.example.com/a%20b", false),
            ("https://a.example.com/a:b", false),
            ("https://a.example.com/a/../b", false),
            ("https://a.example.com/.", false),
        ] {
            assert_eq!(text.parse::<WebUrl>().unwrap().has_plain_path(), is_plain, "{text}");
        }
    }

    #[test]
    fn a_path_may_follow_and_nothing_else() {
        for (text, joined) in [
            ("https://gitlab.example.com", "https://gitlab.example.com/jwt/auth"),
            ("http://10.0.0.1:8080/", "http://10.0.0.1:8080/jwt/auth"),
            ("https://example.com/gitlab/", "https://example.com/gitlab/jwt/auth"),
        ] {
            let url: WebUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            assert_eq!(url.join("/jwt/auth"), joined);
        }
        for text in [
            "gitlab.example.com",
            "ftp://a",
            "https://",
            "https://u:p@a",
            "https://a?b=c",
            "https://a/b?c",
            "https://a/\"b",
            "https://a/b#c",
            "https://a//b",
            "",
        ] {
            assert!(text.parse::<WebUrl>().is_err(), "{text}");
        }
    }
}
