//! Decides what a store does not need: from a snapshot and what manifests refer to, to a plan. No I/O.
//!
//! *Roots.* Every tag, and every manifest that a repository has; with [`Untagged::Remove`] of manifests only what tags,
//! indexes and subjects lead to, what is leased, and what is younger than the grace.
//! A tag of referrers (`sha256-<digest>` on an index) is no root when its repository did not have the subject as the survey began:
//! so referrers outlive the collection that takes their subject, and go with the next.
//!
//! *From a manifest* everything that it refers to is needed. Its children are followed in its own repository and in
//! every repository that holds them, referrers of it in its own.
//!
//! *Blobs* are needed if any repository needs them, and so are the links to them everywhere.
//!
//! *Doubt.* In a repository with something that cannot be read or understood all is needed. Where links may be that
//! nobody could list, everything is.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime},
};

use oci::{Algorithm, Digest, Tag};

use super::{
    note::Note,
    plan::{Empty, Plan},
    references::{Manifest, References},
    snapshot::{Link, Repository, Snapshot},
};
use crate::digests::{DigestId, DigestSet};

/// What becomes of manifests that no tag leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untagged {
    /// They stay, with all that they refer to.
    Keep,
    /// They go.
    Remove,
}

/// Beside whom a collection is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beside {
    /// Nobody changes the store meanwhile.
    Nobody,
    /// A registry that takes pushes, and is asked before anything goes. Tags and repositories stay: they are its clients'.
    Registry,
}

/// What is asked of a collection.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) untagged: Untagged,
    pub(crate) empty: Empty,
    pub(crate) beside: Beside,
    /// When the survey began, and how much younger than that what is kept is: none while nobody writes.
    pub(crate) grace: Option<(SystemTime, Duration)>,
    /// Whether somebody was promised a digest lately.
    pub(crate) leased: &'a dyn Fn(&Digest) -> bool,
}

/// What has an age.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Aged {
    Revision(usize, DigestId),
    Layer(usize, DigestId),
    Blob(DigestId),
}

/// Times of links and blobs, as far as they were asked for.
pub(crate) type Ages = HashMap<Aged, Age>;

/// How old something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    Since(SystemTime),
    /// It is gone.
    Gone,
    Unknown,
}

/// What came of marking.
#[derive(Debug)]
pub(crate) enum Marked {
    Plan(Box<Plan>),
    /// First these ages must be known.
    Asks(Vec<Aged>),
}

/// Marks what is needed, and plans to remove the rest.
pub(crate) fn mark(
    snapshot: &Snapshot,
    references: &References,
    rules: Rules<'_>,
    ages: &Ages,
) -> Marked {
    let marking = Marking::new(snapshot, references, rules, ages, Doubts::Heeded);
    let (needed, asks, found) = marking.run();
    if !asks.is_empty() {
        return Marked::Asks(asks);
    }
    let mut notes = snapshot.notes.clone();
    for note in found {
        notes.add(note);
    }
    let mut plan = match snapshot.is_blind {
        true => Plan::nothing(snapshot),
        false => Plan::of(snapshot, &needed, rules),
    };
    if notes.keeping() > 0 {
        // What would go if nothing were in doubt: the difference is what doubt has kept.
        let marking = Marking::new(snapshot, references, rules, ages, Doubts::Ignored);
        let (needed, _, _) = marking.run();
        plan.kept_for_doubt(&Plan::of(snapshot, &needed, rules));
    }
    plan.notes = notes;
    Marked::Plan(Box::new(plan))
}

/// What is needed.
#[derive(Debug)]
pub(crate) struct Needed {
    /// Bytes.
    pub(crate) live: DigestSet,
    /// Manifests of repositories, also those that a repository need not have.
    pub(crate) held: HashSet<(usize, DigestId)>,
    /// Repositories of which all is.
    pub(crate) doubtful: Vec<bool>,
}

/// Whether something that is not understood keeps what may depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doubts {
    Heeded,
    /// Only to count what they keep.
    Ignored,
}

