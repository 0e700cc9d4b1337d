//! The model's collection: it reads the store in parts and in any order, decides, and then asks for one deletion after the
//! other.

use super::{
    store::{Item, Object, Repository, Store},
    world::{Protocol, Rule},
};

/// What is read as one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Part {
    Tag(Repository),
    Links(Repository),
    Blobs,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Collector {
    /// Bits of `PARTS` that were read.
    read: u8,
    seen: Store,
    /// What is to be deleted, the next at the end; known once everything was read.
    candidates: Option<Vec<Object>>,
}

pub(crate) const PARTS: [Part; 5] = [
    Part::Tag(Repository::R),
    Part::Tag(Repository::S),
    Part::Links(Repository::R),
    Part::Links(Repository::S),
    Part::Blobs,
];

impl Collector {
    /// The parts that may be read next.
    pub(crate) fn unread(&self) -> impl Iterator<Item = usize> {
        (0..PARTS.len()).filter(|index| self.read & (1 << index) == 0)
    }

    pub(crate) fn read(&mut self, index: usize, store: &Store, protocol: Protocol) {
        match PARTS[index] {
            Part::Tag(repository) => self.seen.set_tag(repository, store.tag(repository)),
            Part::Links(repository) => {
                self.copy(store, Item::ALL.map(|item| Object::Link(repository, item)));
            }
            Part::Blobs => self.copy(store, Item::ALL.map(Object::Blob)),
        }
        self.read |= 1 << index;
        if self.unread().next().is_none() {
            self.candidates = Some(self.mark(protocol));
        }
    }

    fn copy(&mut self, store: &Store, objects: [Object; 3]) {
        objects
            .into_iter()
            .filter(|object| store.has(*object))
            .for_each(|object| self.seen.put(object));
    }

    /// All that was seen and no tag needs: manifests before what they refer to, links before bytes.
    fn mark(&self, protocol: Protocol) -> Vec<Object> {
        let mut live = Store::default();
        for repository in Repository::ALL {
            for item in self.seen.tag(repository).into_iter().flat_map(Item::closure) {
                live.put(Object::Link(repository, item));
                live.put(Object::Blob(item));
            }
        }
        let mut manifests = vec![Item::Index, Item::Manifest];
        if !protocol.has(Rule::ParentsFirst) {
            manifests.reverse();
        }
        let links = |item: Item| Repository::ALL.map(|repository| Object::Link(repository, item));
        let order = manifests.into_iter().chain([Item::Layer]).flat_map(links);
        let order = order.chain(Item::ALL.map(Object::Blob));
        let dead = order.filter(|object| self.seen.has(*object) && !live.has(*object));
        let mut dead: Vec<_> = dead.collect();
        dead.reverse();
        dead
    }

    /// What it asks to be deleted now.
    pub(crate) fn next(&self) -> Option<Object> {
        self.candidates.as_ref()?.last().copied()
    }

    /// Takes the answer.
    pub(crate) fn answered(&mut self, is_kept: bool, protocol: Protocol) {
        let Some(candidates) = &mut self.candidates else { return };
        let asked = candidates.pop();
        if let (Some(Object::Link(repository, item)), true) = (asked, is_kept)
            && protocol.has(Rule::WhatIsKeptIsARoot)
        {
            let kept: Vec<_> = item.closure().collect();
            candidates.retain(|candidate| match candidate {
                Object::Link(of, item) => *of != repository || !kept.contains(item),
                Object::Blob(item) => !kept.contains(item),
            });
        }
    }
}
