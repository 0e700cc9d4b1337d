//! The key with which manifests are signed: libtrust's file of one, or a new one for this process.
//!
//! Signatures are not stored. Distribution makes them anew for every answer, by a key that clients have
//! no reason to trust: what they check is that the document is whole.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Map, Value};
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

use super::key::{Curve, NoKey, PublicKey, number};

/// The longest file that is read.
const LONGEST: u64 = 64 * 1024;

/// A private key.
pub(crate) struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Why there is no key to sign with. Nothing here shows what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum UnusableKey {
    /// The file could not be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "`{}` {wrong}; it must hold a private key, RSA of 2048 bits or more or EC on P-256, P-384 or P-521, \
         as PEM or as JSON Web Key",
        path.display()
    )]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The system's source of randomness is broken.
    #[error("failed to make a key to sign manifests with")]
    Generate,
}

/// The key of a registry: a file's, or one that is made when something is first signed. To make one takes more time than
/// a registry to start, and most sign nothing.
#[derive(Debug, Default)]
pub(crate) struct OwnKey(OnceLock<SigningKey>);

impl OwnKey {
    /// Reads the key of the file, if there is one.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, UnusableKey> {
        match file {
            Some(path) => SigningKey::open(path).map(|key| Self(OnceLock::from(key))),
            None => Ok(Self::default()),
        }
    }

    /// The key.
    pub(crate) fn get(&self) -> Result<&SigningKey, UnusableKey> {
        if let Some(key) = self.0.get() {
            return Ok(key);
        }
        let made = SigningKey::generate()?;
        // Of two that are made at once the first counts.
        Ok(self.0.get_or_init(|| made))
    }
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, UnusableKey> {
        let pair = EcdsaKeyPair::generate(signing(Curve::P256));
        pair.ok().and_then(Self::ec).ok_or(UnusableKey::Generate)
    }

    /// The key of a file.
    pub(crate) fn open(path: &Path) -> Result<Self, UnusableKey> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
        read.map_err(|source| UnusableKey::Read { path: path.to_owned(), source })?;
        let parsed = match bytes.trim_ascii_start().first() {
            Some(b'{') => Self::from_jwk(&bytes),
            _ => Self::from_pem(&bytes),
        };
        parsed.map_err(|wrong| UnusableKey::Contents { path: path.to_owned(), wrong })
    }

    fn from_pem(text: &[u8]) -> Result<Self, &'static str> {
        // libtrust writes the key's name into the block, where PEM of today has no headers.
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        let text: Vec<u8> = lines.filter(|line| !line.contains(&b':')).flatten().copied().collect();
        match PrivateKeyDer::from_pem_slice(&text) {
            Ok(PrivateKeyDer::Pkcs1(key)) => {
                RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().and_then(Self::rsa)
            }
            Ok(PrivateKeyDer::Sec1(key)) => Self::ec_from_der(key.secret_sec1_der()),
            Ok(PrivateKeyDer::Pkcs8(key)) => {
                let der = key.secret_pkcs8_der();
                let rsa = RsaKeyPair::from_pkcs8(der).ok().and_then(Self::rsa);
                rsa.or_else(|| Self::ec_from_der(der))
            }
            Ok(_) => None,
            Err(_) => return Err("holds no private key in PEM"),
        }
        .ok_or("holds a key that cannot be used")
    }

    fn ec_from_der(der: &[u8]) -> Option<Self> {
        let parse = |curve| EcdsaKeyPair::from_private_key_der(signing(curve), der).ok();
        Curve::ALL.into_iter().find_map(parse).and_then(Self::ec)
    }

    fn from_jwk(text: &[u8]) -> Result<Self, &'static str> {
        let jwk: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| "is no JSON object")?;
        let broken = |_: NoKey| "holds no whole JSON Web Key";
        let public = PublicKey::from_jwk(&jwk).map_err(broken)?;
        let private = number(&jwk, "d").map_err(broken)?;
        let key = match &public {
            PublicKey::Ec { curve, point } => {
                let pair =
                    EcdsaKeyPair::from_private_key_and_public_key(signing(*curve), &private, point);
                pair.ok().and_then(Self::ec)
            }
            PublicKey::Rsa { modulus, exponent } => {
                let number = |name| number(&jwk, name).map_err(broken);
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: modulus.clone(), e: exponent.clone() },
                    d: private,
                    p: number("p")?,
                    q: number("q")?,
                    dP: number("dp")?,
                    dQ: number("dq")?,
                    qInv: number("qi")?,
                };
                RsaKeyPair::from_components(&components).ok().and_then(Self::rsa)
            }
        };
        key.ok_or("holds a key that cannot be used")
    }

    fn ec(pair: EcdsaKeyPair) -> Option<Self> {
        let public = PublicKey::uncompressed(pair.public_key().as_ref()).ok()?;
        Some(Self { pair: Pair::Ec(pair), public })
    }

    fn rsa(pair: RsaKeyPair) -> Option<Self> {
        let der = pair.public_key().as_der().ok()?;
        let (_, info) = SubjectPublicKeyInfo::from_der(der.as_ref()).ok()?;
        let public = PublicKey::from_info(&info).ok()?;
        Some(Self { pair: Pair::Rsa(pair), public })
    }

    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// What it signs with, by the name that headers have.
    pub(super) const fn algorithm(&self) -> &'static str {
        match &self.public {
            PublicKey::Ec { curve, .. } => curve.algorithm(),
            PublicKey::Rsa { .. } => "RS256",
        }
    }

    /// Signs; none if the system's source of randomness is broken.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                pair.sign(&random, message).ok().map(|signed| signed.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}

pub(super) const fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}
