//! TLS to Redis: whose certificate is believed, and what this side shows.

use std::{io, path::PathBuf, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;

use crate::{config, outbound};

/// A file of `redis.tls` that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` {wrong}", path.display())]
pub struct UnusableTls {
    /// The file.
    pub path: PathBuf,
    /// What is the matter with it.
    pub wrong: String,
}

/// Reads the files.
pub(super) fn connector(settings: &config::RedisTls) -> Result<TlsConnector, UnusableTls> {
    let roots = if settings.roots.is_empty() {
        outbound::trusted_by_the_system()
    } else {
        roots(&settings.roots)?
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(roots);
    let Some((certificate, key)) = &settings.certificate else {
        return Ok(TlsConnector::from(Arc::new(builder.with_no_client_auth())));
    };
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unusable(key, format!("holds no private key in PEM: {error}")))?;
    let config = builder
        .with_client_auth_cert(chain, private)
        .map_err(|error| unusable(certificate, format!("does not go with its key: {error}")))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name that a certificate must be for: the host of an address.
pub(super) fn server_name(address: &str) -> io::Result<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}

fn roots(paths: &[PathBuf]) -> Result<RootCertStore, UnusableTls> {
    let mut roots = RootCertStore::empty();
    for path in paths {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| unusable(path, format!("is of no authority: {error}")))?;
        }
    }
    Ok(roots)
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, UnusableTls> {
    let wrong = |error| unusable(path, format!("holds no certificates in PEM: {error}"));
    let found = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(wrong)?;
    if found.is_empty() {
        return Err(unusable(path, "holds no certificates in PEM".to_owned()));
    }
    Ok(found)
}

fn unusable(path: &PathBuf, wrong: String) -> UnusableTls {
    UnusableTls { path: path.to_owned(), wrong }
}
