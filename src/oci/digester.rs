//! A hasher whose algorithm is chosen at run time.
//!
//! An upload does not say which algorithm names it until its last request, and a pull verifies
//! whatever the link says: both feed a digester and compare the [`Digest`] that comes out.

use sha2::{Digest as _, Sha256, Sha512};

use crate::{Algorithm, Digest, saved};

/// Hashes a stream for one algorithm. A clone continues from the same point.
#[derive(Clone, Debug)]
pub struct Digester(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    /// Twice as large, and seldom asked for: thousands of idle uploads keep a hasher each.
    Sha512(Box<Sha512>),
}

impl Digester {
    /// Starts with nothing hashed.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
        })
    }

    /// The hash function.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Hashes the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// Its state, in the form in which Go's hashers save theirs.
    pub fn save(&self) -> Vec<u8> {
        match &self.0 {
            State::Sha256(hasher) => saved::save_sha256(hasher),
            State::Sha512(hasher) => saved::save_sha512(hasher),
        }
    }

    /// A hasher in a state that was saved; none if the bytes are no state of this algorithm.
    pub fn restore(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        Some(Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(saved::restore_sha256(bytes)?),
            Algorithm::Sha512 => State::Sha512(Box::new(saved::restore_sha512(bytes)?)),
        }))
    }

    /// How many bytes were hashed.
    pub fn hashed(&self) -> u64 {
        saved::length(&self.save())
    }

    /// The digest of everything hashed.
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        match self.0 {
            State::Sha256(hasher) => Digest::from_bytes(algorithm, &hasher.finalize()),
            State::Sha512(hasher) => Digest::from_bytes(algorithm, &hasher.finalize()),
        }
        .expect("a hasher's output has its algorithm's length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_like_the_whole() {
        for algorithm in Algorithm::ALL {
            let mut digester = Digester::new(algorithm);
            digester.update(b"lay");
            digester.update(b"");
            digester.update(b"er");
            assert_eq!(digester.algorithm(), algorithm);
            assert_eq!(digester.finish(), Digest::of(algorithm, b"layer"));
        }
    }

    #[test]
    fn a_clone_goes_its_own_way() {
        let mut digester = Digester::new(Algorithm::Sha256);
        digester.update(b"lay");
        let mut other = digester.clone();
        other.update(b"out");
        digester.update(b"er");
        assert_eq!(digester.finish(), Digest::of(Algorithm::Sha256, b"layer"));
        assert_eq!(other.finish(), Digest::of(Algorithm::Sha256, b"layout"));
    }
}
