//! The name that Docker's libtrust gives a key: Distribution 2 and GitLab know keys by it.
//!
//! The first 30 bytes of the SHA-256 of the public key's DER form, in base32, twelve groups of four:
//! `ABCD:EFGH:…`.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// How many bytes of the hash count.
const BYTES: usize = 30;

/// The name of the key with this `SubjectPublicKeyInfo`.
pub(crate) fn id(public_key: &[u8]) -> String {
    let digest = Sha256::digest(public_key);
    let mut id = String::with_capacity(59);
    // Five bytes are eight characters.
    for (index, five) in digest[..BYTES].chunks_exact(5).enumerate() {
        let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for position in 0..8_usize {
            if position.is_multiple_of(4) && (index, position) != (0, 0) {
                id.push(':');
            }
            let value = bits >> (35 - 5 * position) & 31;
            let value = usize::try_from(value).expect("five bits fit");
            id.push(char::from(ALPHABET[value]));
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn an_id_is_twelve_groups_of_four() {
        let id = id(b"key");
        let groups: Vec<_> = id.split(':').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|group| group.len() == 4), "{id}");
    }

    #[test]
    fn the_hash_is_written_in_base32() {
        // printf '' | sha256sum: e3b0c44298 fc1c149afb …
        assert!(id(b"").starts_with("4OYM:IQUY:7QOB:JGX3:"), "{}", id(b""));
    }
}
