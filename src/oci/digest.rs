//! A digest names content by its hash: `sha256:` and 64 lower-case hex digits, `sha512:` and 128.
//!
//! It is a small `Copy` value that holds the hash's bytes, not its text: a set of a million digests
//! is a million array entries without a heap allocation each, and the one text form there is cannot
//! be confused with another spelling of the same digest.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{Digester, text};

const MAX_BYTES: usize = 64;
const MAX_HEX: usize = 2 * MAX_BYTES;
/// The longest prefix is `sha512:`.
const MAX_TEXT: usize = 7 + MAX_HEX;

/// A hash function that content may be named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// The one that everybody supports and that Distribution calls canonical.
    Sha256,
    /// The other registered one.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order of the names.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name in digests and in storage paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many bytes a hash has.
    pub const fn byte_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// How many hex digits a hash has.
    pub const fn hex_len(self) -> usize {
        2 * self.byte_len()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| DigestError::UnknownAlgorithm(text::excerpt(text)))
    }
}

/// The name of some content: an algorithm and the hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero beyond the algorithm's length, so that the derived comparisons are true.
    bytes: [u8; MAX_BYTES],
}

impl Digest {
    /// Hashes bytes that are at hand; for a stream there is [`Digester`].
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut digester = Digester::new(algorithm);
        digester.update(content);
        digester.finish()
    }

    /// Makes a digest of a hash that is known as bytes, as a cache file or a hasher holds it.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Result<Self, DigestError> {
        if hash.len() != algorithm.byte_len() {
            return Err(DigestError::Length { algorithm, digits: hash.len().saturating_mul(2) });
        }
        let mut bytes = [0; MAX_BYTES];
        bytes[..hash.len()].copy_from_slice(hash);
        Ok(Self { algorithm, bytes })
    }

    /// Makes a digest of an algorithm and hex digits, as a storage path holds them.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, DigestError> {
        let digits = hex.chars().count();
        if digits != algorithm.hex_len() {
            return Err(DigestError::Length { algorithm, digits });
        }
        let bytes = read_hex(hex)?;
        Ok(Self { algorithm, bytes })
    }

    /// The hash function.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.byte_len()]
    }

    /// The hash in hex digits, on the stack.
    pub fn hex(&self) -> Hex {
        let mut digits = [0; MAX_HEX];
        write_hex(self.as_bytes(), &mut digits);
        Hex { digits, len: self.algorithm.hex_len() }
    }

    /// The hash in hex digits, as a string of its own.
    pub fn to_hex(&self) -> String {
        self.hex().as_str().to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.algorithm.as_str();
        let mut line = [b':'; MAX_TEXT];
        line[..name.len()].copy_from_slice(name.as_bytes());
        write_hex(self.as_bytes(), &mut line[name.len() + 1..]);
        f.pad(ascii(&line[..name.len() + 1 + self.algorithm.hex_len()]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) =
            text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm(text::excerpt(text)))?;
        Self::from_hex(algorithm.parse()?, hex)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a digest")
    }
}

/// The hex digits of a digest, without the algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; MAX_HEX],
    len: usize,
}

impl Hex {
    /// The digits as text.
    pub fn as_str(&self) -> &str {
        ascii(&self.digits[..self.len])
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    /// There is no `:`.
    #[error("`{0}` is not a digest: it must be `sha256:` or `sha512:` and lower-case hex digits")]
    NoAlgorithm(String),
    /// What stands before the `:` is no algorithm that is supported.
    #[error("digest algorithm `{0}` is not supported: use `sha256` or `sha512`")]
    UnknownAlgorithm(String),
    /// The hash is too short or too long.
    #[error("a {algorithm} digest has {} hex digits, not {digits}", algorithm.hex_len())]
    Length {
        /// The algorithm that was named.
        algorithm: Algorithm,
        /// How many characters follow the `:`.
        digits: usize,
    },
    /// Something is no hex digit, or an upper-case one.
    #[error("digest has {character:?} at hex digit {position}: only 0-9 and a-f are allowed")]
    BadHex {
        /// What stands there.
        character: char,
        /// Which digit it should be, counted from 1.
        position: usize,
    },
}

/// Reads hex digits, already counted, into the front of a hash's bytes.
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The value of every hex digit, and [`NO_DIGIT`] for what is none.
const VALUES: [u8; 256] = values();
const NO_DIGIT: u8 = 0xff;

const fn values() -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[HEX_DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
}

fn read_hex(hex: &str) -> Result<[u8; MAX_BYTES], DigestError> {
    let mut bytes = [0; MAX_BYTES];
    let mut seen = 0;
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| VALUES[usize::from(digit)]);
        seen |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    // No value of a digit has that bit.
    if seen & 0x80 == 0 { Ok(bytes) } else { Err(bad_hex(hex)) }
}

