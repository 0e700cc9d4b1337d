//! `http.addr` and `http.host`: where the registry listens, and what it is called from outside.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use http::uri::Authority;

use super::{Address, ExternalHost};

/// The longest path of a socket that the kernel takes, its final zero left out.
const LONGEST_SOCKET_PATH: usize = 107;

/// Why a text is no address: what is wrong, and what to do.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) advice: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>, advice: &str) -> Self {
        Self { message: message.into(), advice: Some(advice.to_owned()) }
    }
}

impl Address {
    /// Every interface, IPv4 and IPv6, on a port of the kernel's choice: Distribution's default.
    pub(super) const ANY: Self = Self::Tcp(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0));

    /// Reads `host:port`; a host name is resolved, and no host means every interface.
    pub(super) fn tcp(text: &str) -> Result<Self, Wrong> {
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(Wrong::new(
                format!("an address has no scheme such as `{scheme}://`"),
                "write `host:port`; for a socket set `http.net: unix` and the path",
            ));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(Wrong::new("the port is missing", "write `host:port`, or `:5000`"));
        };
        let port = port_number(port)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bracketed.is_none() && host.contains(':') {
            return Err(Wrong::new(
                "an IPv6 address with a port stands in brackets",
                "write `[::1]:5000`",
            ));
        }
        match bracketed.unwrap_or(host) {
            "" => Ok(Self::Tcp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))),
            host => resolve(host, port).map(Self::Tcp),
        }
    }

    /// Whether a text in `http.addr` means this address.
    pub fn is_written(&self, text: &str) -> bool {
        Self::tcp(text).is_ok_and(|address| address == *self)
    }

    /// Takes the path of a socket.
    pub(super) fn unix(text: &str) -> Result<Self, Wrong> {
        if text.len() > LONGEST_SOCKET_PATH {
            return Err(Wrong {
                message: format!("the path of a socket has at most {LONGEST_SOCKET_PATH} bytes"),
                advice: None,
            });
        }
        if text.is_empty() || text.contains('\0') {
            return Err(Wrong::new("the path of a socket is missing", "write an absolute path"));
        }
        Ok(Self::Unix(PathBuf::from(text)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn port_number(text: &str) -> Result<u16, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Wrong::new("the port is a number from 0 to 65535", "write `host:5000`"))
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = (host, port).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| {
        Wrong::new(
            format!("the host `{host}` has no address"),
            "write an IP address of this machine",
        )
    })
}

impl ExternalHost {
    /// Reads `https://registry.example.com:8443`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let example =
            "write `https://registry.example.com`, with a port if it is not the usual one";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Wrong::new("the scheme is missing", example));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(Wrong::new("the scheme must be http or https", example));
        }
        let authority = rest.trim_end_matches('/');
        if authority.contains(['/', '?', '#']) {
            return Err(Wrong::new(
                "only scheme, host and port are allowed",
                "a path belongs to `http.prefix`",
            ));
        }
        match authority.parse::<Authority>() {
            Ok(parsed) if !parsed.host().is_empty() && !authority.contains('@') => {
                Ok(Self { scheme, authority: authority.to_owned() })
            }
            Ok(_) | Err(_) => Err(Wrong::new("no host that a URL can have", example)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, ExternalHost};

    #[test]
    fn addresses_are_host_and_port() {
        for (text, meant) in [
            (":5000", Some("[::]:5000")),
            ("127.0.0.1:5000", Some("127.0.0.1:5000")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("[::]:0", Some("[::]:0")),
            ("5000", None),
            ("127.0.0.1", None),
            ("::1:5000", None),
            ("127.0.0.1:http", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1:+80", None),
            ("127.0.0.1:", None),
            ("http://127.0.0.1:5000", None),
            ("unix:///run/registry.sock", None),
            ("", None),
        ] {
            let parsed = Address::tcp(text).ok();
            let expected = meant.map(|meant| Address::Tcp(meant.parse().unwrap()));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn localhost_is_a_loopback_address() {
        let Ok(Address::Tcp(address)) = Address::tcp("localhost:5000") else {
            panic!("localhost has no address");
        };
        assert!(address.ip().is_loopback());
        assert_eq!(address.port(), 5000);
    }

    #[test]
    fn a_scheme_is_refused_with_what_to_write() {
        let wrong = Address::tcp("unix:///run/registry.sock").unwrap_err();
        assert_eq!(wrong.message, "an address has no scheme such as `unix://`");
        assert!(wrong.advice.unwrap().contains("http.net: unix"));
    }

    #[test]
    fn a_socket_path_has_a_length_that_the_kernel_takes() {
        assert_eq!(Address::unix("/run/r.sock"), Ok(Address::Unix("/run/r.sock".into())));
        assert!(Address::unix(&"x".repeat(108)).is_err());
        assert!(Address::unix("").is_err());
    }

    #[test]
    fn an_external_host_is_scheme_and_authority() {
        for (text, meant) in [
            ("https://registry.example.com", Some(("https", "registry.example.com"))),
            ("HTTP://r.example.com:8080/", Some(("http", "r.example.com:8080"))),
            ("https://[::1]:5000", Some(("https", "[::1]:5000"))),
            ("registry.example.com", None),
            ("ftp://registry.example.com", None),
            ("https://registry.example.com/path", None),
            ("https://user:pass@registry.example.com", None),
            ("https://", None),
            ("https://a b", None),
        ] {
            let parsed = ExternalHost::parse(text).ok();
            let found = parsed.as_ref().map(|host| (&*host.scheme, &*host.authority));
            assert_eq!(found, meant, "{text}");
        }
    }
}
