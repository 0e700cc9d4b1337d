//! `http.tls` and `http.debug.tls`: HTTPS, and what clients must show for it.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr};

use super::{check::Findings, keys, tree::Node};

/// What a listener speaks TLS with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// `certificate`: in PEM, with the chain below it.
    pub certificate: PathBuf,
    /// `key`: the certificate's private key, in PEM.
    pub key: PathBuf,
    /// `clientcas` and `clientauth`.
    pub clients: Clients,
    /// `minimumtls`.
    pub minimum: TlsVersion,
    /// `ciphersuites`; none: all that there are.
    pub cipher_suites: Option<BTreeSet<CipherSuite>>,
}

/// What clients are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Clients {
    /// Nothing.
    Anybody,
    /// `request-client-cert`: a certificate is asked for, and looked at by nobody.
    Asked,
    /// `require-any-client-cert`: a certificate, whoever signed it.
    WithAnyCertificate,
    /// `verify-client-cert-if-given`: none, or one that these authorities have signed.
    VerifiedIfGiven(Vec<PathBuf>),
    /// `require-and-verify-client-cert`: one that these authorities have signed.
    Verified(Vec<PathBuf>),
}

/// `minimumtls`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// 1.2, the oldest that is spoken.
    Tls12,
    /// 1.3.
    Tls13,
}

/// What can be offered; suites of 1.2 have forward secrecy and authenticated encryption, or no name here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "the names are those of RFC 8446, RFC 5289 and RFC 7905")]
pub enum CipherSuite {
    Aes128GcmSha256,
    Aes256GcmSha384,
    Chacha20Poly1305Sha256,
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheRsaChacha20Poly1305,
}

/// The name is none of a suite that is offered here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoSuite {
    /// Distribution would offer it.
    TooWeak,
    /// Nobody knows it.
    Unknown,
}

/// What Distribution takes besides, all without forward secrecy or with ciphers that have been broken.
const TOO_WEAK: &[&str] = &[
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

impl CipherSuite {
    /// Every suite.
    pub const ALL: [Self; 9] = [
        Self::Aes128GcmSha256,
        Self::Aes256GcmSha384,
        Self::Chacha20Poly1305Sha256,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305,
        Self::EcdheRsaAes128GcmSha256,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheRsaChacha20Poly1305,
    ];

    /// Go's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaChacha20Poly1305 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaChacha20Poly1305 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        }
    }

    /// The version that it belongs to.
    pub const fn version(self) -> TlsVersion {
        match self {
            Self::Aes128GcmSha256 | Self::Aes256GcmSha384 | Self::Chacha20Poly1305Sha256 => {
                TlsVersion::Tls13
            }
            Self::EcdheEcdsaAes128GcmSha256
            | Self::EcdheEcdsaAes256GcmSha384
            | Self::EcdheEcdsaChacha20Poly1305
            | Self::EcdheRsaAes128GcmSha256
            | Self::EcdheRsaAes256GcmSha384
            | Self::EcdheRsaChacha20Poly1305 => TlsVersion::Tls12,
        }
    }
}

impl FromStr for CipherSuite {
    type Err = NoSuite;

    fn from_str(name: &str) -> Result<Self, NoSuite> {
        // Go has two names for the suites of RFC 7905.
        let is_named = |suite: &Self| {
            let full = suite.as_str();
            let short = full.strip_suffix("_SHA256").filter(|short| short.ends_with("_POLY1305"));
            name == full || (short == Some(name) && suite.version() == TlsVersion::Tls12)
        };
        let weak = if TOO_WEAK.contains(&name) { NoSuite::TooWeak } else { NoSuite::Unknown };
        Self::ALL.into_iter().find(is_named).ok_or(weak)
    }
}

/// Reads the section at `path`; none without a certificate, or with a problem.
pub(super) fn read(root: &Node, path: &str, findings: &mut Findings) -> Option<Tls> {
    let at = |name: &str| keys::join(path, name);
    let text = |name: &str| root.find(&at(name))?.text().filter(|text| !text.is_empty());
    let Some(certificate) = text("certificate") else {
        let others = ["key", "clientcas"].map(&at);
        let stray = others.iter().filter_map(|path| Some((path, root.find(path)?)));
        for (other, node) in stray.filter(|(_, node)| !node.is_empty()) {
            findings.warning(other, node, format!("no effect without `{}`", at("certificate")));
        }
        return None;
    };
    let Some(key) = text("key") else {
        let advice = Some("name the file of the certificate's private key, in PEM");
        let absent = Node::null(root.find(&at("certificate"))?.origin.clone());
        findings.problem(&at("key"), &absent, "missing", advice);
        return None;
    };
    Some(Tls {
        certificate: certificate.into(),
        key: key.into(),
        clients: clients(root, path, findings),
        minimum: minimum(root, &at("minimumtls"), findings),
        cipher_suites: cipher_suites(root, path, findings),
    })
}

