//! From a store to a plan: lists, reads what decides something, and marks.

use std::time::SystemTime;

use oci::Digest;
use storage::{Bulk, Error, Item};

use super::{
    Options,
    cache::Cache,
    leads::Leads,
    linked::Linked,
    links,
    mark::{Age, Aged, Ages, Beside, Marked, Rules, mark},
    note::{Note, told},
    plan::Plan,
    progress::{Phase, Progress},
    references::{self, References},
    snapshot::Snapshot,
};

/// How much is asked for at once.
pub(super) const BATCH: usize = 8192;

/// Plans a collection.
///
/// # Errors
/// The store cannot be listed at all, or has blobs and no repositories. Parts of it that cannot be listed are in the plan's notes.
pub(crate) async fn plan<S: Bulk>(
    store: &S,
    options: &Options,
    leased: &(dyn Fn(&Digest) -> bool + Sync),
    watch: &mut dyn FnMut(Progress),
) -> Result<Plan, super::Error> {
    let begun = SystemTime::now();
    let cache = Cache::of(options.cache.as_deref(), store.identity());
    let mut snapshot = list(store, watch).await?;
    let blobs = snapshot.blobs.len();
    if blobs > 0 && snapshot.repositories.is_empty() && !store.has_repositories() {
        return Err(super::Error::NoRepositories(blobs));
    }
    let mut references = read(store, &mut snapshot, &cache, watch).await?;
    watch(Progress::Begun(Phase::Marking, None));
    let grace = options.grace.map(|grace| (begun, grace));
    let Options { untagged, empty, beside, .. } = *options;
    let rules = Rules { untagged, empty, beside, grace, leased };
    let mut plan = decide(store, &mut snapshot, &references, rules).await?;
    if beside == Beside::Registry {
        plan.leads = Leads::of(&plan, &snapshot, &references);
    }
    let known =
        plan.blobs.iter().map(|blob| size(&snapshot, &references, blob)).collect::<Vec<_>>();
    let unknown = known.iter().filter(|size| size.is_none()).count();
    watch(Progress::Begun(Phase::Sizes, Some(unknown as u64)));
    let sizes = measure(store, &plan.blobs, known, watch).await?;
    // One that is gone, or that nobody may look at, frees nothing that could be told.
    plan.sizes = sizes.iter().map(|size| size.unwrap_or(0)).collect();
    if references.read > 0 || unknown > 0 {
        references.learn(&snapshot, &plan.blobs, &sizes);
        cache.remember(&snapshot, &references);
    }
    plan.linked = Linked::of(store, &mut snapshot, &references, &options.quotas).await?;
    Ok(plan)
}

/// How many bytes a blob has, if somebody has said it.
pub(super) fn size(snapshot: &Snapshot, references: &References, blob: &Digest) -> Option<u64> {
    let id = snapshot.digests.find(blob)?;
    snapshot.sizes.get(&id).copied().or_else(|| references.size(id))
}

/// Reads what decides something in a store that was listed: its links, and its manifests where the cache does not know them.
pub(super) async fn read<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    cache: &Cache,
    watch: &mut dyn FnMut(Progress),
) -> Result<References, Error> {
    watch(Progress::Begun(Phase::Links, None));
    let mut references = References::default();
    links::read(store, snapshot, |snapshot| cache.load(snapshot, &mut references)).await?;
    watch(Progress::Begun(Phase::Manifests, None));
    let read = |count| watch(Progress::Advanced(count));
    references::gather(store, snapshot, &mut references, read).await?;
    Ok(references)
}

pub(super) async fn list<S: Bulk>(
    store: &S,
    watch: &mut dyn FnMut(Progress),
) -> Result<Snapshot, Error> {
    watch(Progress::Begun(Phase::Listing, None));
    let mut snapshot = Snapshot::default();
    let mut survey = store.survey();
    while let Some(page) = survey.next().await? {
        watch(Progress::Advanced(page.len() as u64));
        snapshot.add(page);
    }
    Ok(snapshot)
}

/// Marks, and asks for ages as long as they decide something.
pub(super) async fn decide<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    references: &References,
    rules: Rules<'_>,
) -> Result<Plan, Error> {
    let mut ages = Ages::new();
    loop {
        let asked = match mark(snapshot, references, rules, &ages) {
            Marked::Plan(plan) => return Ok(*plan),
            Marked::Asks(asked) => asked,
        };
        for some in asked.chunks(BATCH) {
            let items = some.iter().map(|aged| item(snapshot, *aged)).collect();
            for (aged, stat) in some.iter().zip(store.stat(items).await?) {
                let age = match stat {
                    Ok(stat) => Age::Since(stat.modified),
                    Err(error) if error.is_not_found() => Age::Gone,
                    Err(error) => {
                        snapshot.notes.add(Note::Age { error: told(&error) });
                        Age::Unknown
                    }
                };
                ages.insert(*aged, age);
            }
        }
    }
}

fn item(snapshot: &Snapshot, aged: Aged) -> Item {
    let name = |number: usize| snapshot.repositories[number].name.clone();
    match aged {
        Aged::Revision(number, id) => Item::Revision(name(number), snapshot.digests.digest(id)),
        Aged::Layer(number, id) => Item::Layer(name(number), snapshot.digests.digest(id)),
        Aged::Blob(id) => Item::Blob(snapshot.digests.digest(id)),
    }
}

/// Asks how many bytes go, where that is not known.
pub(super) async fn measure<S: Bulk>(
    store: &S,
    blobs: &[Digest],
    known: Vec<Option<u64>>,
    watch: &mut dyn FnMut(Progress),
) -> Result<Vec<Option<u64>>, Error> {
    let asked = blobs.iter().zip(&known).filter(|(_, size)| size.is_none());
    let asked: Vec<_> = asked.map(|(blob, _)| *blob).collect();
    let mut found = Vec::with_capacity(asked.len());
    for some in asked.chunks(BATCH) {
        let stats = store.stat(some.iter().copied().map(Item::Blob).collect()).await?;
        found.extend(stats.into_iter().map(|stat| stat.ok().map(|stat| stat.size)));
        watch(Progress::Advanced(some.len() as u64));
    }
    let mut found = found.into_iter();
    Ok(known.into_iter().map(|size| size.or_else(|| found.next().flatten())).collect())
}
