//! What a collection will remove, and in which order: a value that is printed, exported or carried out.

use std::collections::{HashMap, HashSet};

use oci::{Digest, RepositoryName, Tag};
use serde::Serialize;
use storage::Item;

use super::{
    leads::Leads,
    linked::Linked,
    mark::{Beside, Needed, Rules, Untagged},
    note::Notes,
    snapshot::{Link, Repository, Snapshot},
};

/// What becomes of repositories that have neither tags nor manifests any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Empty {
    /// They stay in the catalog.
    Keep,
    /// They go, whole or not at all.
    Remove,
}

/// The steps of a sweep, in their order. After each the registry is whole, wherever the next one stops.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Tags that list referrers of a manifest that is gone.
    Tags,
    /// What tags have pointed to.
    TagIndexes,
    /// Manifests of repositories.
    Revisions,
    /// Links to blobs.
    Layers,
    /// Bytes.
    Blobs,
    /// Folders of manifests that were deleted before.
    Folders,
    /// Repositories that are empty now; what is within one goes before it.
    Repositories,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Tags,
        Self::TagIndexes,
        Self::Revisions,
        Self::Layers,
        Self::Blobs,
        Self::Folders,
        Self::Repositories,
    ];

    /// Why what goes in it goes.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Tags => "it lists referrers of a manifest that the repository does not have",
            Self::TagIndexes => "the manifest that the tag once had goes, or is gone",
            Self::Revisions => "no tag, index or subject leads to it",
            Self::Layers => "no manifest of any repository needs the blob",
            Self::Blobs => "no manifest of any repository needs it",
            Self::Folders => "the manifest was deleted",
            Self::Repositories => "it has neither tags nor manifests",
        }
    }
}

/// What goes.
#[derive(Debug, Default)]
pub struct Plan {
    names: Vec<RepositoryName>,
    tags: Vec<(u32, Tag)>,
    tag_indexes: Vec<(u32, Tag, Digest)>,
    revisions: Vec<(u32, Digest)>,
    layers: Vec<(u32, Digest)>,
    pub(crate) blobs: Vec<Digest>,
    /// Sizes of the blobs, in their order; none before they were asked for.
    pub(crate) sizes: Vec<u64>,
    leftovers: Vec<(u32, Digest)>,
    /// What the manifests lead to; unknown where all of them go.
    pub(crate) leads: Leads,
    emptied: Vec<u32>,
    /// What the repositories of quotas have links to before anything goes.
    pub(crate) linked: Linked,
    /// What there is and what stays.
    pub(crate) found: FoundCounts,
    kept: Counts,
    pub(crate) notes: Notes,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct FoundCounts {
    /// Repositories of the catalog.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests of repositories.
    pub manifests: u64,
    /// Links to blobs.
    pub layers: u64,
    /// Blobs, manifests among them.
    pub blobs: u64,
    /// Digests that are needed, whether or not their bytes are there.
    pub marked: u64,
}

/// How much goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Tags of referrers.
    pub tags: u64,
    /// Entries of tags' histories.
    pub tag_indexes: u64,
    /// Manifests of repositories.
    pub manifests: u64,
    /// Links to blobs.
    pub layers: u64,
    /// Blobs, manifests among them.
    pub blobs: u64,
    /// Empty folders of manifests.
    pub leftovers: u64,
    /// Repositories.
    pub repositories: u64,
    /// Bytes of the blobs.
    pub bytes: u64,
}

impl Plan {
    /// A plan to remove nothing.
    pub(crate) fn nothing(snapshot: &Snapshot) -> Self {
        let found = FoundCounts { marked: snapshot.is_blob.len(), ..FoundCounts::of(snapshot) };
        Self { found, ..Self::default() }
    }

