//! `proxy`: this registry is a cache in front of another one.

use std::{fmt, time::Duration};

use super::{ExternalHost, Secret, check::Findings, duration, scalar, tree::Node};

/// As Distribution.
const TTL: Duration = Duration::from_secs(168 * 3600);

/// As Distribution 3.
const CACHE_WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// `proxy`, when it names a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proxy {
    /// `proxy.remoteurl`: the other registry.
    pub remote: RemoteUrl,
    /// `proxy.username` and `proxy.password`: who to be there.
    pub credentials: Option<Credentials>,
    /// `proxy.ttl`: how long what was fetched is kept. None: for ever.
    pub ttl: Option<Duration>,
    /// `proxy.cachewritetimeout`: how long a blob is fetched on when no client waits for it any more.
    pub cache_write_timeout: Duration,
}

/// A name and its password at the other registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Where a registry is: what stands before `/v2/` in its URLs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RemoteUrl {
    /// Scheme and host.
    pub host: ExternalHost,
    /// Empty, or a path that begins with a slash and does not end with one.
    pub path: String,
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.host.scheme, self.host.authority, self.path)
    }
}

/// Reads the section; none when no other registry is named.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Proxy> {
    let remote = remote(root, findings)?;
    let ttl = span(root, "proxy.ttl").unwrap_or(TTL);
    Some(Proxy {
        remote,
        credentials: credentials(root, findings),
        ttl: Some(ttl).filter(|ttl| !ttl.is_zero()),
        cache_write_timeout: span(root, "proxy.cachewritetimeout").unwrap_or(CACHE_WRITE_TIMEOUT),
    })
}

fn text<'a>(root: &'a Node, path: &str) -> Option<&'a str> {
    root.find(path)?.text().filter(|text| !text.is_empty())
}

fn span(root: &Node, path: &str) -> Option<Duration> {
    let text = text(root, path)?;
    let nanoseconds = scalar::integer(text).and_then(|count| u64::try_from(count).ok());
    nanoseconds.map(Duration::from_nanos).or_else(|| duration::parse(text).ok())
}

fn remote(root: &Node, findings: &mut Findings) -> Option<RemoteUrl> {
    let path = "proxy.remoteurl";
    let (node, text) = root.find(path).zip(text(root, path))?;
    let parsed = parse(text);
    if let Err(message) = &parsed {
        // Not shown: what stands before an @ may be a password.
        let advice = Some("write `https://registry.example.com`");
        findings.problem(path, node, message.clone(), advice);
    }
    parsed.ok()
}

pub(super) fn parse(text: &str) -> Result<RemoteUrl, String> {
    let (scheme, rest) = text.split_once("://").ok_or("the scheme is missing")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("a URL with a password is refused".to_owned());
    }
    let host = ExternalHost::parse(&format!("{scheme}://{authority}"));
    let host = host.map_err(|wrong| wrong.message)?;
    let path = path.trim_end_matches('/');
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let dots = path.split('/').any(|part| part == "." || part == "..");
    if !path.bytes().all(fine) || dots || path.contains("//") {
        return Err("only scheme, host, port and a plain path are allowed".to_owned());
    }
    Ok(RemoteUrl { host, path: path.to_owned() })
}

fn credentials(root: &Node, findings: &mut Findings) -> Option<Credentials> {
    let (username, password) = (text(root, "proxy.username"), text(root, "proxy.password"));
    let section = root.find("proxy")?;
    match (username, password) {
        (Some(name), _) if name.contains(':') || name.contains(char::is_control) => {
            let message = "a name has neither colons nor control characters";
            findings.problem("proxy.username", section, message, None);
            None
        }
        (Some(username), Some(password)) => {
            let (username, password) = (username.to_owned(), Secret::new(password));
            Some(Credentials { username, password })
        }
        (Some(_), None) => {
            findings.problem("proxy.password", section, "missing", Some("a name needs one"));
            None
        }
        (None, Some(_)) => {
            findings.problem("proxy.username", section, "missing", Some("a password needs one"));
            None
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_remote_url_is_scheme_host_and_perhaps_a_path() {
        for (text, meant) in [
            ("https://registry.example.com", Some("https://registry.example.com")),
            ("https://registry.example.com/", Some("https://registry.example.com")),
            ("http://127.0.0.1:5000", Some("http://127.0.0.1:5000")),
            ("https://a.example.com/b/c/", Some("https://a.example.com/b/c")),
            ("registry.example.com", None),
            ("ftp://registry.example.com", None),
            ("https://user:pass@registry.example.com", None),
            ("https://a.example.com/?x=y", None),
            ("https://a.example.com/../b", None),
            ("https://a.example.com?x", None),
            ("https://", None),
        ] {
            let parsed = parse(text).map(|url| url.to_string()).ok();
            assert_eq!(parsed.as_deref(), meant, "{text}");
        }
    }
}
