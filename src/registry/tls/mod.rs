//! TLS at a listener: the certificate, who may connect, and what is offered.
//!
//! The files are looked at for each connection, so that a new certificate counts from the next one on. One that
//! cannot be used is said to be so, and the former one stays in force; so it does while the certificate is new and
//! its key is not.

mod clients;
mod failures;

use std::{collections::BTreeSet, fmt::Display, io, sync::Arc};

use rustls::{
    ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite},
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::{
    auth::{Contents, Unusable, Watched},
    config::{self, CipherSuite, Clients, TlsVersion},
};
use failures::Failures;

pub(crate) use tokio_rustls::server::TlsStream as Stream;

/// What is agreed on while a connection is set up, as ALPN writes it.
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// A listener's TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    files: Watched<ServerConfig>,
    failures: Failures,
}

/// Which protocols a listener has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offer {
    Http1,
    Http2AndHttp1,
}

impl Tls {
    /// Reads the files for the first time.
    pub(crate) fn open(settings: &config::Tls, offer: Offer) -> Result<Self, Unusable> {
        let mut paths = vec![settings.certificate.clone(), settings.key.clone()];
        if let Clients::VerifiedIfGiven(authorities) | Clients::Verified(authorities) =
            &settings.clients
        {
            paths.extend_from_slice(authorities);
        }
        let settings = settings.clone();
        let parse = move |files: &[Contents]| server_config(files, &settings, offer);
        let files = Watched::open(paths, parse)?;
        Ok(Self { files, failures: Failures::default() })
    }

    /// Looks at the files now, and not when somebody connects.
    pub(crate) async fn refresh(&self) {
        drop(self.files.current().await);
    }

    /// Sets up a connection.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.files.current().await;
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Notes that a client could not be served, and why.
    pub(crate) fn failed(&self, remote: &str, error: &dyn Display) {
        self.failures.tell(remote, error);
    }
}

/// Whether HTTP/2 was agreed on.
pub(crate) fn is_http2<S>(stream: &Stream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// Certificate, key and authorities, in this order, made into what a connection is set up by.
fn server_config(
    files: &[Contents],
    settings: &config::Tls,
    offer: Offer,
) -> Result<ServerConfig, Unusable> {
    let [certificate, key, authorities @ ..] = files else {
        unreachable!("two files are always watched")
    };
    let provider = Arc::new(provider(settings.cipher_suites.as_ref()));
    let of_certificate = |error: rustls::Error| certificate.unusable(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(settings.minimum))
        .map_err(of_certificate)?;
    let builder = match clients::verifier(&settings.clients, authorities, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let certified = Arc::new(certified(certificate, key, &provider)?);
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(of_certificate)?;
    config.alpn_protocols = match offer {
        Offer::Http1 => vec![HTTP_1.to_vec()],
        Offer::Http2AndHttp1 => vec![HTTP_2.to_vec(), HTTP_1.to_vec()],
    };
    Ok(config)
}

/// A certificate with its chain, and the key that belongs to it.
fn certified(
    certificate: &Contents,
    key: &Contents,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Unusable> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|_| {
        key.unusable("holds no private key in PEM that can be used; an encrypted one cannot")
    })?;
    let signer = provider.key_provider.load_private_key(private);
    let signer =
        signer.map_err(|_| key.unusable("holds a private key of a kind that cannot be used"))?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let of = certificate.path.display();
            Err(key.unusable(format!("holds another key than that of the certificate `{of}`")))
        }
        Err(error) => Err(certificate.unusable(format!("cannot be used: {error}"))),
    }
}

fn certificates(file: &Contents) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(file.unusable("holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(file.unusable(format!("is no PEM file: {error}"))),
    }
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static SINCE_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match minimum {
        TlsVersion::Tls12 => &SINCE_12,
        TlsVersion::Tls13 => &SINCE_12[..1],
    }
}

/// As Go: where no suite of 1.3 is named, all of them are offered; where none of 1.2 is named, none of 1.2.
fn provider(named: Option<&BTreeSet<CipherSuite>>) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let Some(named) = named else { return provider };
    let names_of_13 = named.iter().any(|suite| suite.version() == TlsVersion::Tls13);
    let offered = |suite: CipherSuite| {
        named.contains(&suite) || (!names_of_13 && suite.version() == TlsVersion::Tls13)
    };
    let offered: Vec<_> =
        CipherSuite::ALL.into_iter().filter(|suite| offered(*suite)).map(supported).collect();
    // Ordered by the provider's preference.
    provider.cipher_suites.retain(|suite| offered.contains(suite));
    provider
}

fn supported(suite: CipherSuite) -> SupportedCipherSuite {
    match suite {
        CipherSuite::Aes128GcmSha256 => cipher_suite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::Aes256GcmSha384 => cipher_suite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::Chacha20Poly1305Sha256 => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        CipherSuite::EcdheEcdsaAes128GcmSha256 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        }
        CipherSuite::EcdheEcdsaAes256GcmSha384 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        }
        CipherSuite::EcdheEcdsaChacha20Poly1305 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        CipherSuite::EcdheRsaAes128GcmSha256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256GcmSha384 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaChacha20Poly1305 => {
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        }
    }
}
