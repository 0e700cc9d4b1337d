//! A record's file, byte by byte: a head, and entries of one length with a checksum each.

use oci::Digest;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const MAGIC: &[u8; 16] = b"regctl quota 1\n\0";
const KEY_BYTES: usize = 16;

/// The length of the head.
pub(super) const HEAD_BYTES: usize = 64;
/// The length of an entry.
pub(super) const ENTRY_BYTES: usize = 20;

/// What stands for a digest: anybody can make digests that begin alike, and nobody ones that are alike here.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Id(u64);

/// What each entry of a file depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key([u8; KEY_BYTES]);

/// How a file begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) key: Key,
    /// When all links were counted last, in seconds since 1970; 0: never.
    pub(super) counted: u64,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// A digest is linked, or about to be.
    Add { id: Id, bytes: u64 },
    /// It is not, after all.
    Take { id: Id, bytes: u64 },
    /// A digest is linked that there was no room to remember.
    Loose { bytes: u64 },
    /// Somebody has begun to count all links.
    Mark { run: u64 },
}

impl Id {
    pub(super) fn of(key: Key, digest: &Digest) -> Self {
        let hash = Sha256::new().chain_update(key.0).chain_update(digest.as_bytes()).finalize();
        Self(first(&hash))
    }
}

impl Key {
    pub(super) fn random() -> Self {
        Self(*Uuid::new_v4().as_bytes())
    }
}

impl Head {
    pub(super) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..32].copy_from_slice(&self.key.0);
        bytes[32..40].copy_from_slice(&self.counted.to_le_bytes());
        let hash = Sha256::digest(&bytes[..48]);
        bytes[48..].copy_from_slice(&hash[..16]);
        bytes
    }

    /// None: these are no head.
    pub(super) fn read(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let key = Key(*bytes[16..].first_chunk()?);
        let head = Self { key, counted: first(&bytes[32..]) };
        (head.to_bytes() == *bytes).then_some(head)
    }
}

impl Entry {
    pub(super) fn to_bytes(self, key: Key) -> [u8; ENTRY_BYTES] {
        let (kind, name, bytes) = match self {
            Self::Add { id: Id(id), bytes } => (1, id, bytes),
            Self::Take { id: Id(id), bytes } => (2, id, bytes),
            Self::Loose { bytes } => (3, 0, bytes),
            Self::Mark { run } => (4, run, 0),
        };
        let mut entry = [0; ENTRY_BYTES];
        entry[..8].copy_from_slice(&name.to_le_bytes());
        entry[8..16].copy_from_slice(&bytes.min(MOST_BYTES).to_le_bytes());
        entry[15] = kind;
        let hash = checksum(key, &entry[..16]);
        entry[16..].copy_from_slice(&hash);
        entry
    }

    /// None: it is not whole.
    pub(super) fn read(entry: &[u8; ENTRY_BYTES], key: Key) -> Option<Self> {
        if checksum(key, &entry[..16]) != entry[16..] {
            return None;
        }
        let (name, bytes) = (first(entry), first(&entry[8..]) & MOST_BYTES);
        match entry[15] {
            1 => Some(Self::Add { id: Id(name), bytes }),
            2 => Some(Self::Take { id: Id(name), bytes }),
            3 => Some(Self::Loose { bytes }),
            4 => Some(Self::Mark { run: name }),
            _ => None,
        }
    }
}

/// A size has seven bytes: nothing is larger.
const MOST_BYTES: u64 = (1 << 56) - 1;

fn checksum(key: Key, bytes: &[u8]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(key.0).chain_update(bytes).finalize();
    *hash.first_chunk().expect("a hash has more bytes")
}

fn first(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_comes_back_and_a_damaged_one_does_not() {
        let head = Head { key: Key::random(), counted: 1_795_392_000 };
        let bytes = head.to_bytes();
        assert_eq!(Head::read(&bytes), Some(head));
        for place in 0..HEAD_BYTES {
            let mut bytes = bytes;
            bytes[place] ^= 1;
            assert_eq!(Head::read(&bytes), None, "{place}");
        }
    }

    #[test]
    fn another_key_makes_other_names() {
        let digest = Digest::of(Algorithm::Sha256, b"a");
        assert_ne!(Id::of(Key::random(), &digest), Id::of(Key::random(), &digest));
    }

    proptest! {
        #[test]
        fn an_entry_comes_back_and_a_damaged_one_does_not(
            kind in 0..4_u8, name: u64, bytes in 0..=MOST_BYTES, bit in 0..ENTRY_BYTES * 8,
        ) {
            let key = Key([7; KEY_BYTES]);
            let entry = match kind {
                0 => Entry::Add { id: Id(name), bytes },
                1 => Entry::Take { id: Id(name), bytes },
                2 => Entry::Loose { bytes },
                _ => Entry::Mark { run: name },
            };
            let mut written = entry.to_bytes(key);
            prop_assert_eq!(Entry::read(&written, key), Some(entry));
            prop_assert_eq!(Entry::read(&written, Key([8; KEY_BYTES])), None);
            written[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Entry::read(&written, key), None);
        }
    }
}
