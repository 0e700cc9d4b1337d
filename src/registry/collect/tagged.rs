//! The tags of repositories: what each leads to, when it was pushed, and when its images were made.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    time::SystemTime,
};

use bytes::Bytes;
use oci::{Digest, RepositoryName, Tag};
use serde::Deserialize;
use storage::{Bulk, Error, Item};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    cache::Cache,
    mark::{Beside, Rules, Untagged},
    plan::Empty,
    progress::{Phase, Progress},
    references::{Manifest, References},
    snapshot::{Link, Repository as Stored, Snapshot},
    survey,
};
use crate::digests::{DigestId, DigestSet};

/// How much is asked for at once.
const BATCH: usize = 8192;

/// More than any configuration of an image; what is longer has no date.
const CONFIG_BYTES: usize = 4 * 1024 * 1024;

/// A store's tags.
#[derive(Debug)]
pub struct Inventory {
    snapshot: Snapshot,
    references: References,
    repositories: Vec<Repository>,
}

/// A repository with its tags.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The repository.
    pub name: RepositoryName,
    /// Its tags, sorted.
    pub tags: Vec<Tagged>,
    /// Whether there may be tags that could not be listed.
    pub is_partial: bool,
}

/// A tag.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// The tag.
    pub tag: Tag,
    /// What it points to; why that is not known.
    pub target: Result<Target, String>,
    /// When it was pushed, as far as the store knows.
    pub pushed: Option<OffsetDateTime>,
}

/// A manifest that a tag points to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its digest.
    pub digest: Digest,
    /// The manifest, and the manifests of an index with theirs; none where one of them is not understood.
    pub leads_to: Option<Vec<Digest>>,
    /// What the images say of when they were made.
    pub created: Vec<OffsetDateTime>,
}

/// What is known of manifests from earlier.
#[derive(Clone, Copy, Debug)]
pub enum Remembered<'a> {
    /// Nothing.
    Nothing,
    /// The collector's cache is read.
    Read(&'a Path),
    /// And what is new is added to it: nobody else works on the store.
    Kept(&'a Path),
}

impl Remembered<'_> {
    pub(super) fn cache<S: Bulk>(self, store: &S) -> Cache {
        match self {
            Self::Nothing => Cache::default(),
            Self::Read(path) | Self::Kept(path) => Cache::of(Some(path), store.identity()),
        }
    }
}

/// What of a configuration decides something.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    created: Option<serde_json::Value>,
}

impl Inventory {
    /// The repositories that were wanted, sorted.
    #[must_use]
    pub fn repositories(&self) -> &[Repository] {
        &self.repositories
    }
}

/// Reads the tags of the repositories that are wanted.
pub(super) async fn read<S: Bulk>(
    store: &S,
    wanted: &(dyn Fn(&RepositoryName) -> bool + Sync),
    remembered: Remembered<'_>,
    watch: &mut dyn FnMut(Progress),
) -> Result<Inventory, Error> {
    let mut snapshot = survey::list(store, &mut *watch).await?;
    let partial: HashSet<RepositoryName> =
        snapshot.repositories.iter().filter(|it| it.doubt).map(|it| it.name.clone()).collect();
    let cache = remembered.cache(store);
    let references = survey::read(store, &mut snapshot, &cache, &mut *watch).await?;
    if references.read > 0 && matches!(remembered, Remembered::Kept(_)) {
        cache.remember(&snapshot, &references);
    }
    watch(Progress::Begun(Phase::Dates, None));
    let mut chosen: Vec<&Stored> =
        snapshot.repositories.iter().filter(|it| !it.tags.is_empty() && wanted(&it.name)).collect();
    chosen.sort_unstable_by_key(|it| &it.name);
    let dates = dates(store, &snapshot, &references, &chosen).await?;
    let mut repositories = Vec::with_capacity(chosen.len());
    for stored in chosen {
        let pushed = pushed(store, stored).await?;
        let revisions: DigestSet =
            stored.revisions.iter().filter(|it| it.is_there()).map(|it| it.id).collect();
        let mut tags: Vec<Tagged> = stored
            .tags
            .iter()
            .zip(pushed)
            .map(|(tag, pushed)| Tagged {
                tag: tag.tag.clone(),
                target: target(&snapshot, &references, (&revisions, &dates), tag.link),
                pushed,
            })
            .collect();
        tags.sort_unstable_by(|one, other| one.tag.cmp(&other.tag));
        let is_partial = partial.contains(&stored.name);
        repositories.push(Repository { name: stored.name.clone(), tags, is_partial });
    }
    Ok(Inventory { snapshot, references, repositories })
}

/// When the images were made, by their manifests.
type Dates = BTreeMap<DigestId, OffsetDateTime>;