    /// A plan to remove what is not needed.
    pub(crate) fn of(snapshot: &Snapshot, needed: &Needed, rules: Rules<'_>) -> Self {
        let found = FoundCounts { marked: needed.live.len(), ..FoundCounts::of(snapshot) };
        // In the order of the catalog: a plan is the same on every run, and neighbours in a folder are neighbours in it.
        let mut order: Vec<usize> = (0..snapshot.repositories.len()).collect();
        order.sort_unstable_by_key(|&number| &snapshot.repositories[number].name);
        let mut plan = Self { found, ..Self::default() };
        for number in order {
            plan.add_repository(snapshot, needed, rules, number);
        }
        plan.tags.sort_unstable();
        plan.tag_indexes.sort_unstable();
        for list in [&mut plan.revisions, &mut plan.layers, &mut plan.leftovers] {
            list.sort_unstable();
        }
        let dead = snapshot.blobs.iter().filter(|&&blob| !needed.live.contains(blob));
        plan.blobs = dead.map(|&blob| snapshot.digests.digest(blob)).collect();
        plan.blobs.sort_unstable();
        // What is within a repository goes before it.
        plan.emptied.reverse();
        plan
    }

    fn add_repository(
        &mut self,
        snapshot: &Snapshot,
        needed: &Needed,
        rules: Rules<'_>,
        number: usize,
    ) {
        let repository = &snapshot.repositories[number];
        let own = u32::try_from(self.names.len()).expect("four billion names are more than memory");
        self.names.push(repository.name.clone());
        let digest = |id| snapshot.digests.digest(id);
        let is_held = |id| needed.held.contains(&(number, id));
        let is_live = |id| needed.live.contains(id);
        let mut gone = HashSet::new();
        for tag in &repository.tags {
            if matches!(tag.link, Link::Holds(target) if !is_live(target)) {
                gone.insert(&tag.tag);
                self.tags.push((own, tag.tag.clone()));
            }
        }
        for revision in repository.revisions.iter().filter(|revision| !is_held(revision.id)) {
            match revision.is_there() {
                true => self.revisions.push((own, digest(revision.id))),
                false => self.leftovers.push((own, digest(revision.id))),
            }
        }
        if rules.untagged == Untagged::Remove && !needed.doubtful[number] {
            let stale = repository.history.iter().filter(|(_, id)| !is_held(*id));
            // The history of a tag that goes, goes with it.
            let stale = stale.filter(|(tag, _)| !gone.contains(tag));
            self.tag_indexes.extend(stale.map(|(tag, id)| (own, tag.clone(), digest(*id))));
        }
        let aliases: HashMap<_, _> = repository.aliases.iter().copied().collect();
        let is_dead = |id| !is_live(id) && !aliases.get(&id).is_some_and(|&id| is_live(id));
        let before = self.layers.len();
        self.layers.extend(
            repository.layers.iter().filter(|&&id| is_dead(id)).map(|&id| (own, digest(id))),
        );
        let left = repository.layers.len() - (self.layers.len() - before);
        let is_emptied = gone.len() == there(repository)
            && !repository.revisions.iter().any(|it| it.is_there() && is_held(it.id));
        // Somebody may be pushing its first image.
        let is_pushed = rules.grace.is_some() && left > 0
            || repository.hides_uploads
            || !repository.uploads.is_empty();
        let may_go = rules.empty == Empty::Remove
            && rules.beside == Beside::Nobody
            && repository.is_listed();
        if is_emptied && may_go && !is_pushed && !needed.doubtful[number] {
            self.emptied.push(own);
        }
    }

    /// Counts what goes by a plan without doubts and does not by this one.
    pub(crate) fn kept_for_doubt(&mut self, bare: &Self) {
        let (all, own) = (bare.counts(), self.counts());
        self.kept = Counts {
            tags: all.tags.saturating_sub(own.tags),
            tag_indexes: all.tag_indexes.saturating_sub(own.tag_indexes),
            manifests: all.manifests.saturating_sub(own.manifests),
            layers: all.layers.saturating_sub(own.layers),
            blobs: all.blobs.saturating_sub(own.blobs),
            leftovers: all.leftovers.saturating_sub(own.leftovers),
            repositories: all.repositories.saturating_sub(own.repositories),
            bytes: 0,
        };
    }

