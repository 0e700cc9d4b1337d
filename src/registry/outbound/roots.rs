//! The authorities whose certificates are believed.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// TLS as the system's administrators want it; read once, when the first client is made.
pub(super) fn trusting_the_system() -> ClientConfig {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    CONFIG.get_or_init(config).clone()
}

/// The authorities that the system trusts.
pub(crate) fn trusted_by_the_system() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("a file of trusted certificates cannot be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!(
            ignored,
            "the system trusts no authority, so no host can be asked over HTTPS: install ca-certificates"
        );
    }
    roots
}

fn config() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(trusted_by_the_system())
        .with_no_client_auth()
}
