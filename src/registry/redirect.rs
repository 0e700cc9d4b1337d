//! Where clients are sent for the bytes of a blob.
//!
//! A URL is the base and the path of the blob in the storage, as Distribution makes it. `CloudFront` wants it signed,
//! with a policy that says until when it holds. Distribution signs with SHA-1, this registry with SHA-256, which
//! `CloudFront` knows by another parameter.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::config;

/// More than any key takes.
const KEY_BYTES: u64 = 64 * 1024;

/// Makes the URLs.
#[derive(Debug)]
pub(crate) struct Redirect {
    base: String,
    signer: Option<Signer>,
}

#[derive(Debug)]
struct Signer {
    key: RsaKeyPair,
    key_pair_id: String,
    duration: Duration,
}

/// Why no URL can be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is no RSA key in PEM of 2048 bits or more", .0.display())]
    NoKey(PathBuf),
}

impl Redirect {
    /// Reads the key, where URLs are signed.
    pub(crate) fn open(config: &config::Redirect) -> Result<Self, Error> {
        let signer = config.signing.as_ref().map(|signing| {
            Ok(Signer {
                key: read_key(&signing.private_key)?,
                key_pair_id: signing.key_pair_id.clone(),
                duration: signing.duration,
            })
        });
        Ok(Self { base: config.base.to_string(), signer: signer.transpose()? })
    }

    /// The URL of an object; none when it cannot be signed.
    pub(crate) fn url(&self, path: &str) -> Option<String> {
        let url = format!("{}/{path}", self.base);
        let Some(signer) = &self.signer else { return Some(url) };
        let until = SystemTime::now().checked_add(signer.duration)?;
        signer.sign(&url, until.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
    }
}

impl Signer {
    fn sign(&self, url: &str, until: u64) -> Option<String> {
        let policy = policy(url, until);
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, policy.as_bytes(), &mut signature).ok()?;
        let signature = STANDARD.encode(signature).replace('+', "-").replace('=', "_");
        let (signature, id) = (signature.replace('/', "~"), &self.key_pair_id);
        Some(format!(
            "{url}?Expires={until}&Signature={signature}&Key-Pair-Id={id}&Hash-Algorithm=SHA256"
        ))
    }
}

fn policy(url: &str, until: u64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
    )
}

fn read_key(path: &Path) -> Result<RsaKeyPair, Error> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(KEY_BYTES).read_to_end(&mut pem));
    read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let key = match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        Ok(_) | Err(_) => None,
    };
    key.ok_or_else(|| Error::NoKey(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    fn a_signed_url_holds_what_cloudfront_checks() {
        let key =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
                .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, key.serialize_pem()).unwrap();
        let signer = Signer {
            key: read_key(&path).unwrap(),
            key_pair_id: "K2JCJMDEHXQW5F".to_owned(),
            duration: Duration::from_secs(60),
        };
        let url = "https://cdn.example.com/docker/registry/v2/blobs/x";
        let signed = signer.sign(url, 1_767_290_400).unwrap();
        let rest = signed.strip_prefix(&format!("{url}?Expires=1767290400&Signature=")).unwrap();
        let (signature, rest) = rest.split_once('&').unwrap();
        assert_eq!(rest, "Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256");
        let signature = signature.replace('-', "+").replace('_', "=").replace('~', "/");
        let policy = r#"{"Statement":[{"Resource":"https://cdn.example.com/docker/registry/v2/blobs/x","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}"#;
        let public = signer.key.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(policy.as_bytes(), &STANDARD.decode(signature).unwrap())
            .unwrap();
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(read_key(&path), Err(Error::NoKey(_))));
        assert!(matches!(read_key(&folder.path().join("none")), Err(Error::Read { .. })));
    }
}