    /// All repositories of the store.
    pub(crate) fn names(&self) -> &[RepositoryName] {
        &self.names
    }

    /// What the repositories of quotas have links to before anything goes; it is given away.
    pub fn take_linked(&mut self) -> Linked {
        std::mem::take(&mut self.linked)
    }

    /// What a step removes.
    pub fn items(&self, step: Step) -> impl Iterator<Item = Item> + '_ {
        let range = |wanted: Step, len: usize| if step == wanted { 0..len } else { 0..0 };
        let name = |number: u32| self.names[number as usize].clone();
        let tags = range(Step::Tags, self.tags.len()).map(move |index| {
            let (number, tag) = &self.tags[index];
            Item::Tag(name(*number), tag.clone())
        });
        let tag_indexes = range(Step::TagIndexes, self.tag_indexes.len()).map(move |index| {
            let (number, tag, digest) = &self.tag_indexes[index];
            Item::TagIndex(name(*number), tag.clone(), *digest)
        });
        let revision =
            move |(number, digest): &(u32, Digest)| Item::Revision(name(*number), *digest);
        let revisions = self.revisions[range(Step::Revisions, self.revisions.len())].iter();
        let leftovers = self.leftovers[range(Step::Folders, self.leftovers.len())].iter();
        let layers = self.layers[range(Step::Layers, self.layers.len())].iter();
        let layers = layers.map(move |(number, digest)| Item::Layer(name(*number), *digest));
        let blobs = self.blobs[range(Step::Blobs, self.blobs.len())].iter();
        let emptied = self.emptied[range(Step::Repositories, self.emptied.len())].iter();
        tags.chain(tag_indexes)
            .chain(revisions.map(revision))
            .chain(layers)
            .chain(blobs.map(|digest| Item::Blob(*digest)))
            .chain(leftovers.map(revision))
            .chain(emptied.map(move |number| Item::Repository(name(*number))))
    }

    /// How much a step removes.
    #[must_use]
    pub fn len(&self, step: Step) -> usize {
        match step {
            Step::Tags => self.tags.len(),
            Step::TagIndexes => self.tag_indexes.len(),
            Step::Revisions => self.revisions.len(),
            Step::Layers => self.layers.len(),
            Step::Blobs => self.blobs.len(),
            Step::Folders => self.leftovers.len(),
            Step::Repositories => self.emptied.len(),
        }
    }

    /// Whether nothing goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Step::ALL.into_iter().all(|step| self.len(step) == 0)
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> FoundCounts {
        self.found
    }

    /// How much goes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            tags: self.tags.len() as u64,
            tag_indexes: self.tag_indexes.len() as u64,
            manifests: self.revisions.len() as u64,
            layers: self.layers.len() as u64,
            blobs: self.blobs.len() as u64,
            leftovers: self.leftovers.len() as u64,
            repositories: self.emptied.len() as u64,
            bytes: self.sizes.iter().sum(),
        }
    }

    /// How much stays only because something is in doubt.
    #[must_use]
    pub fn kept(&self) -> Counts {
        self.kept
    }

    /// What needs a look.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }
}

/// How many tags there are.
fn there(repository: &Repository) -> usize {
    repository.tags.iter().filter(|tag| tag.link != Link::Absent).count()
}

impl FoundCounts {
    fn of(snapshot: &Snapshot) -> Self {
        let all = &snapshot.repositories;
        let manifests = |it: &Repository| it.revisions.iter().filter(|it| it.is_there()).count();
        let sum =
            |count: &dyn Fn(&Repository) -> usize| all.iter().map(count).sum::<usize>() as u64;
        Self {
            repositories: all.iter().filter(|repository| repository.is_listed()).count() as u64,
            tags: sum(&there),
            manifests: sum(&manifests),
            layers: sum(&|repository| repository.layers.len()),
            blobs: snapshot.blobs.len() as u64,
            marked: 0,
        }
    }
}
