//! Certificates with the dates and names that a test wants.

use std::ops::Range;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};

/// A private key and its certificate, which is its own authority, both in PEM.
pub(crate) struct Certified {
    pub(crate) key: String,
    pub(crate) certificate: String,
}

impl Certified {
    /// A pair for these names that counts for a year.
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::within(names, -1..365)
    }

    /// A pair that counts between two days, counted from now.
    pub(crate) fn within(names: &[&str], days: Range<i64>) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut certificate = CertificateParams::new(names).unwrap();
        certificate.not_before = day(days.start);
        certificate.not_after = day(days.end);
        let certificate = certificate.self_signed(&key).unwrap().pem();
        Self { key: key.serialize_pem(), certificate }
    }
}

/// An authority of a test's own, as a company has one.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM.
    pub(crate) certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A pair for this name, a new one each time.
    pub(crate) fn issue(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (day(-1), day(365));
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { key: key.serialize_pem(), certificate }
    }
}

/// Returns the date of a day, counted from today, as messages show it.
pub(crate) fn date(days: i64) -> String {
    day(days).date().to_string()
}

fn day(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}
