//! Certificates and private keys in PEM: what they say, until when, and whether the two belong together.
//!
//! Pure: texts and a time in, findings out.

mod pair;

use std::net::IpAddr;

use rcgen::{KeyPair, PublicKeyData as _};
use time::{Date, OffsetDateTime};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, parse_x509_certificate, pem::Pem,
};

pub(crate) use pair::{Pair, Unfit, describe, fit, holds};

/// A certificate; of a chain, the first, which is the holder's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Certificate {
    public_key: Vec<u8>,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// A private key, as far as it is needed here: its other half.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PrivateKey {
    public_key: Vec<u8>,
}

/// Whether a certificate counts at a time. Dates are in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Validity {
    NotBefore(Date),
    Good,
    /// Good, and not for much longer.
    EndsOn(Date),
    EndedOn(Date),
}

/// Why a text is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    /// There is none in PEM, or it is damaged.
    None,
    /// A private key behind a password.
    Encrypted,
    /// A private key of a kind that is not known here.
    Unknown,
}

/// How long before its end a certificate is worth a warning.
const NOTICE_SECONDS: i64 = 30 * DAY_SECONDS;

const DAY_SECONDS: i64 = 86_400;

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        let block = blocks(text).find(|block| block.label == "CERTIFICATE");
        block.and_then(|block| Self::read(&block)).ok_or(Unreadable::None)
    }

    /// Reads every certificate of a bundle that can be read.
    pub(crate) fn parse_all(text: &str) -> Vec<Self> {
        let blocks = blocks(text).filter(|block| block.label == "CERTIFICATE");
        blocks.filter_map(|block| Self::read(&block)).collect()
    }

    fn read(block: &Pem) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(&block.contents).ok()?;
        let (names, addresses) = names(&certificate);
        Some(Self {
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            names,
            addresses,
        })
    }

    /// Returns whether it counts at a time, in seconds since 1970.
    pub(crate) fn validity(&self, now: i64) -> Validity {
        match () {
            () if now < self.not_before => Validity::NotBefore(date(self.not_before)),
            () if now > self.not_after => Validity::EndedOn(date(self.not_after)),
            () if now > self.not_after.saturating_sub(NOTICE_SECONDS) => {
                Validity::EndsOn(date(self.not_after))
            }
            () => Validity::Good,
        }
    }

    /// Returns the day of its end.
    pub(crate) fn end(&self) -> Date {
        date(self.not_after)
    }

    /// Returns how many whole days are left at a time, in seconds since 1970; negative once it has ended.
    pub(crate) fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now).div_euclid(DAY_SECONDS)
    }

    /// Whether this is the certificate of a key.
    pub(crate) fn belongs_to(&self, key: &PrivateKey) -> bool {
        self.public_key == key.public_key
    }

    /// Whether clients that ask for a host take this certificate, which is by its alternative names alone.
    pub(crate) fn covers(&self, host: &str) -> bool {
        match host.parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.names.iter().any(|name| matches(name, host)),
        }
    }
}

impl PrivateKey {
    /// Reads the private key of a PEM text; parameters of its curve may stand before it.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        let block = blocks(text).find(|block| block.label.ends_with("PRIVATE KEY"));
        let block = block.ok_or(Unreadable::None)?;
        // The old form says so in a header that only the text has.
        if block.label.starts_with("ENCRYPTED") || text.contains("\nProc-Type: 4,ENCRYPTED") {
            return Err(Unreadable::Encrypted);
        }
        let pair = KeyPair::try_from(block.contents.as_slice()).map_err(|_| Unreadable::Unknown)?;
        Ok(Self { public_key: pair.der_bytes().to_vec() })
    }
}

/// The blocks of a text up to the first damaged one.
fn blocks(text: &str) -> impl Iterator<Item = Pem> {
    Pem::iter_from_buffer(text.as_bytes()).map_while(Result::ok)
}

fn names(certificate: &X509Certificate<'_>) -> (Vec<String>, Vec<IpAddr>) {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for name in alternatives.into_iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
            _ => {}
        }
    }
    (names, addresses)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A star stands for one whole label, the first.
fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => {
            host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        }
        None => name.eq_ignore_ascii_case(host),
    }
}

fn date(seconds: i64) -> Date {
    // A time beyond what dates can say is as good as the last one.
    OffsetDateTime::from_unix_timestamp(seconds).map_or(Date::MAX, OffsetDateTime::date)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair whose certificate is for these names.
    fn certified(names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (key.serialize_pem(), certificate.pem())
    }

    #[test]
    fn a_certificate_belongs_to_its_own_key_alone() {
        let (key, certificate) = certified(&["a.example.com"]);
        let (other, _) = certified(&["a.example.com"]);
        let certificate = Certificate::parse(&certificate).unwrap();
        assert!(certificate.belongs_to(&PrivateKey::parse(&key).unwrap()));
        assert!(!certificate.belongs_to(&PrivateKey::parse(&other).unwrap()));
    }

    #[test]
    fn hosts_are_covered_by_name_by_star_and_by_address() {
        let (_, certificate) = certified(&["registry.example.com", "*.example.org", "10.0.0.1"]);
        let certificate = Certificate::parse(&certificate).unwrap();
        for (host, covered) in [
            ("registry.example.com", true),
            ("REGISTRY.example.com", true),
            ("example.com", false),
            ("a.example.org", true),
            ("a.b.example.org", false),
            ("example.org", false),
            ("10.0.0.1", true),
            ("10.0.0.2", false),
            ("::1", false),
        ] {
            assert_eq!(certificate.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn what_is_no_pem_is_not_read() {
        for text in ["", "x", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"] {
            assert_eq!(Certificate::parse(text), Err(Unreadable::None), "{text}");
        }
        assert_eq!(PrivateKey::parse(""), Err(Unreadable::None));
        let unknown = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
        assert_eq!(PrivateKey::parse(unknown), Err(Unreadable::Unknown));
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(PrivateKey::parse(encrypted), Err(Unreadable::Encrypted));
    }

    #[test]
    fn a_certificate_counts_between_its_dates_and_is_announced_30_days_before_the_end() {
        const DAY: i64 = 86_400;
        let (_, text) = certified(&[]);
        let certificate = Certificate {
            not_before: 100 * DAY,
            not_after: 200 * DAY,
            ..Certificate::parse(&text).unwrap()
        };
        for (day, validity) in [
            (99, Validity::NotBefore(date(100 * DAY))),
            (100, Validity::Good),
            (170, Validity::Good),
            (171, Validity::EndsOn(date(200 * DAY))),
            (201, Validity::EndedOn(date(200 * DAY))),
        ] {
            assert_eq!(certificate.validity(day * DAY), validity, "day {day}");
        }
        for (day, left) in [(100, 100), (199, 1), (200, 0), (201, -1)] {
            assert_eq!(certificate.days_left(day * DAY), left, "day {day}");
        }
        assert_eq!(certificate.days_left(200 * DAY + 1), -1);
        assert_eq!(certificate.end(), date(200 * DAY));
    }
}