struct Marking<'a> {
    snapshot: &'a Snapshot,
    references: &'a References,
    rules: Rules<'a>,
    ages: &'a Ages,
    doubts: Doubts,
    notes: Vec<Note>,
    noted: HashSet<(usize, DigestId)>,
    /// Which repositories have a manifest; sorted.
    holders: Vec<(DigestId, usize)>,
    is_revision: DigestSet,
    /// Repository, subject, and a manifest that names it; sorted.
    referrers: Vec<(usize, DigestId, DigestId)>,
    /// Repository, a manifest by its path, and as what its bytes are known; where the two differ.
    canonical: HashMap<(usize, DigestId), DigestId>,
    /// What links hold other than their paths say.
    aliases: HashMap<DigestId, Vec<DigestId>>,
    waiting: Vec<(usize, DigestId)>,
    live: DigestSet,
    held: HashSet<(usize, DigestId)>,
    doubtful: Vec<bool>,
    asks: Vec<Aged>,
}

impl<'a> Marking<'a> {
    fn new(
        snapshot: &'a Snapshot,
        references: &'a References,
        rules: Rules<'a>,
        ages: &'a Ages,
        doubts: Doubts,
    ) -> Self {
        let mut marking = Self {
            snapshot,
            references,
            rules,
            ages,
            doubts,
            notes: Vec::new(),
            noted: HashSet::new(),
            holders: Vec::new(),
            is_revision: DigestSet::default(),
            referrers: Vec::new(),
            canonical: HashMap::new(),
            aliases: HashMap::new(),
            waiting: Vec::new(),
            live: DigestSet::default(),
            held: HashSet::new(),
            doubtful: vec![false; snapshot.repositories.len()],
            asks: Vec::new(),
        };
        for (number, repository) in snapshot.repositories.iter().enumerate() {
            marking.index(number, repository);
        }
        marking.holders.sort_unstable();
        marking.referrers.sort_unstable();
        marking
    }

    fn index(&mut self, number: usize, repository: &Repository) {
        for &(own, target) in &repository.aliases {
            self.aliases.entry(own).or_default().push(target);
        }
        for revision in repository.revisions.iter().filter(|revision| revision.is_there()) {
            self.holders.push((revision.id, number));
            self.is_revision.insert(revision.id);
            let canonical = revision.canonical();
            if canonical != revision.id {
                self.aliases.entry(revision.id).or_default().push(canonical);
                self.canonical.insert((number, revision.id), canonical);
            }
            if let Manifest::Refers { subject: Some(subject), .. } = self.references.of(canonical) {
                self.referrers.push((number, subject, revision.id));
            }
        }
    }

    fn run(mut self) -> (Needed, Vec<Aged>, Vec<Note>) {
        for (number, repository) in self.snapshot.repositories.iter().enumerate() {
            if repository.doubt {
                self.doubt(number);
            }
            self.root_revisions(number, repository);
            self.root_tags(number, repository);
        }
        self.walk();
        if self.rules.untagged == Untagged::Remove {
            self.root_young();
        }
        self.need_young();
        let Self { live, held, doubtful, asks, notes, .. } = self;
        (Needed { live, held, doubtful }, asks, notes)
    }

    fn root_revisions(&mut self, number: usize, repository: &Repository) {
        for revision in repository.revisions.iter().filter(|revision| revision.is_there()) {
            let canonical = revision.canonical();
            if matches!(self.references.of(canonical), Manifest::Broken) {
                self.broken(number, canonical);
            }
            if self.rules.untagged == Untagged::Keep || self.is_leased(revision.id) {
                self.reach(number, revision.id);
            }
        }
    }

    /// Manifests that nothing leads to, and that are too young to know.
    fn root_young(&mut self) {
        for (number, repository) in self.snapshot.repositories.iter().enumerate() {
            for revision in repository.revisions.iter().filter(|revision| revision.is_there()) {
                let aged = Aged::Revision(number, revision.id);
                if !self.held.contains(&(number, revision.id))
                    && self.is_young(aged, self.cut_off())
                {
                    self.reach(number, revision.id);
                }
            }
        }
        self.walk();
    }

