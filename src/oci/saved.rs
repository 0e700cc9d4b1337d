//! A hasher's state as Go saves its own: the form in which Distribution keeps it between the requests of an upload.
//!
//! A magic, the words of the state, a block of which only the first bytes count, and how many bytes were hashed;
//! all numbers big-endian. This crate's hashers save theirs little-endian, with the number of whole blocks
//! and then the number of bytes in the last one. What does not agree with itself is no state.

use sha2::{
    Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

/// How one algorithm's state is laid out.
struct Layout {
    magic: &'static [u8; 4],
    /// Bytes of a word of the state, of which there are eight.
    word: usize,
    /// Bytes of a block.
    block: usize,
    /// Bytes of the number of blocks in this crate's form.
    count: usize,
}

const SHA256: Layout = Layout { magic: b"sha\x03", word: 4, block: 64, count: 8 };
const SHA512: Layout = Layout { magic: b"sha\x07", word: 8, block: 128, count: 16 };

/// Bytes of Go's count of what was hashed.
const LENGTH: usize = 8;

pub(crate) fn save_sha256(hasher: &Sha256) -> Vec<u8> {
    SHA256.go_form(&hasher.serialize())
}

pub(crate) fn save_sha512(hasher: &Sha512) -> Vec<u8> {
    SHA512.go_form(&hasher.serialize())
}

pub(crate) fn restore_sha256(bytes: &[u8]) -> Option<Sha256> {
    let own = SHA256.own_form(bytes)?;
    Sha256::deserialize(&SerializedState::<Sha256>::try_from(own.as_slice()).ok()?).ok()
}

pub(crate) fn restore_sha512(bytes: &[u8]) -> Option<Sha512> {
    let own = SHA512.own_form(bytes)?;
    Sha512::deserialize(&SerializedState::<Sha512>::try_from(own.as_slice()).ok()?).ok()
}

/// How many bytes a state in Go's form says were hashed.
pub(crate) fn length(go: &[u8]) -> u64 {
    go.last_chunk::<LENGTH>().map_or(0, |length| u64::from_be_bytes(*length))
}

impl Layout {
    fn words(&self) -> usize {
        8 * self.word
    }

    /// This crate's form in Go's.
    fn go_form(&self, own: &[u8]) -> Vec<u8> {
        let (words, rest) = own.split_at(self.words());
        let (count, block) = rest.split_at(self.count);
        let filled = usize::from(block[0]);
        let mut go = Vec::with_capacity(4 + self.words() + self.block + LENGTH);
        go.extend_from_slice(self.magic);
        for word in words.chunks_exact(self.word) {
            go.extend(word.iter().rev());
        }
        go.extend_from_slice(&block[1..=filled]);
        go.resize(4 + self.words() + self.block, 0);
        // An object has fewer bytes than eight bytes can count.
        let blocks = u64::from_le_bytes(count[..8].try_into().expect("eight bytes are eight"));
        let length = blocks.wrapping_mul(self.block as u64).wrapping_add(filled as u64);
        go.extend_from_slice(&length.to_be_bytes());
        go
    }

    /// Go's form in this crate's, if it is one.
    fn own_form(&self, go: &[u8]) -> Option<Vec<u8>> {
        let rest = go.strip_prefix(self.magic)?;
        if rest.len() != self.words() + self.block + LENGTH {
            return None;
        }
        let (words, rest) = rest.split_at(self.words());
        let (block, length) = rest.split_at(self.block);
        let length = u64::from_be_bytes(length.try_into().ok()?);
        let filled = usize::try_from(length % self.block as u64).ok()?;
        let mut own = Vec::with_capacity(go.len());
        for word in words.chunks_exact(self.word) {
            own.extend(word.iter().rev());
        }
        own.extend_from_slice(&(length / self.block as u64).to_le_bytes());
        own.resize(self.words() + self.count, 0);
        own.push(u8::try_from(filled).ok()?);
        own.extend_from_slice(&block[..filled]);
        own.resize(self.words() + self.count + self.block, 0);
        Some(own)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Algorithm, Digest, Digester};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Digester {
        let mut digester = Digester::new(algorithm);
        digester.update(bytes);
        digester
    }

    #[test]
    fn states_are_gos() {
        // Before the first block is full the words are those that every hash begins with.
        let begun = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19";
        let saved = of(Algorithm::Sha256, b"abc").save();
        let expected = format!("73686103{begun}616263{}{:016x}", "00".repeat(61), 3);
        assert_eq!(hex(&saved), expected);
        let saved = of(Algorithm::Sha256, b"").save();
        assert_eq!(hex(&saved), format!("73686103{begun}{}{:016x}", "00".repeat(64), 0));
        let begun = "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1\
                     510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179";
        let saved = of(Algorithm::Sha512, b"ab").save();
        let expected = format!("73686107{begun}6162{}{:016x}", "00".repeat(126), 2);
        assert_eq!(hex(&saved), expected);
    }

    #[test]
    fn a_state_is_what_distribution_has_written_for_the_same_bytes() {
        let written = "7368610347afa2061ca2df6e3ceb998796fb5f8ed81825503687566159e87975cbe81304\
                       626361626361626361626361626361626361626361626361626361626361626361626361\
                       00000000000000000000000000000000000000000000000000000000\
                       0000000000000064";
        let bytes: Vec<u8> = b"abc".iter().copied().cycle().take(100).collect();
        assert_eq!(hex(&of(Algorithm::Sha256, &bytes).save()), written);
    }

    #[test]
    fn a_state_goes_on_where_it_was_saved() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
        for algorithm in Algorithm::ALL {
            for at in [0, 1, 55, 63, 64, 65, 127, 128, 129, 500, 1000] {
                let saved = of(algorithm, &bytes[..at]).save();
                let mut restored = Digester::restore(algorithm, &saved).unwrap();
                assert_eq!(restored.hashed(), at as u64);
                restored.update(&bytes[at..]);
                assert_eq!(restored.finish(), Digest::of(algorithm, &bytes), "{algorithm} {at}");
            }
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let saved = of(Algorithm::Sha256, b"abc").save();
        assert!(Digester::restore(Algorithm::Sha512, &saved).is_none());
        assert!(Digester::restore(Algorithm::Sha256, &saved[1..]).is_none());
        assert!(Digester::restore(Algorithm::Sha256, b"").is_none());
        let longer = [saved.as_slice(), b"x"].concat();
        assert!(Digester::restore(Algorithm::Sha256, &longer).is_none());
    }
}
