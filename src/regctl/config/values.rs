//! Values that were parsed once and cannot be wrong any more.
//!
//! An error here is the end of the sentence "must be …".

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

/// What a value must be; the sentence goes "must be …".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Expected(pub(crate) &'static str);

/// A host as URLs and addresses write it: a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Host(String);

impl Host {
    fn ip(&self) -> Option<IpAddr> {
        self.0.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Whether only this machine can be meant.
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.eq_ignore_ascii_case("localhost") || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// Reads what nginx listens on: a host, or `*` for every IPv4 address.
    pub(super) fn to_listen(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self(text.to_owned())),
            text => text.parse().ok(),
        }
    }

    /// Returns the address on loopback that a local host means.
    pub(super) fn loopback_address(&self) -> Self {
        match self.ip() {
            Some(_) => self.clone(),
            None => Self(Ipv4Addr::LOCALHOST.to_string()),
        }
    }

    /// Returns the host as it stands in file names: without brackets.
    pub(crate) fn file_stem(&self) -> &str {
        self.0.trim_start_matches('[').trim_end_matches(']')
    }

    fn is_unspecified(&self) -> bool {
        self.0.is_empty() || self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Host {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let valid = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => is_host_name(text),
        };
        if valid { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name of digits and dots that is no address is a mistyped address.
    let is_numeric = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.len() <= 253
        && text.split('.').all(is_label)
        && (!is_numeric || text.parse::<IpAddr>().is_ok())
}

/// Where a process listens: `HOST:PORT`, an empty host meaning every address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ListenAddress {
    host: Host,
    port: u16,
}

impl ListenAddress {
    const EXPECTED: Expected =
        Expected("an address such as \"127.0.0.1:5000\" or \":5000\", with a port from 1 to 65535");

    /// Whether only this machine can connect.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns what to type on this machine to reach it.
    pub(crate) fn reachable(&self) -> String {
        match self.host.is_unspecified() {
            true => format!("127.0.0.1:{}", self.port),
            false => self.to_string(),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        if text.contains("://") {
            return Err(Expected("an address without a scheme, such as \"127.0.0.1:5000\""));
        }
        let (host, port) = text.rsplit_once(':').ok_or(Self::EXPECTED)?;
        let host = match host {
            "" => Host(String::new()),
            host => host.parse().map_err(|()| Self::EXPECTED)?,
        };
        Ok(Self { host, port: port_number(port).ok_or(Self::EXPECTED)? })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.0, self.port)
    }
}

pub(super) fn port_number(text: &str) -> Option<u16> {
    // `parse` alone would take "+80".
    let digits = text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// The two schemes of a registry's URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A registry's URL: scheme, host and perhaps a port, and nothing after them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ExternalUrl {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    /// None: the scheme's own.
    pub(crate) port: Option<u16>,
}

impl ExternalUrl {
    const EXPECTED: Expected =
        Expected("a URL such as \"https://registry.example.com\", without a path");

    /// Returns the port, written or implied.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }

    /// Returns host and port as image names start with them.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host.0),
            None => self.host.0.clone(),
        }
    }
}

impl FromStr for ExternalUrl {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err(Expected("a URL that starts with http:// or https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let bracket = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[bracket..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(bracket + colon);
                (host, Some(port_number(&port[1..]).ok_or(Self::EXPECTED)?))
            }
            None => (authority, None),
        };
        Ok(Self { scheme, host: host.parse().map_err(|()| Self::EXPECTED)?, port })
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// Reads a duration: numbers with units, largest first, as `"90s"`, `"1h30m"` or `"7d"`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 6] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
    ];
    /// A century: longer than any setting means, shorter than what any program overflows at.
    const MILLISECONDS_MAX: u64 = 36_525 * 86_400_000;
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters])?;
        total = number.checked_mul(*factor)?.checked_add(total)?;
        rest = &rest[letters..];
    }
    (!text.is_empty() && total <= MILLISECONDS_MAX).then(|| Duration::from_millis(total))
}

/// Reads when something is done, as cron has it, and spells it with single spaces.
pub(crate) fn schedule(text: &str) -> Option<String> {
    const NAMES: [&str; 7] =
        ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
    const MONTHS: &[&str] =
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    const FIELDS: [(u32, u32, &[&str]); 5] =
        [(0, 59, &[]), (0, 23, &[]), (1, 31, &[]), (1, 12, MONTHS), (0, 7, DAYS)];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let [name] = words[..] {
        return NAMES.contains(&name).then(|| name.to_owned());
    }
    let is_field = |(word, field): (&&str, &(u32, u32, &[&str]))| {
        word.split(',').all(|part| is_part(part, *field))
    };
    let is_good = words.len() == FIELDS.len() && words.iter().zip(&FIELDS).all(is_field);
    is_good.then(|| words.join(" "))
}

