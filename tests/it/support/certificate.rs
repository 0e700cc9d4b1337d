//! Certificates with the dates and names that a test wants.

use std::ops::Range;

use rcgen::{CertificateParams, KeyPair};
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

/// Returns the date of a day, counted from today, as messages show it.
pub(crate) fn date(days: i64) -> String {
    day(days).date().to_string()
}

fn day(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}
