//! What takes the space of a store: by project, by repository or by tag, and what a collection would free.

use std::collections::BTreeMap;

use oci::Digest;
use serde::Serialize;
use storage::{Bulk, Error};

use super::{
    linked::{self, Absent},
    mark::{Beside, Rules, Untagged},
    plan::Empty,
    progress::{Phase, Progress},
    references::References,
    snapshot::{Link, Repository, Snapshot},
    survey,
    tagged::Remembered,
};
use crate::{
    config::Quota,
    digests::{DigestId, DigestSet},
    quota::{Count, Fill},
};

/// What the space is told by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// The first components of the names, so many.
    Project(usize),
    /// Each repository.
    Repository,
    /// Each tag.
    Tag,
}

/// What takes space.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// The largest first.
    pub rows: Vec<Row>,
    /// Bytes of all blobs.
    pub stored: u64,
    /// Bytes that a collection would free.
    pub freed: u64,
    /// Bytes that a collection with `-m` would free.
    pub freed_with_untagged: u64,
    /// What could not be read: its bytes are not counted.
    pub notes: u64,
    /// How far quotas are used.
    pub quotas: Vec<Fill>,
}

/// A project, a repository or a tag.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Bytes of all that it holds, each blob once.
    pub logical: u64,
    /// Those that nothing else of the list holds.
    pub unique: u64,
    /// Those that others hold as well.
    pub shared: u64,
    /// Those that only manifests without a tag hold; a tag has none.
    pub untagged: u64,
}

/// What one row holds.
#[derive(Default)]
struct Held {
    all: Vec<DigestId>,
    by_tags: DigestSet,
}

/// Tells what takes the space of a store.
pub(super) async fn read<S: Bulk>(
    store: &S,
    by: By,
    remembered: Remembered<'_>,
    count: Count,
    watch: &mut dyn FnMut(Progress),
) -> Result<Usage, Error> {
    let mut snapshot = survey::list(store, &mut *watch).await?;
    let references =
        survey::read(store, &mut snapshot, &remembered.cache(store), &mut *watch).await?;
    watch(Progress::Begun(Phase::Sizes, Some(snapshot.blobs.len() as u64)));
    let sizes = sizes(store, &snapshot, &references, watch).await?;
    let freed = would_free(store, &mut snapshot, &references, &sizes, Untagged::Keep).await?;
    let more = would_free(store, &mut snapshot, &references, &sizes, Untagged::Remove).await?;
    let is_whole = !snapshot.is_blind && !snapshot.hides_blobs;
    let absent = linked::absent(store, &snapshot, &references, |name| count.is_for(name)).await?;
    let quotas = count.end(is_whole, |quota| held_for(quota, (&snapshot, &absent), &sizes));
    Ok(Usage {
        rows: rows(&snapshot, &references, &sizes, by),
        stored: snapshot.blobs.iter().map(|id| size(&sizes, *id)).sum(),
        freed,
        freed_with_untagged: more,
        notes: snapshot.notes.keeping(),
        quotas,
    })
}

/// What the repositories of a quota have links to, as far as it is there.
fn held_for(
    quota: &Quota,
    (snapshot, absent): (&Snapshot, &Absent),
    sizes: &Sizes,
) -> Vec<(Digest, u64)> {
    let numbered = snapshot.repositories.iter().enumerate();
    let held = numbered.filter(|(_, it)| quota.is_for(it.name.as_str()));
    let ids = held.flat_map(|it| linked::layers(it, absent).chain(linked::revisions(it.1)));
    let (mut seen, mut held) = (DigestSet::default(), Vec::new());
    for id in ids.filter(|id| seen.insert(*id)) {
        let size = sizes.get(&id).map(|size| (snapshot.digests.digest(id), *size));
        held.extend(size);
    }
    held
}

/// Bytes of blobs.
type Sizes = BTreeMap<DigestId, u64>;

fn size(sizes: &Sizes, id: DigestId) -> u64 {
    sizes.get(&id).copied().unwrap_or(0)
}

async fn sizes<S: Bulk>(
    store: &S,
    snapshot: &Snapshot,
    references: &References,
    watch: &mut dyn FnMut(Progress),
) -> Result<Sizes, Error> {
    let blobs: Vec<_> = snapshot.blobs.iter().map(|id| snapshot.digests.digest(*id)).collect();
    let known = blobs.iter().map(|blob| survey::size(snapshot, references, blob)).collect();
    let sizes = survey::measure(store, &blobs, known, watch).await?;
    // One that is gone by now, or that nobody may look at, has no size that could be told.
    Ok(snapshot
        .blobs
        .iter()
        .copied()
        .zip(sizes.into_iter().map(Option::unwrap_or_default))
        .collect())
}

/// Bytes that a collection would free while nobody serves.
async fn would_free<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    references: &References,
    sizes: &Sizes,
    untagged: Untagged,
) -> Result<u64, Error> {
    let rules = Rules {
        untagged,
        empty: Empty::Keep,
        beside: Beside::Nobody,
        grace: None,
        leased: &|_| false,
    };
    let plan = survey::decide(store, snapshot, references, rules).await?;
    let gone = plan.blobs.iter().filter_map(|digest| snapshot.digests.find(digest));
    Ok(gone.map(|id| size(sizes, id)).sum())
}

fn rows(snapshot: &Snapshot, references: &References, sizes: &Sizes, by: By) -> Vec<Row> {
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for repository in &snapshot.repositories {
        match by {
            By::Project(depth) => {
                let parts: Vec<&str> = repository.name.components().take(depth.max(1)).collect();
                hold(held.entry(parts.join("/")).or_default(), repository, references);
            }
            By::Repository => {
                let name = repository.name.to_string();
                hold(held.entry(name).or_default(), repository, references);
            }
            By::Tag => {
                for tag in &repository.tags {
                    let Link::Holds(id) = tag.link else { continue };
                    let all = references.reached([id]);
                    let name = format!("{}:{}", repository.name, tag.tag);
                    let by_tags = all.iter().copied().collect();
                    held.insert(name, Held { all, by_tags });
                }
            }
        }
    }
    let mut owners: BTreeMap<DigestId, u32> = BTreeMap::new();
    for held in held.values_mut() {
        held.all.sort_unstable();
        held.all.dedup();
        for id in &held.all {
            *owners.entry(*id).or_default() += 1;
        }
    }
    let mut rows: Vec<Row> = held
        .into_iter()
        .map(|(name, held)| row(name, &held, sizes, &owners))
        .filter(|row| row.logical > 0)
        .collect();
    rows.sort_by(|one, other| other.logical.cmp(&one.logical).then(one.name.cmp(&other.name)));
    rows
}

fn hold(held: &mut Held, repository: &Repository, references: &References) {
    let there = repository.revisions.iter().filter(|it| it.is_there());
    held.all.extend(references.reached(there.map(|it| it.canonical())));
    let tags = repository.tags.iter().filter_map(|tag| match tag.link {
        Link::Holds(id) => Some(id),
        Link::Unread | Link::Absent | Link::Unreadable => None,
    });
    for id in references.reached(tags) {
        held.by_tags.insert(id);
    }
}

fn row(name: String, held: &Held, sizes: &Sizes, owners: &BTreeMap<DigestId, u32>) -> Row {
    let mut row = Row { name, ..Row::default() };
    for id in &held.all {
        let size = size(sizes, *id);
        row.logical += size;
        match owners.get(id) {
            Some(1) => row.unique += size,
            _ => row.shared += size,
        }
        if !held.by_tags.contains(*id) {
            row.untagged += size;
        }
    }
    row
}
