//! What manifests refer to, by number: read from the store once, and never again as long as the cache has it.

use std::collections::HashMap;

use bytes::Bytes;
use oci::{Digest, Referred};
use storage::{Bulk, Error, Item};

use super::{
    note::told,
    snapshot::{Link, Snapshot},
};
use crate::digests::{DigestId, DigestMap, DigestSet};

/// More than any manifest that a registry accepts.
const MANIFEST_BYTES: usize = 16 * 1024 * 1024;
/// How many manifests are asked for at once.
const BATCH: usize = 4096;

/// What is known of manifests.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Where what is known of a manifest stands.
    places: DigestMap<u32>,
    manifests: Vec<(DigestId, Known)>,
    /// Children, then blobs, of one manifest after the other.
    referred: Vec<DigestId>,
    /// How many were read from the store.
    pub(crate) read: u64,
    /// How many bytes a blob has, where that was asked for once.
    sizes: DigestMap<u64>,
    /// Why manifests are not understood.
    pub(crate) reasons: HashMap<DigestId, String>,
}

/// What is known of a manifest.
#[derive(Clone, Copy, Debug)]
enum Known {
    Refers(Span),
    Missing,
    Broken,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    children: u32,
    blobs: u32,
    subject: Option<DigestId>,
    is_index: bool,
}

/// What a manifest is found to refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manifest<'a> {
    Refers {
        children: &'a [DigestId],
        blobs: &'a [DigestId],
        subject: Option<DigestId>,
        is_index: bool,
    },
    /// Its bytes are not there.
    Missing,
    /// It is not understood, or nobody has looked.
    Broken,
}

/// How a manifest's bytes were found.
enum Read {
    Understood(Referred),
    Missing,
    Broken(String),
}

impl References {
    /// What a manifest refers to.
    pub(crate) fn of(&self, id: DigestId) -> Manifest<'_> {
        match self.known(id) {
            Some(Known::Refers(span)) => {
                let children = span.start as usize;
                let blobs = children + span.children as usize;
                let end = blobs + span.blobs as usize;
                Manifest::Refers {
                    children: &self.referred[children..blobs],
                    blobs: &self.referred[blobs..end],
                    subject: span.subject,
                    is_index: span.is_index,
                }
            }
            Some(Known::Missing) => Manifest::Missing,
            Some(Known::Broken) | None => Manifest::Broken,
        }
    }

    /// The manifests that were understood, with what they refer to.
    pub(crate) fn understood(&self) -> impl Iterator<Item = (DigestId, Manifest<'_>)> {
        let understood =
            self.manifests.iter().filter(|(_, known)| matches!(known, Known::Refers(_)));
        understood.map(|(id, _)| (*id, self.of(*id)))
    }

    fn known(&self, id: DigestId) -> Option<Known> {
        self.places.get(id).map(|place| self.manifests[place as usize].1)
    }

    fn put(&mut self, id: DigestId, known: Known) {
        match self.places.get(id) {
            Some(place) => self.manifests[place as usize].1 = known,
            None => {
                let place = u32::try_from(self.manifests.len())
                    .expect("four billion manifests are more than memory");
                self.places.insert(id, place);
                self.manifests.push((id, known));
            }
        }
    }

    /// Manifests, and all that they refer to, each once.
    pub(crate) fn reached(&self, from: impl IntoIterator<Item = DigestId>) -> Vec<DigestId> {
        let mut seen = DigestSet::default();
        let mut left: Vec<DigestId> = from.into_iter().filter(|id| seen.insert(*id)).collect();
        let mut found = left.clone();
        while let Some(id) = left.pop() {
            let Manifest::Refers { children, blobs, .. } = self.of(id) else { continue };
            for &child in children {
                if seen.insert(child) {
                    left.push(child);
                    found.push(child);
                }
            }
            found.extend(blobs.iter().copied().filter(|&blob| seen.insert(blob)));
        }
        found
    }

    /// How many bytes a blob has, if that is known.
    pub(crate) fn size(&self, blob: DigestId) -> Option<u64> {
        self.sizes.get(blob)
    }

    /// Remembers how many bytes blobs have.
    pub(crate) fn learn(&mut self, snapshot: &Snapshot, blobs: &[Digest], sizes: &[Option<u64>]) {
        let ids = blobs.iter().map(|blob| snapshot.digests.find(blob));
        self.sizes = ids.zip(sizes).filter_map(|(id, size)| id.zip(*size)).collect();
    }

    fn is_known(&self, id: DigestId) -> bool {
        self.places.get(id).is_some()
    }

    /// Remembers what a manifest refers to.
    pub(crate) fn add(&mut self, snapshot: &mut Snapshot, id: DigestId, referred: &Referred) {
        let Referred { children, blobs, subject, is_index } = referred;
        let digests = &mut snapshot.digests;
        let subject = subject.as_ref().map(|subject| digests.number(subject));
        let referred = children.iter().chain(blobs).map(|digest| digests.number(digest));
        self.add_numbers(id, referred, children.len(), subject, *is_index);
    }

    /// Remembers what a manifest refers to: so many children, and blobs after them.
    pub(crate) fn add_numbers(
        &mut self,
        id: DigestId,
        referred: impl Iterator<Item = DigestId>,
        children: usize,
        subject: Option<DigestId>,
        is_index: bool,
    ) {
        let start = self.referred.len();
        self.referred.extend(referred);
        let blobs = self.referred.len() - start - children;
        let number = |count: usize| {
            u32::try_from(count).expect("four billion references are more than memory")
        };
        let [start, children, blobs] = [start, children, blobs].map(number);
        self.put(id, Known::Refers(Span { start, children, blobs, subject, is_index }));
    }

    /// The sizes that are known.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (DigestId, u64)> {
        self.sizes.iter()
    }

    /// Remembers a size.
    pub(crate) fn add_size(&mut self, id: DigestId, size: u64) {
        self.sizes.insert(id, size);
    }

    /// Remembers that a manifest is not there.
    pub(crate) fn add_missing(&mut self, id: DigestId) {
        self.put(id, Known::Missing);
    }

    /// Remembers that a manifest is not understood.
    pub(crate) fn add_broken(&mut self, id: DigestId, reason: String) {
        self.put(id, Known::Broken);
        self.reasons.insert(id, reason);
    }
}