/// Finds what is no hex digit.
fn bad_hex(hex: &str) -> DigestError {
    let is_digit = |character| matches!(character, '0'..='9' | 'a'..='f');
    let found = hex.chars().enumerate().find(|&(_, character)| !is_digit(character));
    let (index, character) = found.expect("a byte of it is no hex digit");
    DigestError::BadHex { character, position: index + 1 }
}

fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
        pair[1] = HEX_DIGITS[usize::from(byte & 15)];
    }
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("algorithm names and hex digits are ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn refused(text: &str) -> String {
        text.parse::<Digest>().unwrap_err().to_string()
    }

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), EMPTY);
        assert_eq!(
            Digest::of(Algorithm::Sha512, b"abc").to_hex(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let hex = &EMPTY[7..];
        let cases = [
            (
                "latest",
                "`latest` is not a digest: it must be `sha256:` or `sha512:` and lower-case hex digits",
            ),
            ("sha1:abc", "digest algorithm `sha1` is not supported: use `sha256` or `sha512`"),
            ("SHA256:abc", "digest algorithm `SHA256` is not supported: use `sha256` or `sha512`"),
            (":", "digest algorithm `` is not supported: use `sha256` or `sha512`"),
            ("sha256:", "a sha256 digest has 64 hex digits, not 0"),
            (&format!("sha512:{hex}"), "a sha512 digest has 128 hex digits, not 64"),
            (&format!("sha256:{hex}\n"), "a sha256 digest has 64 hex digits, not 65"),
            (
                &EMPTY.replace('e', "E"),
                "digest has 'E' at hex digit 1: only 0-9 and a-f are allowed",
            ),
            (
                &EMPTY.replace("55", "5é"),
                "digest has 'é' at hex digit 64: only 0-9 and a-f are allowed",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(refused(text), message, "{text}");
        }
    }

    #[test]
    fn the_hash_alone_has_the_right_length_or_is_none() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(Digest::from_bytes(Algorithm::Sha256, digest.as_bytes()), Ok(digest));
        assert_eq!(
            Digest::from_bytes(Algorithm::Sha512, digest.as_bytes()),
            Err(DigestError::Length { algorithm: Algorithm::Sha512, digits: 64 })
        );
    }

    #[test]
    fn json_has_it_as_a_string() {
        let digest: Digest = serde_json::from_str(&format!("\"{EMPTY}\"")).unwrap();
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{EMPTY}\""));
        assert!(serde_json::from_str::<Digest>("\"latest\"").is_err());
        assert!(serde_json::from_str::<Digest>("7").is_err());
    }

    #[test]
    fn debug_and_hex_show_the_text() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(format!("{digest:?}"), EMPTY);
        assert_eq!(digest.hex().as_str(), &EMPTY[7..]);
        assert_eq!(format!("{:>72}|", digest), format!(" {EMPTY}|"));
    }

    fn any_digest() -> impl Strategy<Value = Digest> {
        let of = |(algorithm, content): (_, Vec<u8>)| Digest::of(algorithm, &content);
        (prop::sample::select(&Algorithm::ALL), vec(any::<u8>(), 0..9)).prop_map(of)
    }

    proptest! {
        #[test]
        fn display_then_parse_is_identity(digest in any_digest()) {
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }

        #[test]
        fn digests_are_ordered_as_their_texts(a in any_digest(), b in any_digest()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn what_parses_displays_as_itself(text in "(sha(256|512):[0-9a-fA-F]{63,65}|\\PC*)") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
