//! `rootcertbundle`: certificates in PEM, whose keys verify tokens.
//!
//! Each key goes by two names, libtrust's and that of RFC 7638. Each certificate may also stand at the
//! end of a chain that a token brings along.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, parse_x509_certificate};

use super::{key::Public, keys::Keys};
use crate::{
    auth::{Unusable, watched::Contents},
    libtrust,
};

/// A certificate that is trusted.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) certificate: CertificateDer<'static>,
    /// Whether it may sign other certificates.
    pub(super) is_authority: bool,
    /// From when until when, in seconds since 1970.
    not_before: i64,
    not_after: i64,
}

impl Root {
    pub(super) fn is_valid(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// Adds the certificates of a bundle to the keys.
pub(super) fn read(file: &Contents, keys: &mut Keys) -> Result<(), Unusable> {
    let path = &file.path;
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&file.bytes) {
        count += 1;
        let certificate = certificate
            .map_err(|error| Unusable::contents(path, format!("is no PEM file: {error}")))?;
        let broken =
            || Unusable::contents(path, format!("has a broken certificate, number {count}"));
        let (_, parsed) = parse_x509_certificate(&certificate).map_err(|_| broken())?;
        let subject = parsed.subject().to_string();
        match Public::of_certificate(parsed.public_key()) {
            Ok(public) => {
                let names = [libtrust::id(parsed.public_key().raw), public.thumbprint()];
                keys.add(public.into_key(None), names);
            }
            Err(reason) => {
                let file = path.display();
                tracing::warn!(%file, subject, %reason, "the certificate's own key verifies no token");
            }
        }
        let root = root(&parsed, certificate.clone());
        if !root.is_valid(now()) {
            let (file, validity) = (path.display(), parsed.validity());
            tracing::warn!(
                %file, subject, not_before = %validity.not_before, not_after = %validity.not_after,
                "a certificate for tokens is not valid now: tokens that bring a chain are refused"
            );
        }
        keys.roots.push(root);
    }
    match count {
        0 => Err(Unusable::contents(path, "holds no certificate")),
        _ => Ok(()),
    }
}

fn root(parsed: &X509Certificate<'_>, certificate: CertificateDer<'_>) -> Root {
    Root {
        certificate: certificate.into_owned(),
        is_authority: parsed.is_ca(),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    }
}

fn now() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
