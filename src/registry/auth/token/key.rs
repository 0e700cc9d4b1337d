//! One public key that verifies tokens, and the names it goes by.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Jose, DecodingKey};
use sha2::{Digest, Sha256};
use x509_parser::{
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use crate::config::Algorithm;

/// The numbers that make a key.
#[derive(Debug)]
pub(super) enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Point { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Ed25519(Vec<u8>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Curve {
    P256,
    P384,
}

/// A key, ready to verify.
#[derive(Debug)]
pub(super) struct Key {
    decoding: DecodingKey,
    family: Family,
    /// The only algorithm that it may be used with, if its owner says so.
    only: Option<Algorithm>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// Why a key verifies no token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::auth) enum NoKey {
    #[error("an RSA key must have from 2048 to 8192 bits, this one has {0}")]
    Bits(usize),
    #[error("keys are RSA, EC on P-256 or P-384, or Ed25519")]
    Type,
    #[error("the key's numbers make no key")]
    Numbers,
}

impl Public {
    /// Reads what a certificate says.
    pub(super) fn of_certificate(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, NoKey> {
        let kind = &info.algorithm.algorithm;
        let bits = &*info.subject_public_key.data;
        if *kind == OID_SIG_ED25519 {
            return Self::ed25519(bits);
        }
        if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = info.algorithm.parameters.as_ref();
            let curve = curve.and_then(|named| named.as_oid().ok()).ok_or(NoKey::Type)?;
            let curve = match () {
                () if curve == OID_EC_P256 => Curve::P256,
                () if curve == OID_NIST_EC_P384 => Curve::P384,
                () => return Err(NoKey::Type),
            };
            let [4, point @ ..] = bits else { return Err(NoKey::Numbers) };
            let (x, y) = point.split_at(point.len() / 2);
            return Self::point(curve, x, y);
        }
        if *kind != OID_PKCS1_RSAENCRYPTION {
            return Err(NoKey::Type);
        }
        match info.parsed() {
            Ok(PublicKey::RSA(key)) => Self::rsa(key.modulus, key.exponent),
            Ok(_) | Err(_) => Err(NoKey::Numbers),
        }
    }

    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, NoKey> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let first = modulus.first().ok_or(NoKey::Numbers)?;
        let bits = modulus.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0);
        if !(2048..=8192).contains(&bits) {
            return Err(NoKey::Bits(bits));
        }
        if exponent.is_empty() || exponent.len() > 8 {
            return Err(NoKey::Numbers);
        }
        Ok(Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    pub(super) fn point(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, NoKey> {
        let bytes = curve.bytes();
        let (x, y) = (padded(x, bytes)?, padded(y, bytes)?);
        Ok(Self::Point { curve, x, y })
    }

    pub(super) fn ed25519(bytes: &[u8]) -> Result<Self, NoKey> {
        if bytes.len() == 32 { Ok(Self::Ed25519(bytes.to_vec())) } else { Err(NoKey::Numbers) }
    }

    /// The name by RFC 7638, as Distribution 3 has it.
    pub(super) fn thumbprint(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // The order of the members is the RFC's.
        let json = match self {
            Self::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(exponent), text(modulus))
            }
            Self::Point { curve, x, y } => {
                let (curve, x, y) = (curve.as_str(), text(x), text(y));
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        };
        text(&Sha256::digest(json))
    }

    pub(super) fn into_key(self, only: Option<Algorithm>) -> Key {
        let (decoding, family) = match self {
            Self::Rsa { modulus, exponent } => {
                (DecodingKey::from_rsa_raw_components(&modulus, &exponent), Family::Rsa)
            }
            Self::Point { curve, x, y } => {
                let family = match curve {
                    Curve::P256 => Family::P256,
                    Curve::P384 => Family::P384,
                };
                (DecodingKey::from_ec_der(&[&[4], &x[..], &y[..]].concat()), family)
            }
            Self::Ed25519(x) => (DecodingKey::from_ed_der(&x), Family::Ed25519),
        };
        Key { decoding, family, only }
    }
}

impl Curve {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

impl Key {
    /// Whether the key signed the message in this way.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        let (family, jose) = meaning(algorithm);
        // What a token says of itself never decides what its key is taken for.
        if family != self.family || self.only.is_some_and(|only| only != algorithm) {
            return false;
        }
        let verified =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, jose);
        verified.unwrap_or(false)
    }
}

fn meaning(algorithm: Algorithm) -> (Family, Jose) {
    match algorithm {
        Algorithm::EdDsa => (Family::Ed25519, Jose::EdDSA),
        Algorithm::Rs256 => (Family::Rsa, Jose::RS256),
        Algorithm::Rs384 => (Family::Rsa, Jose::RS384),
        Algorithm::Rs512 => (Family::Rsa, Jose::RS512),
        Algorithm::Ps256 => (Family::Rsa, Jose::PS256),
        Algorithm::Ps384 => (Family::Rsa, Jose::PS384),
        Algorithm::Ps512 => (Family::Rsa, Jose::PS512),
        Algorithm::Es256 => (Family::P256, Jose::ES256),
        Algorithm::Es384 => (Family::P384, Jose::ES384),
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn padded(number: &[u8], bytes: usize) -> Result<Vec<u8>, NoKey> {
    let number = without_zeros(number);
    let zeros = bytes.checked_sub(number.len()).ok_or(NoKey::Numbers)?;
    Ok([&vec![0; zeros][..], number].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        // The example of section 3.1.
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let modulus = URL_SAFE_NO_PAD.decode(modulus).unwrap();
        let key = Public::rsa(&modulus, &[1, 0, 1]).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn keys_that_are_weak_or_odd_are_none() {
        assert_eq!(Public::rsa(&[0xff; 128], &[3]).unwrap_err(), NoKey::Bits(1024));
        assert_eq!(Public::rsa(&[0xff; 2048], &[3]).unwrap_err(), NoKey::Bits(16384));
        assert_eq!(Public::rsa(&[], &[3]).unwrap_err(), NoKey::Numbers);
        assert_eq!(Public::rsa(&[0xff; 256], &[]).unwrap_err(), NoKey::Numbers);
        assert_eq!(Public::ed25519(&[1; 31]).unwrap_err(), NoKey::Numbers);
        let long = Public::point(Curve::P256, &[1; 33], &[1; 32]);
        assert_eq!(long.unwrap_err(), NoKey::Numbers);
    }
}
