//! Every key and certificate that is trusted, as the files have them.

use std::{collections::HashMap, sync::Arc};

use super::{
    certificates::{self, Root},
    claims::Verified,
    jwks,
    key::Key,
};
use crate::auth::{
    Unusable,
    recent::Recent,
    watched::{Contents, shown},
};

/// Tokens that are remembered to be right: twice as many at most.
const REMEMBERED: usize = 8 * 1024;

/// The keys, with the tokens that they have verified.
#[derive(Debug)]
pub(super) struct Keys {
    all: Vec<Key>,
    /// A name may be that of several keys: a key may stand in both files.
    by_name: HashMap<String, Vec<usize>>,
    pub(super) roots: Vec<Root>,
    pub(super) known: Recent<Arc<Verified>>,
}

/// Reads a bundle of certificates.
pub(super) fn of_bundle(contents: &[Contents]) -> Result<Keys, Unusable> {
    read(contents, &[])
}

/// Reads a set of keys.
pub(super) fn of_jwks(contents: &[Contents]) -> Result<Keys, Unusable> {
    read(&[], contents)
}

/// Reads a bundle and a set.
pub(super) fn of_both(contents: &[Contents]) -> Result<Keys, Unusable> {
    let (bundle, jwks) = contents.split_at(contents.len().min(1));
    read(bundle, jwks)
}

fn read(bundles: &[Contents], sets: &[Contents]) -> Result<Keys, Unusable> {
    let mut keys = Keys {
        all: Vec::new(),
        by_name: HashMap::new(),
        roots: Vec::new(),
        known: Recent::new(REMEMBERED),
    };
    for bundle in bundles {
        certificates::read(bundle, &mut keys)?;
    }
    for set in sets {
        jwks::read(set, &mut keys)?;
    }
    if keys.all.is_empty() && keys.roots.is_empty() {
        let files = shown(bundles.iter().chain(sets).map(|file| &file.path));
        return Err(Unusable::NoKey { files });
    }
    Ok(keys)
}

impl Keys {
    pub(super) fn add(&mut self, key: Key, names: impl IntoIterator<Item = String>) {
        let index = self.all.len();
        self.all.push(key);
        for name in names {
            let places = self.by_name.entry(name).or_default();
            if !places.contains(&index) {
                places.push(index);
            }
        }
    }

    /// The keys that go by this name.
    pub(super) fn named(&self, name: &str) -> Vec<&Key> {
        let places = self.by_name.get(name);
        places.into_iter().flatten().map(|index| &self.all[*index]).collect()
    }

    pub(super) fn all(&self) -> &[Key] {
        &self.all
    }
}
