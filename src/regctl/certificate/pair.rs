//! A private key with its certificate, which only make sense together.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize,
};
use time::{Duration, OffsetDateTime};

use super::{Certificate, PrivateKey, Unreadable, Validity};
use crate::Secret;

/// A private key and its certificate, both in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) key: Secret,
    pub(crate) certificate: String,
}

/// Why a certificate and a key are not used together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unfit {
    Certificate,
    Key(Unreadable),
    Strangers,
    /// [`Validity::NotBefore`] or [`Validity::EndedOn`].
    Outside(Validity),
}

/// How long a generated certificate counts, as GitLab's does.
const DAYS: i64 = 3650;

/// Clocks of two machines differ.
const SKEW: Duration = Duration::hours(1);

impl Pair {
    /// Makes a pair that signs and verifies tokens, of as many bits as GitLab's own: half a second's search
    /// for primes, once in the life of an instance.
    pub(crate) fn generate() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096)?;
        let now = OffsetDateTime::now_utc();
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "regctl");
        name.push(DnType::OrganizationalUnitName, "Container");
        name.push(DnType::CommonName, "Registry");
        let mut certificate = CertificateParams::default();
        certificate.distinguished_name = name;
        certificate.not_before = now - SKEW;
        certificate.not_after = now + Duration::days(DAYS);
        // It is its own authority, and signs tokens.
        certificate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        certificate.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let certificate = certificate.self_signed(&key)?.pem();
        Ok(Self { key: Secret::new(key.serialize_pem()), certificate })
    }

    /// Checks that the halves fit each other at a time, in seconds since 1970.
    pub(crate) fn check(&self, now: i64) -> Result<Validity, Unfit> {
        fit(&self.certificate, self.key.reveal(), now).map(|(_, validity)| validity)
    }
}

/// Checks a certificate and a key, both in PEM, and returns the certificate.
pub(crate) fn fit(
    certificate: &str,
    key: &str,
    now: i64,
) -> Result<(Certificate, Validity), Unfit> {
    let certificate = Certificate::parse(certificate).map_err(|_| Unfit::Certificate)?;
    match PrivateKey::parse(key) {
        Ok(key) if !certificate.belongs_to(&key) => return Err(Unfit::Strangers),
        Ok(_) => {}
        Err(reason) => return Err(Unfit::Key(reason)),
    }
    match certificate.validity(now) {
        validity @ (Validity::Good | Validity::EndsOn(_)) => Ok((certificate, validity)),
        validity => Err(Unfit::Outside(validity)),
    }
}

/// Whether a bundle of certificates holds that of a pair's key.
pub(crate) fn holds(bundle: &str, pair: &Pair) -> bool {
    let Ok(key) = PrivateKey::parse(pair.key.reveal()) else { return false };
    Certificate::parse_all(bundle).iter().any(|certificate| certificate.belongs_to(&key))
}

/// Says why a pair is unfit, in terms of what its halves are called.
pub(crate) fn describe(unfit: Unfit, certificate: &str, key: &str) -> String {
    match unfit {
        Unfit::Certificate => format!("{certificate}, for {key}, is no certificate in PEM"),
        Unfit::Key(Unreadable::None) => {
            format!("{key}, for {certificate}, is no private key in PEM")
        }
        Unfit::Key(Unreadable::Encrypted) => {
            format!("{key}, for {certificate}, is encrypted, and nobody is there to decrypt it")
        }
        Unfit::Key(Unreadable::Unknown) => {
            format!("{key}, for {certificate}, is damaged or of a kind that is not known here")
        }
        Unfit::Strangers => {
            format!("{certificate} is not the certificate of {key}: their public keys differ")
        }
        Unfit::Outside(Validity::NotBefore(date)) => {
            format!("{certificate}, of {key}, is not valid before {date}")
        }
        Unfit::Outside(Validity::EndedOn(date)) => {
            format!("{certificate}, of {key}, expired on {date}")
        }
        Unfit::Outside(Validity::Good | Validity::EndsOn(_)) => {
            unreachable!("a certificate that counts is not unfit")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_pair_fits_for_ten_years() {
        let pair = Pair::generate().unwrap();
        let now = OffsetDateTime::now_utc().unix_timestamp();
        assert_eq!(pair.check(now), Ok(Validity::Good));
        assert!(matches!(pair.check(now + 3640 * 86_400), Ok(Validity::EndsOn(_))));
        assert!(matches!(pair.check(now + 3651 * 86_400), Err(Unfit::Outside(_))));
        assert!(!format!("{pair:?}").contains("PRIVATE"));
    }

    #[test]
    fn halves_of_two_pairs_are_strangers() {
        let [one, other] = [(), ()].map(|()| Pair::generate().unwrap());
        let mixed = Pair { key: one.key, certificate: other.certificate };
        assert_eq!(mixed.check(0), Err(Unfit::Strangers));
        let text = describe(Unfit::Strangers, "`a`", "`b`");
        assert_eq!(text, "`a` is not the certificate of `b`: their public keys differ");
    }
}
