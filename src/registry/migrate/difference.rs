//! What tells the target from the source.

use std::{panic, sync::atomic::AtomicBool};

use bytes::Bytes;
use oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use storage::{Bulk as _, Collected, Folder, Item, Kind};
use tokio::task::JoinSet;

use super::{
    Error, Journal, Options, Pace, Reading, Side, Sides, go_on,
    inventory::{Inventory, LINK_BYTES, LISTED, Lister, Seen, State},
    kinds::Kinds,
    progress::{Phase, Progress},
};
use crate::digests::DigestSet;

/// As many differences are named.
const NAMED: usize = 1000;

/// As many objects that only the target has are dealt with in one pass; the next one finds the rest.
const EXTRA: usize = 200_000;

/// As many blobs are read before that is written down.
const NOTED: usize = 256;

/// As many links of both sides are read at once.
const BATCH: usize = 1024;

/// Something that one side has otherwise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Differs {
    /// Its path in the store.
    pub path: String,
    /// How.
    pub how: How,
}

/// How it differs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The target has not.
    Missing,
    /// The source has not.
    Extra,
    /// Both have, with other content.
    Content,
}

/// Something that could not be looked at, or not be copied.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem(String);

impl Problem {
    pub(super) fn of(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self(text)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells the target from the source, at the time at which both were listed.
#[derive(Debug)]
pub struct Difference {
    /// What the source has, upload sessions left out.
    pub source: Kinds,
    /// What the target has, upload sessions left out.
    pub target: Kinds,
    /// What the target has not.
    pub missing: Kinds,
    /// What both have, with other content.
    pub other: Kinds,
    /// What only the target has.
    pub extra: Kinds,
    /// What could not be looked at: nobody knows whether it is the same.
    pub problems: Vec<Problem>,
    /// What no registry has put into the source: it stays there.
    pub strangers: Vec<String>,
    pub(super) inventory: Inventory,
    pub(super) extras: Vec<(Item, u64)>,
    /// What else stands in the target: of no registry, or of uploads under way.
    others: Vec<String>,
    /// Whether that, and the extras, are all of it.
    is_all_known: bool,
}

impl Sides {
    /// Lists both sides and compares them. Nothing is changed.
    ///
    /// # Errors
    /// A side cannot be listed at all, or it was told to stop.
    pub async fn difference(
        &self,
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Difference, Error> {
        Between { source: &self.source, target: Some(&self.target) }.difference(stop, watch).await
    }

    /// Reads blobs of the target that nothing vouches for, and hashes them: what is not what its name says differs from now on.
    ///
    /// What `journal` vouches for is left out: with [`Reading::Unknown`] all that was put or read by any migration between these
    /// sides, with [`Reading::All`] what this run has read.
    ///
    /// # Errors
    /// It was told to stop, or the journal fails.
    pub async fn read(
        &self,
        difference: &mut Difference,
        journal: &mut Journal,
        (reading, options, pace): (&Reading, Options, &Pace),
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), Error> {
        let (by, run) = match reading {
            Reading::Nothing => return Ok(()),
            Reading::Unknown(run) => (None, run),
            Reading::All(run) => (Some(run.as_str()), run),
        };
        let inventory = &difference.inventory;
        let mut trusted = DigestSet::default();
        journal.trusted(by, |blob| {
            if let Some(id) = inventory.digests.find(&blob) {
                trusted.insert(id);
            }
        })?;
        let there = inventory.blobs.iter().filter(|(_, (_, state))| *state == State::Same);
        let there = there.filter(|(id, _)| !trusted.contains(**id));
        let there: Vec<_> =
            there.map(|(id, (size, _))| (inventory.digests.digest(*id), *size)).collect();
        let bytes = there.iter().map(|(_, size)| size).sum();
        watch(Progress::Begun(Phase::Hashing, Some((there.len() as u64, bytes))));
        for some in there.chunks(NOTED) {
            let whole = self.hash(some, difference, (options, pace), stop, watch).await?;
            journal.note_read(run, whole.iter())?;
        }
        Ok(())
    }

    /// Reads and hashes some blobs; returns those that are whole.
    async fn hash(
        &self,
        blobs: &[(Digest, u64)],
        difference: &mut Difference,
        (options, pace): (Options, &Pace),
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Vec<Digest>, Error> {
        let (mut working, mut blobs) = (JoinSet::new(), blobs.iter());
        let mut all_whole = Vec::new();
        loop {
            while working.len() < options.at_once.get()
                && let Some((digest, size)) = blobs.next()
            {
                go_on(stop)?;
                pace.take(*size).await;
                let (target, digest, size) = (self.target.clone(), *digest, *size);
                let hashed = async move {
                    (digest, size, target.hash(&digest, |_| std::future::ready(())).await)
                };
                working.spawn(hashed);
            }
            let Some(joined) = working.join_next().await else { return Ok(all_whole) };
            let (digest, size, hashed) = match joined {
                Ok(done) => done,
                Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Error::Stopped),
            };
            watch(Progress::Advanced { objects: 1, bytes: size });
            let problem = match hashed {
                Ok(hashed) if hashed == digest => {
                    all_whole.push(digest);
                    continue;
                }
                Ok(_) => Problem(format!("`{}` of the target is damaged", Item::Blob(digest))),
                Err(error) => Problem::of(&error),
            };
            if difference.problems.len() < LISTED {
                difference.problems.push(problem);
            }
            if let Some((_, state)) = difference.inventory.blob(&digest) {
                *state = State::Differs;
            }
            difference.other.add(&Item::Blob(digest), size);
        }
    }
}

/// Two stores to be compared; a target that is not there yet has nothing.
pub(super) struct Between<'a> {
    pub(super) source: &'a Collected,
    pub(super) target: Option<&'a Collected>,
}

impl Between<'_> {
    /// Lists both and compares them.
    pub(super) async fn difference(
        &self,
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Difference, Error> {
        watch(Progress::Begun(Phase::Source, None));
        let mut kinds = Kinds::default();
        let mut lister = Lister::new(self.source);
        let inventory =
            Inventory::read(&mut lister, |seen| kinds.add(&seen.item, seen.size), watch);
        let inventory = inventory.await.map_err(Side::Source.failed())?;
        let mut difference = Difference {
            source: kinds,
            target: Kinds::default(),
            missing: Kinds::default(),
            other: Kinds::default(),
            extra: Kinds::default(),
            problems: lister.problems,
            strangers: lister.strangers,
            inventory,
            extras: Vec::new(),
            others: Vec::new(),
            is_all_known: true,
        };
        go_on(stop)?;
        watch(Progress::Begun(Phase::Target, None));
        if let Some(target) = self.target {
            let unsure = list_target(target, &mut difference, stop, watch).await?;
            watch(Progress::Begun(Phase::Links, Some((unsure.len() as u64, 0))));
            for some in unsure.chunks(BATCH) {
                go_on(stop)?;
                read_both((self.source, target), some, &mut difference).await?;
                watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
            }
        }
        difference.count();
        Ok(difference)
    }
}

/// Compares all that the target has. Returned are links whose content must be read.
async fn list_target(
    target: &Collected,
    difference: &mut Difference,
    stop: &AtomicBool,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<Item>, Error> {
    let mut lister = Lister::new(target);
    let mut unsure = Vec::new();
    while let Some(some) = lister.next().await.map_err(Side::Target.failed())? {
        go_on(stop)?;
        watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
        unsure.extend(some.into_iter().filter_map(|seen| difference.compare(seen)));
    }
    let odd = [lister.strangers.len(), lister.uploads.len()];
    // What could not be looked at may stand anywhere.
    difference.is_all_known = lister.problems.is_empty()
        && odd.iter().all(|count| *count < LISTED)
        && difference.extra.total().objects == difference.extras.len() as u64;
    difference.problems.extend(lister.problems);
    difference.others = [lister.strangers, lister.uploads].concat();
    Ok(unsure)
}

/// Settles by what they hold whether links are the same of which lists say different things.
async fn read_both(
    (source, target): (&Collected, &Collected),
    links: &[Item],
    difference: &mut Difference,
) -> Result<(), Error> {
    let source = bytes(source, links).await.map_err(Side::Source.failed())?;
    let target = bytes(target, links).await.map_err(Side::Target.failed())?;
    for ((item, source), target) in links.iter().zip(source).zip(target) {
        let state = match (source, target) {
            (Ok(source), Ok(target)) if source == target => State::Same,
            // Gone since, on one side or both: the next list says more.
            (Ok(_), Ok(_)) => State::Differs,
            (_, Err(error)) if error.is_not_found() => State::Missing,
            (Err(error), _) | (_, Err(error)) => {
                if difference.problems.len() < LISTED {
                    difference.problems.push(Problem::of(&error));
                }
                State::Differs
            }
        };
        if let Some(link) = difference.inventory.link(item) {
            link.state = state;
        }
    }
    Ok(())
}

async fn bytes(
    store: &Collected,
    links: &[Item],
) -> Result<Vec<Result<Bytes, storage::Error>>, storage::Error> {
    store.read(links.to_vec(), LINK_BYTES, |_, bytes| bytes).await
}

impl Difference {
    /// Whether the target holds what the source holds, and nothing else, and all could be looked at.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let counts = [self.missing, self.other, self.extra];
        counts.iter().all(|kinds| kinds.total().objects == 0) && self.problems.is_empty()
    }

    /// Whether nothing stands in a folder of the target but what was compared.
    pub(super) fn is_alone(&self, folder: &Folder<'_>) -> bool {
        let below = format!("{folder}/");
        // A bucket's strangers have its prefix before their path.
        self.is_all_known && !self.others.iter().any(|other| format!("{other}/").contains(&below))
    }

    /// Some tags that both sides have alike, of as many repositories as that takes.
    #[must_use]
    pub fn some_tags(&self, most: usize) -> Vec<(RepositoryName, Tag)> {
        let mut all: Vec<_> = self.inventory.repositories.iter().collect();
        all.sort_by_key(|repository| repository.tags.len());
        let same = |it: &'_ super::inventory::Repository| {
            let same = it.tags.iter().filter(|(_, link)| link.state == State::Same);
            same.take(most).map(|(tag, _)| tag.clone()).collect::<Vec<_>>().into_iter()
        };
        let mut left: Vec<_> = all.iter().map(|it| (&it.name, same(it))).collect();
        let mut some = Vec::new();
        while some.len() < most && !left.is_empty() {
            left.retain_mut(|(name, tags)| {
                let tag = tags.next();
                let is_there = tag.is_some();
                some.extend(tag.map(|tag| ((*name).clone(), tag)));
                is_there
            });
        }
        some.truncate(most);
        some
    }

    /// Some of the objects that differ, in the order of their paths; there may be many more.
    #[must_use]
    pub fn named(&self) -> Vec<Differs> {
        let mut named = Vec::new();
        self.each(State::Missing, |item, _| {
            if named.len() < NAMED {
                named.push(Differs { path: item.to_string(), how: How::Missing });
            }
        });
        let missing = named.len();
        self.each(State::Differs, |item, _| {
            if named.len() - missing < NAMED {
                named.push(Differs { path: item.to_string(), how: How::Content });
            }
        });
        let extra = self.extras.iter().take(NAMED);
        named.extend(extra.map(|(item, _)| Differs { path: item.to_string(), how: How::Extra }));
        named.sort_by(|a, b| a.path.cmp(&b.path));
        named
    }

    /// Compares an object of the target. Returned is a link whose content must be read.
    fn compare(&mut self, seen: Seen) -> Option<Item> {
        self.target.add(&seen.item, seen.size);
        let is_sure = seen.is_sure && self.inventory.is_sure;
        let Some(content) = seen.content else {
            let Item::Blob(digest) = &seen.item else { return None };
            match self.inventory.blob(digest) {
                Some((size, state)) if *size == seen.size => *state = State::Same,
                Some((_, state)) => *state = State::Differs,
                None => self.add_extra(seen),
            }
            return None;
        };
        match self.inventory.link(&seen.item) {
            None => self.add_extra(seen),
            Some(link) if link.content == content => link.state = State::Same,
            Some(link) => {
                link.state = State::Differs;
                // Tags of two buckets may have been made in different ways.
                return (!is_sure).then_some(seen.item);
            }
        }
        None
    }

    fn add_extra(&mut self, seen: Seen) {
        self.extra.add(&seen.item, seen.size);
        if self.extras.len() < EXTRA {
            self.extras.push((seen.item, seen.size));
        }
    }

    /// What is missing, and what differs.
    pub(super) fn count(&mut self) {
        let (mut missing, mut other) = (Kinds::default(), Kinds::default());
        self.each(State::Missing, |item, bytes| missing.add(item, bytes));
        self.each(State::Differs, |item, bytes| other.add(item, bytes));
        (self.missing, self.other) = (missing, other);
    }

    /// All objects of the source that are in a state, with their bytes.
    pub(super) fn each(&self, state: State, mut each: impl FnMut(&Item, u64)) {
        let Inventory { digests, blobs, repositories, .. } = &self.inventory;
        for (id, (size, _)) in blobs.iter().filter(|(_, (_, it))| *it == state) {
            each(&Item::Blob(digests.digest(*id)), *size);
        }
        for repository in repositories {
            let links = repository
                .contents(digests)
                .chain(repository.histories(digests))
                .chain(repository.tags());
            for (item, _) in links.filter(|(_, link)| link.state == state) {
                each(&item, link_bytes(&item));
            }
        }
    }
}

/// How long a link is that is as it should be.
pub(super) fn link_bytes(item: &Item) -> u64 {
    let digest = match item {
        Item::Layer(_, digest) | Item::Revision(_, digest) | Item::TagIndex(_, _, digest) => {
            digest.to_string().len()
        }
        Item::Tag(..) | Item::Blob(_) | Item::UploadStartedAt(..) | Item::Repository(_) => 71,
    };
    digest as u64
}

/// Whether nothing more can come of trying with other objects.
pub(super) fn is_final(error: &storage::Error) -> bool {
    matches!(error.kind(), Kind::NoSpace | Kind::Denied | Kind::Unavailable)
}
