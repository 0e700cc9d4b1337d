//! Digests as numbers: a million of them take 40 MB, and a reference to one four bytes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use hashbrown::{HashTable, hash_table::Entry};
use oci::{Algorithm, Digest};

/// The part of a hash that every algorithm has.
const SHORT: usize = 32;

/// The number of a digest.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DigestId(u32);

/// The digests that were seen, each once.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    key: Key,
    numbers: HashTable<u32>,
    /// The first half of sha512's, all of sha256's.
    short: Vec<[u8; SHORT]>,
    /// The second half of sha512's.
    rest: HashMap<u32, [u8; SHORT]>,
}

/// A set of digests.
#[derive(Clone, Debug, Default)]
pub(crate) struct DigestSet(Vec<u64>);

/// What is known of digests, where that is known of most: a place for each number up to the last.
#[derive(Clone, Debug)]
pub(crate) struct DigestMap<T>(Vec<Option<T>>);

impl<T> Default for DigestMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> DigestMap<T> {
    /// Remembers something of a digest.
    pub(crate) fn insert(&mut self, DigestId(id): DigestId, value: T) {
        let id = id as usize;
        if self.0.len() <= id {
            self.0.resize(id + 1, None);
        }
        self.0[id] = Some(value);
    }

    /// What is known of a digest.
    pub(crate) fn get(&self, DigestId(id): DigestId) -> Option<T> {
        self.0.get(id as usize).copied().flatten()
    }

    /// The digests of which something is known, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DigestId, T)> {
        (0..).map(DigestId).zip(&self.0).filter_map(|(id, value)| value.map(|value| (id, value)))
    }
}

impl<T: Copy> FromIterator<(DigestId, T)> for DigestMap<T> {
    fn from_iter<I: IntoIterator<Item = (DigestId, T)>>(known: I) -> Self {
        let mut map = Self::default();
        for (id, value) in known {
            map.insert(id, value);
        }
        map
    }
}

impl Digests {
    /// The number of a digest, which it gets now if it has none.
    pub(crate) fn number(&mut self, digest: &Digest) -> DigestId {
        let (half, second) = halves(digest);
        let Self { key, numbers, short, rest } = self;
        let is_it = |&id: &u32| is_same((short, rest), id, (&half, second));
        match numbers.entry(key.hash(&half), is_it, |&id| key.hash(&short[id as usize])) {
            Entry::Occupied(seen) => DigestId(*seen.get()),
            Entry::Vacant(place) => {
                let id =
                    u32::try_from(short.len()).expect("four billion digests are more than memory");
                place.insert(id);
                short.push(half);
                if let Some(second) = second {
                    rest.insert(id, second);
                }
                DigestId(id)
            }
        }
    }

    /// The number of a digest, if it was seen.
    pub(crate) fn find(&self, digest: &Digest) -> Option<DigestId> {
        let (half, second) = halves(digest);
        let is_it = |&id: &u32| is_same((&self.short, &self.rest), id, (&half, second));
        self.numbers.find(self.key.hash(&half), is_it).copied().map(DigestId)
    }

    /// The digest of a number.
    pub(crate) fn digest(&self, DigestId(id): DigestId) -> Digest {
        let short = self.short[id as usize];
        let digest = match self.rest.get(&id) {
            None => Digest::from_bytes(Algorithm::Sha256, &short),
            Some(rest) => Digest::from_bytes(Algorithm::Sha512, &[short, *rest].concat()),
        };
        digest.expect("the halves of a digest have its length")
    }
}

/// What the places of digests depend on: they are hashes already, but anybody can make some that begin alike.
#[derive(Debug)]
struct Key([u64; 2]);

impl Default for Key {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1) | 1])
    }
}

impl Key {
    /// All of the first eight bytes decides every bit, in a way that nobody outside knows.
    #[expect(clippy::cast_possible_truncation, reason = "these are the halves of a product")]
    fn hash(&self, half: &[u8; SHORT]) -> u64 {
        let [whitener, factor] = self.0;
        let front = half.first_chunk().expect("half a hash has more than eight bytes");
        let product = u128::from(u64::from_le_bytes(*front) ^ whitener) * u128::from(factor);
        (product >> 64) as u64 ^ product as u64
    }
}

/// Whether the digest of a number has these halves.
fn is_same(
    (short, rest): (&[[u8; SHORT]], &HashMap<u32, [u8; SHORT]>),
    id: u32,
    (half, second): (&[u8; SHORT], Option<[u8; SHORT]>),
) -> bool {
    short[id as usize] == *half && rest.get(&id).copied() == second
}

fn halves(digest: &Digest) -> ([u8; SHORT], Option<[u8; SHORT]>) {
    let (short, rest) =
        digest.as_bytes().split_first_chunk().expect("no hash is shorter than sha256's");
    (*short, rest.first_chunk().copied())
}

impl DigestSet {
    /// Puts a digest into the set. No: it was there.
    pub(crate) fn insert(&mut self, DigestId(id): DigestId) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    /// Whether a digest is in the set.
    pub(crate) fn contains(&self, DigestId(id): DigestId) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    /// What is in the set, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = DigestId> {
        let bits = |word: u64| (0..64).filter(move |bit| word & (1 << bit) != 0);
        (0..)
            .step_by(64)
            .zip(&self.0)
            .flat_map(move |(first, &word)| bits(word).map(move |bit: u32| DigestId(first + bit)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

impl FromIterator<DigestId> for DigestSet {
    fn from_iter<I: IntoIterator<Item = DigestId>>(ids: I) -> Self {
        let mut set = Self::default();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_number_and_comes_back() {
        let mut digests = Digests::default();
        let sha512 = Digest::of(Algorithm::Sha512, b"a");
        // The same bytes as the beginning of a longer hash are another digest.
        let front = Digest::from_bytes(Algorithm::Sha256, &sha512.as_bytes()[..32]).unwrap();
        let all = [sha512, front, Digest::of(Algorithm::Sha256, b"a")];
        let ids = all.map(|digest| digests.number(&digest));
        assert_eq!(all.map(|digest| digests.number(&digest)), ids);
        assert_eq!(ids.map(|id| digests.digest(id)), all);
        assert_eq!(digests.find(&Digest::of(Algorithm::Sha256, b"b")), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: DigestSet = [3, 64, 64, 200].map(DigestId).into_iter().collect();
        assert_eq!(set.len(), 3);
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 200].map(DigestId));
        let is_in = [0, 3, 63, 64, 200, 9999].map(|id| set.contains(DigestId(id)));
        assert_eq!(is_in, [false, true, false, true, true, false]);
    }

    #[test]
    fn a_map_knows_what_was_put_in_last() {
        let known = [(3, 'a'), (64, 'b'), (3, 'c')].map(|(id, value)| (DigestId(id), value));
        let map: DigestMap<char> = known.into_iter().collect();
        assert_eq!(
            [2, 3, 64, 65].map(|id| map.get(DigestId(id))),
            [None, Some('c'), Some('b'), None]
        );
        assert_eq!(map.iter().collect::<Vec<_>>(), [known[2], known[1]]);
    }
}
