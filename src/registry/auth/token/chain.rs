//! `x5c`: the certificates that a token brings along, from the signer's to one below a trusted one.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    anchor_from_trusted_cert,
};
use x509_parser::parse_x509_certificate;

use super::{
    certificates::Root,
    key::{Key, NoKey, Public},
};

/// The longest chain that is followed.
const LONGEST: usize = 10;

/// Why a chain proves nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::auth) enum ChainError {
    #[error("its chain has {0} certificates, where 10 are the most")]
    TooLong(usize),
    #[error("certificate {0} of its chain is broken")]
    Broken(usize),
    #[error("the certificate of its signer is trusted, and not valid now")]
    Expired,
    #[error("its chain does not lead to a trusted certificate that is valid: {0:?}")]
    Untrusted(webpki::Error),
    #[error("the certificate of its signer has no key that can be used: {0}")]
    Key(NoKey),
}

/// Distribution does not care what else a certificate is for.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, mut usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        usages.try_for_each(|usage| usage.map(|_| ()))
    }
}

/// The key of the first certificate, if a trusted certificate vouches for it.
pub(super) fn signer(chain: &[String], roots: &[Root], now: i64) -> Result<Key, ChainError> {
    if chain.len() > LONGEST {
        return Err(ChainError::TooLong(chain.len()));
    }
    let mut certificates = Vec::with_capacity(chain.len());
    for (index, text) in chain.iter().enumerate() {
        let der = STANDARD.decode(text).map_err(|_| ChainError::Broken(index + 1))?;
        certificates.push(CertificateDer::from(der));
    }
    let [leaf, intermediates @ ..] = certificates.as_slice() else {
        return Err(ChainError::Broken(1));
    };
    match roots.iter().find(|root| root.certificate == *leaf) {
        Some(root) if root.is_valid(now) => {}
        Some(_) => return Err(ChainError::Expired),
        None => verify(leaf, intermediates, roots, now)?,
    }
    let (_, parsed) = parse_x509_certificate(leaf).map_err(|_| ChainError::Broken(1))?;
    let public = Public::of_certificate(parsed.public_key()).map_err(ChainError::Key)?;
    Ok(public.into_key(None))
}

fn verify(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &[Root],
    now: i64,
) -> Result<(), ChainError> {
    // A certificate that is no authority's signs tokens, and no certificates.
    let authorities = roots.iter().filter(|root| root.is_authority && root.is_valid(now));
    let anchors: Vec<_> =
        authorities.filter_map(|root| anchor_from_trusted_cert(&root.certificate).ok()).collect();
    let time = Duration::from_secs(u64::try_from(now).unwrap_or(0));
    let time = UnixTime::since_unix_epoch(time);
    let algorithms = ALL_VERIFICATION_ALGS;
    EndEntityCert::try_from(leaf)
        .and_then(|leaf| {
            leaf.verify_for_usage(algorithms, &anchors, intermediates, time, AnyUsage, None, None)
                .map(|_| ())
        })
        .map_err(ChainError::Untrusted)
}
