//! What manifests need, as far as their bytes are what their names say.

use std::collections::HashMap;

use bytes::Bytes;
use oci::{Digest, Manifest as Document, Referred, Role};
use storage::{Bulk, Error, Item};

use super::{
    Stop,
    inventory::{Inventory, Link},
    progress::{Phase, Progress},
};
use crate::{config::Children, digests::DigestId, log::told};

/// More than any manifest that a registry accepts.
const MANIFEST_BYTES: usize = 16 * 1024 * 1024;

/// How many manifests are asked for at once.
const BATCH: usize = 1024;

/// A manifest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Manifest {
    Needs {
        blobs: Vec<Need>,
        children: Vec<DigestId>,
    },
    /// Its bytes are not there.
    Missing,
    /// Its bytes are not what its name says.
    Corrupt,
    /// Its bytes are right, and nobody understands them.
    Strange(String),
    /// It cannot be read, and why.
    Unread(String),
}

/// A blob that a manifest needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Need {
    pub(super) blob: DigestId,
    /// What the manifest says; none where it says nothing.
    pub(super) size: Option<u64>,
    /// Whether it is known to have no other place than the registry.
    pub(super) is_own: bool,
}

pub(super) type Manifests = HashMap<DigestId, Manifest>;

/// What was made of the bytes.
enum Read {
    Known { blobs: Vec<(Digest, Option<u64>, bool)>, children: Vec<Digest>, bytes: u64 },
    Bad(Manifest),
}

/// Reads every manifest that a link, a tag or an index leads to.
pub(super) async fn read<S: Bulk>(
    store: &S,
    inventory: &mut Inventory,
    children: &Children,
    stop: Stop<'_>,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<Manifests, super::Error> {
    watch(Progress::Begun(Phase::Manifests, None));
    let mut manifests = Manifests::new();
    let mut wanted = first(inventory);
    while !wanted.is_empty() {
        let mut next = Vec::new();
        for some in wanted.chunks(BATCH) {
            stop.check()?;
            let mut total = 0;
            for (id, read) in some.iter().zip(read_some(store, inventory, some, children).await?) {
                let manifest = match read {
                    Read::Bad(manifest) => manifest,
                    Read::Known { blobs, children, bytes } => {
                        total += bytes;
                        let mut number = |digest: &Digest| inventory.digests.number(digest);
                        let blobs = blobs.iter().map(|(digest, size, is_own)| Need {
                            blob: number(digest),
                            size: *size,
                            is_own: *is_own,
                        });
                        let blobs = blobs.collect();
                        let children: Vec<_> = children.iter().map(number).collect();
                        next.extend(&children);
                        Manifest::Needs { blobs, children }
                    }
                };
                manifests.insert(*id, manifest);
            }
            watch(Progress::Advanced { objects: some.len() as u64, bytes: total });
        }
        next.sort_unstable();
        next.dedup();
        next.retain(|id| !manifests.contains_key(id));
        wanted = next;
    }
    Ok(manifests)
}

/// The manifests that links name, each once, neighbours in the store one after the other.
fn first(inventory: &Inventory) -> Vec<DigestId> {
    let mut named: Vec<DigestId> = Vec::new();
    for repository in inventory.repositories.values() {
        for (id, link) in &repository.revisions {
            match link {
                Link::Holds(canonical) => named.push(*canonical),
                // Its path says what it should hold.
                Link::Bad(_) => named.push(*id),
                Link::Absent | Link::Unread(_) => {}
            }
        }
        named.extend(repository.tags.values().filter_map(|link| match link {
            Link::Holds(id) | Link::Bad(Some(id)) => Some(*id),
            Link::Absent | Link::Bad(None) | Link::Unread(_) => None,
        }));
    }
    named.sort_by_cached_key(|id| inventory.digests.digest(*id));
    named.dedup();
    named
}

async fn read_some<S: Bulk>(
    store: &S,
    inventory: &Inventory,
    some: &[DigestId],
    children: &Children,
) -> Result<Vec<Read>, Error> {
    let children = children.clone();
    let items = some.iter().map(|id| Item::Blob(inventory.digests.digest(*id))).collect();
    store.read(items, MANIFEST_BYTES, move |item, bytes| understand(item, bytes, &children)).await
}

fn understand(item: &Item, bytes: Result<Bytes, Error>, wanted: &Children) -> Read {
    let (Item::Blob(digest), bytes) = (item, bytes) else {
        return Read::Bad(Manifest::Missing);
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Read::Bad(Manifest::Missing),
        Err(error) => return Read::Bad(Manifest::Unread(told(&error))),
    };
    if Digest::of(digest.algorithm(), &bytes) != *digest {
        return Read::Bad(Manifest::Corrupt);
    }
    let length = bytes.len() as u64;
    let known = |blobs, children| Read::Known { blobs, children, bytes: length };
    match Document::from_stored(&bytes) {
        Ok(document) => {
            let (mut blobs, mut children) = (Vec::new(), Vec::new());
            for (role, it) in document.references() {
                match role {
                    Role::Child if wanted.include(it.platform.as_ref()) => children.push(it.digest),
                    Role::Child => {}
                    // Clients may fetch it from where its URLs say.
                    _ if !it.urls.is_empty() => {}
                    _ => blobs.push((it.digest, (it.size > 0).then_some(it.size), true)),
                }
            }
            known(blobs, children)
        }
        // Kinds that nobody pushes any more.
        Err(error) => match Referred::from_stored(&bytes) {
            Ok(Referred { blobs, .. }) => {
                known(blobs.into_iter().map(|blob| (blob, None, false)).collect(), Vec::new())
            }
            Err(_) => Read::Bad(Manifest::Strange(error.to_string())),
        },
    }
}
