//! The public keys of signatures, and the name that libtrust gives them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};
use x509_parser::{
    parse_x509_certificate, public_key::PublicKey as X509Key, x509::SubjectPublicKeyInfo,
};

use super::base64url;
use crate::libtrust;

/// The start of a point whose two coordinates follow.
const UNCOMPRESSED: u8 = 4;

/// A key that verifies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PublicKey {
    Ec { curve: Curve, point: Vec<u8> },
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// The curves that libtrust knows. Each goes with one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// Why there is no key to verify with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoKey {
    #[error("the key has no `{0}`, or not as text")]
    Missing(&'static str),
    #[error("the key is neither RSA nor EC on P-256, P-384 or P-521")]
    Type,
    #[error("the key's numbers make no key")]
    Numbers,
    #[error("the key's `kid` is not its name")]
    Name,
    #[error("the certificate cannot be read")]
    Certificate,
}

impl Curve {
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(super) const fn algorithm(self) -> &'static str {
        match self {
            Self::P256 => "ES256",
            Self::P384 => "ES384",
            Self::P521 => "ES512",
        }
    }

    /// How many bytes a coordinate has.
    const fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The name in ASN.1, with tag and length.
    const fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[6, 5, 0x2b, 0x81, 4, 0, 0x22],
            Self::P521 => &[6, 5, 0x2b, 0x81, 4, 0, 0x23],
        }
    }
}

impl PublicKey {
    /// Reads a JSON Web Key. Its `kid` may be missing, and is not that of another key.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, NoKey> {
        let key = match text(jwk, "kty")? {
            "EC" => {
                let name = text(jwk, "crv")?;
                let curve = Curve::ALL.into_iter().find(|curve| curve.as_str() == name);
                Self::point(curve.ok_or(NoKey::Type)?, &number(jwk, "x")?, &number(jwk, "y")?)?
            }
            "RSA" => Self::rsa(&number(jwk, "n")?, &number(jwk, "e")?)?,
            _ => return Err(NoKey::Type),
        };
        match jwk.get("kid") {
            None => Ok(key),
            Some(Value::String(name)) if *name == key.id() => Ok(key),
            Some(_) => Err(NoKey::Name),
        }
    }

    /// Reads the key of a certificate. Nobody vouches for it: whose keys count, clients decide.
    pub(super) fn from_certificate(der: &[u8]) -> Result<Self, NoKey> {
        let (_, parsed) = parse_x509_certificate(der).map_err(|_| NoKey::Certificate)?;
        Self::from_info(parsed.public_key())
    }

    pub(super) fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, NoKey> {
        match info.parsed() {
            Ok(X509Key::RSA(key)) => Self::rsa(key.modulus, key.exponent),
            Ok(X509Key::EC(point)) => Self::uncompressed(point.data()),
            Ok(_) => Err(NoKey::Type),
            Err(_) => Err(NoKey::Numbers),
        }
    }

    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, NoKey> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        // 8192 bits are the most that anybody verifies; libtrust's exponent is a 32-bit number.
        if modulus.is_empty() || modulus.len() > 1024 || !(1..=4).contains(&exponent.len()) {
            return Err(NoKey::Numbers);
        }
        Ok(Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// A point as it stands in certificates. Its length tells the curve.
    pub(super) fn uncompressed(point: &[u8]) -> Result<Self, NoKey> {
        let of_length = |curve: &Curve| point.len() == 1 + 2 * curve.bytes();
        let curve = Curve::ALL.into_iter().find(of_length).ok_or(NoKey::Type)?;
        let [UNCOMPRESSED, coordinates @ ..] = point else { return Err(NoKey::Numbers) };
        let (x, y) = coordinates.split_at(curve.bytes());
        Self::point(curve, x, y)
    }

    fn point(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, NoKey> {
        if x.len() != curve.bytes() || y.len() != curve.bytes() {
            return Err(NoKey::Numbers);
        }
        Ok(Self::Ec { curve, point: [&[UNCOMPRESSED], x, y].concat() })
    }

    /// The name that libtrust gives it.
    pub(super) fn id(&self) -> String {
        libtrust::id(&self.der())
    }

    /// As libtrust writes it; the names of its members are sorted.
    pub(super) fn to_jwk(&self) -> Map<String, Value> {
        let mut members = vec![("kid", self.id())];
        match self {
            Self::Ec { curve, point } => {
                let (x, y) = point[1..].split_at(curve.bytes());
                let coordinates = [("x", base64url::encode(x)), ("y", base64url::encode(y))];
                members.extend([("crv", curve.as_str().to_owned()), ("kty", "EC".to_owned())]);
                members.extend(coordinates);
            }
            Self::Rsa { modulus, exponent } => {
                let numbers =
                    [("e", base64url::encode(exponent)), ("n", base64url::encode(modulus))];
                members.push(("kty", "RSA".to_owned()));
                members.extend(numbers);
            }
        }
        members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    /// Whether the key signed the message. A curve goes with its own algorithm only.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ec { curve, .. } if curve.algorithm() != algorithm => false,
            Self::Ec { curve, point } => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
            }
            Self::Rsa { modulus, exponent } => {
                let algorithm = match algorithm {
                    "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                    _ => return false,
                };
                let key = RsaPublicKeyComponents { n: modulus.as_slice(), e: exponent.as_slice() };
                key.verify(algorithm, message, signature).is_ok()
            }
        }
    }

    /// The `SubjectPublicKeyInfo` of X.509, of which the name is a hash.
    fn der(&self) -> Vec<u8> {
        const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let (algorithm, key) = match self {
            Self::Ec { curve, point } => ([EC, curve.oid()].concat(), point.clone()),
            Self::Rsa { modulus, exponent } => {
                let numbers = [integer(modulus), integer(exponent)].concat();
                (RSA.to_vec(), element(SEQUENCE, &numbers))
            }
        };
        // No bit of the key's last byte is unused.
        let key = element(BIT_STRING, &[&[0], &key[..]].concat());
        element(SEQUENCE, &[element(SEQUENCE, &algorithm), key].concat())
    }
}

const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const SEQUENCE: u8 = 0x30;

/// Writes an element of DER.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let length = without_zeros(&length);
    let mut element = vec![tag];
    match length {
        [] => element.push(0),
        [short @ ..=0x7f] => element.push(*short),
        long => {
            let count = u8::try_from(long.len()).expect("a length has at most eight bytes");
            element.push(0x80 | count);
            element.extend_from_slice(long);
        }
    }
    element.extend_from_slice(contents);
    element
}

/// Writes a number, which is not negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|first| *first > 0x7f) { &[0] } else { &[] };
    element(INTEGER, &[sign, number].concat())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, NoKey> {
    jwk.get(name).and_then(Value::as_str).ok_or(NoKey::Missing(name))
}

/// A number of a key, in bytes.
pub(super) fn number(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, NoKey> {
    base64url::decode(text(jwk, name)?).ok_or(NoKey::Numbers)
}