async fn dates<S: Bulk>(
    store: &S,
    snapshot: &Snapshot,
    references: &References,
    chosen: &[&Stored],
) -> Result<Dates, Error> {
    let mut configs: BTreeMap<DigestId, Vec<DigestId>> = BTreeMap::new();
    let mut seen = DigestSet::default();
    for tag in chosen.iter().flat_map(|it| &it.tags) {
        let Link::Holds(id) = tag.link else { continue };
        for id in closure(references, id).0 {
            if !seen.insert(id) {
                continue;
            }
            let Manifest::Refers { blobs, is_index: false, .. } = references.of(id) else {
                continue;
            };
            // The configuration is the first one; what is none has no date.
            if let Some(config) = blobs.first().filter(|config| snapshot.is_blob.contains(**config))
            {
                configs.entry(*config).or_default().push(id);
            }
        }
    }
    let asked: Vec<(DigestId, Vec<DigestId>)> = configs.into_iter().collect();
    let mut dates = Dates::new();
    for some in asked.chunks(BATCH) {
        let items = some.iter().map(|(config, _)| Item::Blob(snapshot.digests.digest(*config)));
        let created = store.read(items.collect(), CONFIG_BYTES, |_, bytes| created(bytes)).await?;
        for ((_, images), created) in some.iter().zip(created) {
            dates.extend(created.iter().flat_map(|at| images.iter().map(|image| (*image, *at))));
        }
    }
    Ok(dates)
}

fn created(bytes: Result<Bytes, Error>) -> Option<OffsetDateTime> {
    let config: Config = serde_json::from_slice(&bytes.ok()?).ok()?;
    OffsetDateTime::parse(config.created?.as_str()?, &Rfc3339).ok()
}

async fn pushed<S: Bulk>(store: &S, stored: &Stored) -> Result<Vec<Option<OffsetDateTime>>, Error> {
    let mut pushed = Vec::with_capacity(stored.tags.len());
    for some in stored.tags.chunks(BATCH) {
        let items = some.iter().map(|it| Item::Tag(stored.name.clone(), it.tag.clone())).collect();
        let stats = store.stat(items).await?.into_iter();
        pushed.extend(stats.map(|stat| stat.ok().and_then(|stat| date(stat.modified))));
    }
    Ok(pushed)
}

/// A file's time, if it is a date: some filesystems keep years that no calendar has.
fn date(time: SystemTime) -> Option<OffsetDateTime> {
    let age = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(age.as_nanos().try_into().ok()?).ok()
}

/// A manifest and all that are below it, each once, and whether they are all understood.
fn closure(references: &References, id: DigestId) -> (BTreeSet<DigestId>, bool) {
    let (mut found, mut left, mut is_clear) = (BTreeSet::from([id]), vec![id], true);
    while let Some(id) = left.pop() {
        match references.of(id) {
            Manifest::Refers { children, .. } => {
                left.extend(children.iter().copied().filter(|&child| found.insert(child)));
            }
            // A platform that nobody pushed leads to nothing.
            Manifest::Missing => {}
            Manifest::Broken => is_clear = false,
        }
    }
    (found, is_clear)
}

fn target(
    snapshot: &Snapshot,
    references: &References,
    (revisions, dates): (&DigestSet, &Dates),
    link: Link,
) -> Result<Target, String> {
    let id = match link {
        Link::Holds(id) => id,
        Link::Absent => return Err("the tag has no link".to_owned()),
        Link::Unreadable | Link::Unread => return Err("its link holds no digest".to_owned()),
    };
    if !revisions.contains(id) {
        return Err("the manifest is not in the repository".to_owned());
    }
    if matches!(references.of(id), Manifest::Missing) {
        return Err("the bytes of the manifest are not there".to_owned());
    }
    let (found, is_clear) = closure(references, id);
    let created = found.iter().filter_map(|id| dates.get(id).copied()).collect();
    let leads_to = is_clear.then(|| found.iter().map(|&id| snapshot.digests.digest(id)).collect());
    Ok(Target { digest: snapshot.digests.digest(id), leads_to, created })
}

/// How many bytes a collection with `-m` would free if these tags were gone, and nobody served the store.
pub(super) async fn freed<S: Bulk>(
    store: &S,
    inventory: Inventory,
    gone: &HashSet<(RepositoryName, Tag)>,
) -> Result<u64, Error> {
    let Inventory { mut snapshot, references, .. } = inventory;
    for repository in &mut snapshot.repositories {
        let name = repository.name.clone();
        let stays = |tag: &Tag| !gone.contains(&(name.clone(), tag.clone()));
        repository.tags.retain(|it| stays(&it.tag));
        repository.history.retain(|(tag, _)| stays(tag));
    }
    let rules = Rules {
        untagged: Untagged::Remove,
        empty: Empty::Keep,
        beside: Beside::Nobody,
        grace: None::<(SystemTime, _)>,
        leased: &|_| false,
    };
    let plan = survey::decide(store, &mut snapshot, &references, rules).await?;
    let known = plan.blobs.iter().map(|blob| survey::size(&snapshot, &references, blob)).collect();
    let sizes = survey::measure(store, &plan.blobs, known, &mut |_| {}).await?;
    Ok(sizes.into_iter().flatten().sum())
}
