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
    let mut roots = RootCertStore::empty();
    for file in authorities {
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| file.unusable(format!("is no authority's: {error}")))?;
        }
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| {
        let last = authorities.last().expect("verifying clients names at least one authority");
        last.unusable(format!("cannot verify clients: {error}"))
    })
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