    /// Blobs, and links to them, that nothing leads to and that are leased or too young.
    fn need_young(&mut self) {
        for (number, repository) in self.snapshot.repositories.iter().enumerate() {
            let cut_off = self.cut_off_of(repository);
            for &layer in &repository.layers {
                if !self.live.contains(layer)
                    && (self.is_leased(layer) || self.is_young(Aged::Layer(number, layer), cut_off))
                {
                    self.need(layer);
                }
            }
        }
        for &blob in &self.snapshot.blobs {
            if !self.live.contains(blob)
                && (self.is_leased(blob) || self.is_young(Aged::Blob(blob), self.cut_off()))
            {
                self.need(blob);
            }
        }
    }

    fn is_leased(&self, id: DigestId) -> bool {
        (self.rules.leased)(&self.snapshot.digests.digest(id))
    }

    /// What is younger than this is needed.
    fn cut_off(&self) -> Option<SystemTime> {
        let (begun, grace) = self.rules.grace?;
        Some(begun.checked_sub(grace).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// The same for links to blobs: an upload under way may be the last layer of an image whose first it is not.
    fn cut_off_of(&self, repository: &Repository) -> Option<SystemTime> {
        if repository.hides_uploads {
            return Some(SystemTime::UNIX_EPOCH);
        }
        let grace = self.rules.grace.map_or(Duration::ZERO, |(_, grace)| grace);
        let begun = repository.uploads.iter().map(|upload| {
            let started = upload.started.and_then(|started| started.checked_sub(grace));
            started.unwrap_or(SystemTime::UNIX_EPOCH)
        });
        begun.chain(self.cut_off()).min()
    }

    fn is_young(&mut self, aged: Aged, cut_off: Option<SystemTime>) -> bool {
        let Some(cut_off) = cut_off else { return false };
        match self.ages.get(&aged) {
            Some(Age::Since(time)) => *time >= cut_off,
            Some(Age::Gone) => false,
            Some(Age::Unknown) => true,
            None => {
                self.asks.push(aged);
                true
            }
        }
    }

    fn root_tags(&mut self, number: usize, repository: &Repository) {
        let mut subjects = Subjects::default();
        for tag in &repository.tags {
            let Link::Holds(id) = tag.link else { continue };
            let bytes = self.bytes_of(number, id);
            let manifest = self.references.of(bytes);
            let is_index = matches!(manifest, Manifest::Refers { is_index: true, .. });
            if self.rules.untagged == Untagged::Remove
                && self.rules.beside == Beside::Nobody
                && is_index
                && subjects.is_gone(self, number, &tag.tag)
            {
                continue;
            }
            if matches!(manifest, Manifest::Missing) {
                self.missing(number, id);
            }
            self.reach(number, id);
        }
    }

    /// Needs a manifest of a repository, and whatever it leads to.
    fn reach(&mut self, number: usize, id: DigestId) {
        if self.held.insert((number, id)) {
            self.waiting.push((number, id));
        }
    }

    fn walk(&mut self) {
        while let Some((number, id)) = self.waiting.pop() {
            self.need(id);
            let canonical = self.bytes_of(number, id);
            self.need(canonical);
            match self.references.of(canonical) {
                Manifest::Refers { children, blobs, .. } => {
                    for &child in children {
                        self.reach(number, child);
                        self.reach_holders(child);
                    }
                    for &blob in blobs {
                        self.need(blob);
                        // Whatever else a manifest is used as.
                        if self.is_revision.contains(blob) {
                            self.reach_holders(blob);
                        }
                    }
                }
                Manifest::Missing if self.has(number, id) => self.missing(number, canonical),
                // An index may name what its repository does not have.
                Manifest::Missing => {}
                Manifest::Broken => self.broken(number, canonical),
            }
            self.reach_referrers(number, id);
        }
    }

    fn reach_holders(&mut self, id: DigestId) {
        let first = self.holders.partition_point(|(held, _)| *held < id);
        let mut at = first;
        while let Some(&(_, number)) = self.holders.get(at).filter(|(held, _)| *held == id) {
            self.reach(number, id);
            at += 1;
        }
    }

    fn reach_referrers(&mut self, number: usize, subject: DigestId) {
        let mut at = self
            .referrers
            .partition_point(|(holder, named, _)| (*holder, *named) < (number, subject));
        while let Some(&(holder, named, referrer)) = self.referrers.get(at) {
            if (holder, named) != (number, subject) {
                break;
            }
            self.reach(number, referrer);
            at += 1;
        }
    }

    /// Under which digest a repository's manifest is stored.
    fn bytes_of(&self, number: usize, id: DigestId) -> DigestId {
        self.canonical.get(&(number, id)).copied().unwrap_or(id)
    }

    fn has(&self, number: usize, id: DigestId) -> bool {
        self.holders.binary_search(&(id, number)).is_ok()
    }

    /// Needs bytes, under every name that links have for them.
    fn need(&mut self, id: DigestId) {
        let mut names = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            if self.live.insert(id) {
                names.extend(self.aliases.get(&id).into_iter().flatten());
            }
            next = names.pop();
        }
    }

    fn missing(&mut self, number: usize, id: DigestId) {
        self.note(number, id, || "its bytes are not there".to_owned());
    }

    fn broken(&mut self, number: usize, id: DigestId) {
        let reason = self.references.reasons.get(&id);
        self.note(number, id, || reason.cloned().unwrap_or_else(|| "it was not read".to_owned()));
    }

    /// A manifest may lead to anything that its repository has.
    fn note(&mut self, number: usize, id: DigestId, reason: impl FnOnce() -> String) {
        if self.noted.insert((number, id)) {
            let repository = self.snapshot.repositories[number].name.to_string();
            let digest = self.snapshot.digests.digest(id).to_string();
            self.notes.push(Note::Manifest { repository, digest, reason: reason() });
        }
        self.doubt(number);
    }

    /// Needs all that a repository has.
    fn doubt(&mut self, number: usize) {
        if self.doubts == Doubts::Ignored || self.doubtful[number] {
            return;
        }
        self.doubtful[number] = true;
        let repository = &self.snapshot.repositories[number];
        for &layer in &repository.layers {
            self.need(layer);
            self.reach_holders(layer);
        }
        for revision in repository.revisions.iter().filter(|revision| revision.is_there()) {
            self.reach(number, revision.id);
        }
        for tag in &repository.tags {
            if let Link::Holds(id) = tag.link {
                self.reach(number, id);
            }
        }
    }
}

/// The tags of referrers that a repository's manifests of sha512 have; their tags do not name them whole.
#[derive(Default)]
struct Subjects(Option<HashSet<Tag>>);

impl Subjects {
    /// Whether a tag is one of referrers, and the repository does not have their subject.
    fn is_gone(&mut self, marking: &Marking<'_>, number: usize, tag: &Tag) -> bool {
        let Some((algorithm, hex)) = tag.as_str().split_once('-') else { return false };
        let is_hash =
            hex.len() == 64 && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match algorithm.parse() {
            Ok(Algorithm::Sha256) if is_hash => {
                let subject = Digest::from_hex(Algorithm::Sha256, hex).ok();
                let id = subject.and_then(|subject| marking.snapshot.digests.find(&subject));
                !id.is_some_and(|id| marking.has(number, id))
            }
            Ok(Algorithm::Sha512) if is_hash => {
                !self.0.get_or_insert_with(|| sha512_tags(marking.snapshot, number)).contains(tag)
            }
            Ok(_) | Err(_) => false,
        }
    }
}

fn sha512_tags(snapshot: &Snapshot, number: usize) -> HashSet<Tag> {
    let revisions = snapshot.repositories[number].revisions.iter();
    let there = revisions.filter(|revision| revision.is_there());
    let digests = there.map(|revision| snapshot.digests.digest(revision.id));
    let long = digests.filter(|digest| digest.algorithm() == Algorithm::Sha512);
    long.map(|digest| Tag::of_referrers(&digest)).collect()
}
