//! Certificates of clients: which ones are asked for, and which ones count.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::certificates;
use crate::{
    auth::{Contents, Unusable},
    config::Clients,
};

/// Who looks at a client's certificate; none where no client is asked for one.
pub(super) fn verifier(
    clients: &Clients,
    authorities: &[Contents],
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Unusable> {
    let anybody = |is_required| AnyCertificate { is_required, provider: Arc::clone(provider) };
    match clients {
        Clients::Anybody => Ok(None),
        Clients::Asked => Ok(Some(Arc::new(anybody(false)))),
        Clients::WithAnyCertificate => Ok(Some(Arc::new(anybody(true)))),
        Clients::VerifiedIfGiven(_) => signed(authorities, false, provider).map(Some),
        Clients::Verified(_) => signed(authorities, true, provider).map(Some),
    }
}

/// Certificates that one of these authorities has signed.
fn signed(
    authorities: &[Contents],
    is_required: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    let (mut roots, mut own) = (RootCertStore::empty(), Vec::new());
    for file in authorities {
        for certificate in certificates(file)? {
            own.push(certificate.clone());
            let added = roots.add(certificate);
            added.map_err(|error| file.unusable(format!("is no authority's: {error}")))?;
        }
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    let issued = builder.build().map_err(|error| {
        let last = authorities.last().expect("verifying clients names at least one authority");
        last.unusable(format!("cannot verify clients: {error}"))
    })?;
    Ok(Arc::new(Trusted { issued, own }))
}

/// Takes what an authority has issued, and an authority's own certificate.
///
/// Docker's instructions make the certificate of a client one that has signed itself, and name it as the authority.
/// Go takes it; a verifier of chains does not, for an authority is no end of one.
#[derive(Debug)]
struct Trusted {
    issued: Arc<dyn ClientCertVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Trusted {
    fn client_auth_mandatory(&self) -> bool {
        self.issued.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let issued = self.issued.verify_client_cert(shown, intermediates, now);
        issued.or_else(|error| {
            let is_own = self.own.iter().any(|own| own == shown) && is_for_clients(shown, now);
            if is_own { Ok(ClientCertVerified::assertion()) } else { Err(error) }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

/// Whether a certificate is valid now, and not made for something else than clients.
fn is_for_clients(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(now) = i64::try_from(now.as_secs()) else { return false };
    let Ok(now) = ASN1Time::from_timestamp(now) else { return false };
    let usage = certificate.extended_key_usage();
    certificate.validity().is_valid_at(now)
        && usage
            .is_ok_and(|usage| usage.is_none_or(|usage| usage.value.any || usage.value.client_auth))
}

/// Takes every certificate whose key the client has, as Go's server does when it is told not to verify.
#[derive(Debug)]
struct AnyCertificate {
    is_required: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
