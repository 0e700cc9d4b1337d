//! Manifests that were read lately, where the storage is asked over a network.
//!
//! What is kept counts only once the storage has said, for the same request, that it is there: by a tag that points to
//! it, or by the repository's link. So whoever deletes a manifest, in whatever process, is seen at once.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use oci::{Digest, RepositoryName};

/// Half of what is kept at the most.
const HALF_BYTES: usize = 8 << 20;

/// A larger manifest is rare, and worth a request.
const LARGEST_BYTES: usize = 256 << 10;

/// What an entry takes besides the manifest, about.
const ENTRY_BYTES: usize = 256;

/// The manifests that are kept.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Those that were asked for since the others were set aside.
    young: HashMap<(RepositoryName, Digest), Bytes>,
    old: HashMap<(RepositoryName, Digest), Bytes>,
    young_bytes: usize,
}

impl Recent {
    /// A manifest that this repository had when it was read last.
    pub(super) fn get(&self, repository: &RepositoryName, digest: &Digest) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (repository.clone(), *digest);
        if let Some(bytes) = kept.young.get(&key) {
            return Some(bytes.clone());
        }
        let bytes = kept.old.remove(&key)?;
        kept.keep(key, bytes.clone());
        Some(bytes)
    }

    pub(super) fn keep(&self, repository: &RepositoryName, digest: &Digest, bytes: &Bytes) {
        if bytes.len() <= LARGEST_BYTES {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            // A copy of its own: a piece of a larger buffer would keep all of it.
            kept.keep((repository.clone(), *digest), Bytes::copy_from_slice(bytes));
        }
    }
}

impl Kept {
    fn keep(&mut self, key: (RepositoryName, Digest), bytes: Bytes) {
        self.young_bytes += bytes.len() + ENTRY_BYTES;
        if let Some(before) = self.young.insert(key, bytes) {
            self.young_bytes -= before.len() + ENTRY_BYTES;
        }
        if self.young_bytes > HALF_BYTES {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_be_bytes())
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let (recent, name) = (Recent::default(), "group/app".parse().unwrap());
        let bytes = Bytes::from(vec![0; LARGEST_BYTES - ENTRY_BYTES]);
        for number in 0..200 {
            recent.keep(&name, &digest(number), &bytes);
            assert!(recent.get(&name, &digest(0)).is_some());
        }
        assert!(recent.get(&name, &digest(199)).is_some());
        assert!(recent.get(&name, &digest(1)).is_none());
        assert!(recent.get(&"other".parse().unwrap(), &digest(0)).is_none());
        let kept = recent.kept.lock().unwrap();
        let count = kept.young.len() + kept.old.len();
        assert!(count * LARGEST_BYTES <= 2 * HALF_BYTES + LARGEST_BYTES, "{count}");
    }

    #[test]
    fn the_largest_are_not_kept() {
        let (recent, name) = (Recent::default(), "app".parse().unwrap());
        recent.keep(&name, &digest(0), &Bytes::from(vec![0; LARGEST_BYTES + 1]));
        assert!(recent.get(&name, &digest(0)).is_none());
    }
}