/// Finds out what every manifest refers to that a link, a tag or an index leads to.
///
/// Bytes that are there are read unless it is known already what they refer to; `read` counts those.
pub(crate) async fn gather<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    references: &mut References,
    mut read: impl FnMut(u64),
) -> Result<(), Error> {
    let mut wanted = first(snapshot);
    while !wanted.is_empty() {
        let mut unknown: Vec<_> =
            wanted.iter().copied().filter(|&id| !references.is_known(id)).collect();
        // Neighbours in the store are read one after the other.
        unknown.sort_by_cached_key(|&id| snapshot.digests.digest(id));
        for some in unknown.chunks(BATCH) {
            read_some(store, snapshot, some, references).await?;
            references.read += some.len() as u64;
            read(some.len() as u64);
        }
        wanted = next(references, &wanted);
    }
    Ok(())
}

/// The manifests that links name, each once.
fn first(snapshot: &Snapshot) -> Vec<DigestId> {
    let mut seen = DigestSet::default();
    let repositories = snapshot.repositories.iter();
    let named = repositories.flat_map(|repository| {
        let tags = repository.tags.iter().filter_map(|tag| match tag.link {
            Link::Holds(id) => Some(id),
            Link::Unread | Link::Absent | Link::Unreadable => None,
        });
        let there = repository.revisions.iter().filter(|revision| revision.is_there());
        tags.chain(there.map(|revision| revision.canonical()))
    });
    named.filter(|&id| seen.insert(id)).collect()
}

/// The manifests of indexes that nobody has looked at.
fn next(references: &References, found: &[DigestId]) -> Vec<DigestId> {
    let mut seen = DigestSet::default();
    let mut children = Vec::new();
    for &id in found {
        let Manifest::Refers { children: named, .. } = references.of(id) else { continue };
        children.extend(named.iter().filter(|&&id| !references.is_known(id) && seen.insert(id)));
    }
    children
}

async fn read_some<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    some: &[DigestId],
    references: &mut References,
) -> Result<(), Error> {
    let items = some.iter().map(|&id| Item::Blob(snapshot.digests.digest(id))).collect();
    let found = store.read(items, MANIFEST_BYTES, |_, bytes| understand(bytes)).await?;
    for (&id, found) in some.iter().zip(found) {
        match found {
            Read::Understood(referred) => references.add(snapshot, id, &referred),
            Read::Missing => references.add_missing(id),
            Read::Broken(reason) => references.add_broken(id, reason),
        }
    }
    Ok(())
}

fn understand(bytes: Result<Bytes, Error>) -> Read {
    match bytes {
        Ok(bytes) => match Referred::from_stored(&bytes) {
            Ok(referred) => Read::Understood(referred),
            Err(error) => Read::Broken(error.to_string()),
        },
        Err(error) if error.is_not_found() => Read::Missing,
        Err(error) => Read::Broken(told(&error)),
    }
}