/// Whether cron understands one part of a field's list.
fn is_part(part: &str, (least, most, names): (u32, u32, &[&str])) -> bool {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let is_step = |step: &str| {
        step.parse::<u32>().is_ok_and(|number| number > 0 && number <= most)
            && step.bytes().all(|c| c.is_ascii_digit())
    };
    let number = |word: &str| {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let by_name =
            by_name.and_then(|index| u32::try_from(index).ok()).map(|index| index + least);
        let digits = word.bytes().all(|c| c.is_ascii_digit());
        by_name
            .or_else(|| word.parse().ok().filter(|_| digits))
            .filter(|number| (least..=most).contains(number))
    };
    let is_range = match range.split_once('-') {
        Some((from, to)) => match (number(from), number(to)) {
            (Some(from), Some(to)) => from <= to,
            _ => false,
        },
        // A step counts from somewhere to somewhere.
        None => range == "*" || (step.is_none() && number(range).is_some()),
    };
    is_range && step.is_none_or(is_step)
}

/// Spells a duration as settings do: `1h30m`.
pub(crate) fn duration_text(duration: Duration) -> String {
    const UNITS: [(&str, u128); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        if rest >= milliseconds {
            text.push_str(&(rest / milliseconds).to_string());
            text.push_str(unit);
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a size: a number with a unit, powers of 1000 or 1024, as `"25MB"` or `"25MiB"`.
pub(crate) fn size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("kB", 1000),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == text[digits..].trim_start())?;
    // What a file can hold, so that no reader of the number overflows.
    let fits = |bytes: &u64| i64::try_from(*bytes).is_ok();
    text[..digits].parse::<u64>().ok()?.checked_mul(*factor).filter(fits)
}

/// Reads a path from a setting.
pub(super) fn path(text: &str) -> Result<PathBuf, Expected> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Expected("a path; a relative one is under the root"));
    }
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_what_cron_understands() {
        for good in
            ["5 4 * * 0", "*/5 * * * *", "0 0-6/2 1,15 jan-mar mon", "59 23 31 12 7", "@weekly"]
        {
            assert_eq!(schedule(good).as_deref(), Some(good), "{good}");
        }
        assert_eq!(schedule(" 5\t4  * * 0 ").as_deref(), Some("5 4 * * 0"));
        let bad = [
            "",
            "5 4 * *",
            "5 4 * * 0 0",
            "60 4 * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5/2 * * * *",
            "6-2 * * * *",
            "*/0 * * * *",
            "*/x * * * *",
            "a * * * *",
            "* * * foo *",
            "@reboot",
            "@often",
            "+5 * * * *",
            "5 4 * * 0\nx",
            "5, * * * *",
            "5 4 * * $(x)",
        ];
        for bad in bad {
            assert_eq!(schedule(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_displays_as_it_was_written() {
        for text in
            ["127.0.0.1:5000", ":5000", "[::1]:80", "localhost:1", "registry.internal:65535"]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_address_needs_a_host_that_can_be_one_and_a_port() {
        for text in ["", "5000", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "1.2.3:80", "a b:1"]
        {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddress::EXPECTED), "{text}");
        }
        for text in ["::1:5000", "-a:1", "a..b:1", "127.0.0.1:+80", "[127.0.0.1]:80"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_loopback() {
        for (text, loopback) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("LOCALHOST:1", true),
            (":1", false),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("localhost.example.com:1", false),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_no_path() {
        for (text, authority, port) in [
            ("http://localhost:5000", "localhost:5000", 5000),
            ("https://registry.example.com/", "registry.example.com", 443),
            ("http://[::1]", "[::1]", 80),
            ("http://[::1]:81", "[::1]:81", 81),
        ] {
            let url: ExternalUrl = text.parse().unwrap();
            assert_eq!((url.authority().as_str(), url.port()), (authority, port), "{text}");
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
        for text in
            ["registry.example.com", "ftp://a", "http://", "http://a/b", "http://u@a", "http://a:0"]
        {
            assert!(text.parse::<ExternalUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_has_a_unit_of_1000_or_1024() {
        for (text, bytes) in [
            ("25MB", Some(25_000_000)),
            ("25MiB", Some(25 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("25", None),
            ("25m", None),
            ("MB", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_duration_has_units() {
        for (text, milliseconds) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("1y", None),
            ("99999999999999999999s", None),
            ("99999999w", None),
        ] {
            assert_eq!(duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