fn minimum(root: &Node, path: &str, findings: &mut Findings) -> TlsVersion {
    let Some(node) = root.find(path).filter(|node| !node.is_empty()) else {
        return TlsVersion::Tls12;
    };
    match node.text() {
        Some("tls1.3") => return TlsVersion::Tls13,
        Some("tls1.2") | None => {}
        Some("tls1.0" | "tls1.1") => {
            findings.warning(
                path,
                node,
                "older versions than 1.2 are never spoken; taken as tls1.2",
            );
        }
        Some(_) => findings.problem(path, node, "must be tls1.2 or tls1.3", None),
    }
    TlsVersion::Tls12
}

fn clients(root: &Node, path: &str, findings: &mut Findings) -> Clients {
    let (at_authorities, at_mode) = (keys::join(path, "clientcas"), keys::join(path, "clientauth"));
    let authorities = files(root, &at_authorities, findings);
    let mode = root.find(&at_mode).filter(|node| !node.is_empty());
    let Some((node, text)) = mode.and_then(|node| Some((node, node.text()?))) else {
        return match authorities.is_empty() {
            true => Clients::Anybody,
            false => Clients::Verified(authorities),
        };
    };
    let is_verified =
        matches!(text, "verify-client-cert-if-given" | "require-and-verify-client-cert");
    if is_verified && authorities.is_empty() {
        let advice = format!("name the files of the authorities in `{at_authorities}`");
        findings.problem(&at_mode, node, "no certificate could be verified", Some(&advice));
    }
    match text {
        "request-client-cert" => Clients::Asked,
        "require-any-client-cert" => Clients::WithAnyCertificate,
        "verify-client-cert-if-given" => Clients::VerifiedIfGiven(authorities),
        "require-and-verify-client-cert" => Clients::Verified(authorities),
        _ => {
            let message = "must be one of request-client-cert, require-any-client-cert, \
                           verify-client-cert-if-given, require-and-verify-client-cert";
            findings.problem(&at_mode, node, message, None);
            Clients::Anybody
        }
    }
}

fn files(root: &Node, path: &str, findings: &mut Findings) -> Vec<PathBuf> {
    texts(root, path, findings).into_iter().map(|(_, text)| text.into()).collect()
}

/// What Go ignores counts here too: a list that names suites of 1.3 offers no others of 1.3.
fn cipher_suites(
    root: &Node,
    path: &str,
    findings: &mut Findings,
) -> Option<BTreeSet<CipherSuite>> {
    let path = keys::join(path, "ciphersuites");
    let node = root.find(&path).filter(|node| !node.is_empty())?;
    let mut suites = BTreeSet::new();
    let before = findings.problems.len();
    for (item, name) in texts(root, &path, findings) {
        match name.parse::<CipherSuite>() {
            Ok(suite) => drop(suites.insert(suite)),
            Err(NoSuite::TooWeak) => {
                findings.warning(&path, item, format!("`{name}` is too weak, and is not offered"));
            }
            Err(NoSuite::Unknown) => {
                let names = CipherSuite::ALL.map(CipherSuite::as_str).join(", ");
                findings.problem(&path, item, format!("must be among {names}"), None);
            }
        }
    }
    // What is not among them has been said.
    if suites.is_empty() && findings.problems.len() == before {
        findings.problem(&path, &Node::null(node.origin.clone()), "nothing would be offered", None);
    }
    Some(suites)
}

/// The texts of a list; what is none has been reported or is reported here.
fn texts<'a>(root: &'a Node, path: &str, findings: &mut Findings) -> Vec<(&'a Node, &'a str)> {
    let Some(node) = root.find(path) else { return Vec::new() };
    let mut texts = Vec::new();
    for item in node.items() {
        match item.text().filter(|text| !text.is_empty()) {
            Some(text) => texts.push((item, text)),
            None => findings.problem(path, item, "must be a list of texts", None),
        }
    }
    texts
}
