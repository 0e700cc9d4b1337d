//! `http.tls`: what is offered, and what clients must show.

use super::{config, problems, warnings, with_http};
use crate::config::{CipherSuite, Clients, Tls, TlsVersion};

fn tls(lines: &str) -> Option<Tls> {
    config(&with_http(&format!("addr: ':0', tls: {{{lines}}}"))).http.tls
}

/// With a certificate and a key, and these lines.
fn with_files(lines: &str) -> String {
    with_http(&format!("addr: ':0', tls: {{certificate: /c, key: /k, {lines}}}"))
}

#[test]
fn two_files_are_enough() {
    let found = tls("certificate: /c, key: /k").unwrap();
    assert_eq!(found.certificate.to_str(), Some("/c"));
    assert_eq!(found.key.to_str(), Some("/k"));
    assert_eq!(found.clients, Clients::Anybody);
    assert_eq!(found.minimum, TlsVersion::Tls12);
    assert_eq!(found.cipher_suites, None);
}

#[test]
fn authorities_alone_mean_that_clients_are_verified() {
    let authorities = vec!["/a".into(), "/b".into()];
    for (mode, meant) in [
        ("", Clients::Verified(authorities.clone())),
        (", clientauth: require-and-verify-client-cert", Clients::Verified(authorities.clone())),
        (", clientauth: verify-client-cert-if-given", Clients::VerifiedIfGiven(authorities)),
        (", clientauth: require-any-client-cert", Clients::WithAnyCertificate),
        (", clientauth: request-client-cert", Clients::Asked),
    ] {
        let lines = format!("certificate: /c, key: /k, clientcas: [/a, /b]{mode}");
        assert_eq!(tls(&lines).unwrap().clients, meant, "{mode}");
    }
}

#[test]
fn suites_have_the_names_of_go() {
    let suites = "ciphersuites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305, TLS_AES_128_GCM_SHA256]";
    let found = tls(&format!("certificate: /c, key: /k, minimumtls: tls1.3, {suites}")).unwrap();
    assert_eq!(found.minimum, TlsVersion::Tls13);
    let meant = [CipherSuite::Aes128GcmSha256, CipherSuite::EcdheRsaChacha20Poly1305];
    assert_eq!(found.cipher_suites, Some(meant.into()));
    for suite in CipherSuite::ALL {
        assert_eq!(suite.as_str().parse(), Ok(suite));
    }
    assert!("TLS_CHACHA20_POLY1305".parse::<CipherSuite>().is_err());
}

#[test]
fn what_is_too_old_or_too_weak_is_said() {
    let old = warnings(&with_files("minimumtls: tls1.0"));
    assert!(old[0].contains("taken as tls1.2"), "{old:?}");
    let weak = "ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_AES_256_GCM_SHA384]";
    assert!(warnings(&with_files(weak))[0].contains("too weak"));
    let stray = warnings(&with_http("addr: ':0', tls: {key: /k}"));
    assert!(stray[0].contains("no effect without `http.tls.certificate`"), "{stray:?}");
}

#[test]
fn what_cannot_be_is_refused() {
    for (lines, words) in [
        ("minimumtls: ssl3", "must be tls1.2 or tls1.3"),
        ("clientauth: always", "must be one of request-client-cert"),
        ("clientauth: require-and-verify-client-cert", "name the files of the authorities"),
        ("ciphersuites: [TLS_NONE]", "must be among TLS_AES_128_GCM_SHA256"),
        ("ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA]", "nothing would be offered"),
        ("clientcas: [{}]", "must be a list of texts"),
        ("clientcas: /a", "a single value where a list"),
        ("letsencrypt: {email: e}", "name files by `certificate` and `key`"),
    ] {
        let found = problems(&with_files(lines));
        assert!(found.len() == 1 && found[0].contains(words), "{lines}: {found:?}");
    }
    let keyless = problems(&with_http("addr: ':0', tls: {certificate: /c}"));
    assert!(keyless.len() == 1 && keyless[0].contains("`http.tls.key`: missing"), "{keyless:?}");
}
