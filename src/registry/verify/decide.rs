//! From what a store holds to what is wrong with it. Pure: nothing is read here.

use std::collections::{HashMap, HashSet};

use oci::Digest;
use storage::{Folder, Item, Part};

use super::{
    finding::{Finding, Holds, Sign, Verified, What},
    inventory::{Inventory, Link, Repository},
    manifests::{Manifest, Manifests, Need},
};
use crate::{
    content::Mend,
    digests::{DigestId, DigestSet},
};

/// The place of a quarantine's name, until there is one.
pub(super) const NO_RUN: &str = "";

/// A blob that was read, and is not right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Bad {
    Corrupt,
    /// It cannot be read, and why.
    Unread(String),
}

/// What depends on how the registry is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Whether it is a cache: it fetches what it lacks.
    pub(super) is_cache: bool,
    /// Whether there are folders without files.
    pub(super) has_folders: bool,
}

/// A store that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) manifests: &'a Manifests,
    pub(super) bad: &'a HashMap<DigestId, Bad>,
    pub(super) rules: Rules,
}

/// How a blob is.
enum Is<'a> {
    Good,
    Missing,
    Bad(&'a Bad),
}

/// What is told once for all manifests that need it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Told {
    Bad,
    Missing,
    Link,
    Unread,
}

/// One repository.
pub(super) struct Judge<'a> {
    pub(super) seen: Seen<'a>,
    pub(super) repository: &'a Repository,
    pub(super) findings: Vec<Finding>,
    /// Blobs that its manifests need, whatever became of them.
    needed: DigestSet,
    /// Whether there are manifests of which nobody knows what they need.
    doubt: bool,
    /// What was told of, and where.
    told: HashMap<(Told, DigestId), usize>,
    /// Manifests that cannot be pulled because of findings, beside those that they name.
    pub(super) broken: HashMap<DigestId, Vec<usize>>,
}

/// Says what is wrong, by repository.
pub(super) fn decide(seen: Seen<'_>) -> Vec<Verified> {
    let mut led_to = DigestSet::default();
    let mut verified = Vec::new();
    for repository in seen.inventory.repositories.values() {
        for link in repository.layers.values().chain(repository.revisions.values()) {
            if let Link::Holds(id) = link {
                led_to.insert(*id);
            }
        }
        verified.push(judge(seen, repository));
    }
    let mut orphans = Vec::new();
    for (id, bad) in seen.bad.iter().filter(|(id, _)| !led_to.contains(**id)) {
        orphans.push(bad_blob(&seen.inventory.digests.digest(*id), bad, false));
    }
    if !orphans.is_empty() {
        orphans.sort_by(|one, other| one.path.cmp(&other.path));
        let (name, broken_tags) = (None, Vec::new());
        let (tags, manifests, blobs) = (0, 0, orphans.len());
        verified.push(Verified { name, tags, manifests, blobs, broken_tags, findings: orphans });
    }
    verified
}

fn judge(seen: Seen<'_>, repository: &Repository) -> Verified {
    let mut judge = Judge {
        seen,
        repository,
        findings: Vec::new(),
        needed: DigestSet::default(),
        doubt: false,
        told: HashMap::new(),
        broken: HashMap::new(),
    };
    judge.folders();
    judge.revisions();
    judge.tags();
    judge.layers();
    let broken = judge.broken_tags();
    let there = |links: &HashMap<DigestId, Link>| {
        links.values().filter(|link| **link != Link::Absent).count()
    };
    let mut findings = judge.findings;
    findings.sort_by(|one, other| (one.what, &one.path).cmp(&(other.what, &other.path)));
    Verified {
        name: Some(repository.name.to_string()),
        tags: repository.tags.len(),
        manifests: there(&repository.revisions),
        blobs: there(&repository.layers),
        broken_tags: broken.into_iter().map(|tag| tag.to_string()).collect(),
        findings,
    }
}

/// A blob that is not right; `is_needed`: it is missed when it is out of the way.
fn bad_blob(digest: &Digest, bad: &Bad, is_needed: bool) -> Finding {
    let item = Item::Blob(*digest);
    match bad {
        Bad::Corrupt => {
            let mend = Mend::Quarantine { digest: *digest, run: NO_RUN.to_owned() };
            let finding = Finding::new(What::CorruptBlob, item).while_(Sign::Corrupt(*digest));
            let mut finding = finding.mended_by(mend);
            finding.heals = !is_needed;
            finding
        }
        Bad::Unread(reason) => Finding::new(What::Unreadable, item).because(reason),
    }
}

impl Judge<'_> {
    pub(super) fn digest(&self, id: DigestId) -> Digest {
        self.seen.inventory.digests.digest(id)
    }

    fn blob(&self, id: DigestId) -> Is<'_> {
        match self.seen.bad.get(&id) {
            Some(bad) => Is::Bad(bad),
            None if self.seen.inventory.sizes.contains_key(&id) => Is::Good,
            None => Is::Missing,
        }
    }

    fn layer_item(&self, id: DigestId) -> Item {
        Item::Layer(self.repository.name.clone(), self.digest(id))
    }

    pub(super) fn revision_item(&self, id: DigestId) -> Item {
        Item::Revision(self.repository.name.clone(), self.digest(id))
    }

    fn folders(&mut self) {
        let Repository { name, parts, .. } = self.repository;
        let is_listed = parts.contains(&Part::Layers) || parts.contains(&Part::Manifests);
        if !self.seen.rules.has_folders || !is_listed {
            return;
        }
        for part in [Part::Layers, Part::Tags] {
            if parts.contains(&part) {
                continue;
            }
            let folder =
                if part == Part::Layers { Folder::Layers(name) } else { Folder::Tags(name) };
            let finding = Finding::new(What::MissingFolder, folder)
                .while_(Sign::NoFolder(name.clone(), part))
                .mended_by(Mend::Folders { repository: name.clone() });
            self.findings.push(finding);
        }
    }

    fn revisions(&mut self) {
        let proved = self.proved();
        let mut revisions: Vec<_> = self.repository.revisions.iter().collect();
        revisions.sort_by_key(|(id, _)| **id);
        for (id, link) in revisions {
            match link {
                Link::Holds(canonical) => self.manifest(*id, *canonical, &proved),
                Link::Absent => {}
                Link::Bad(_) => self.bad_revision(*id),
                Link::Unread(reason) => {
                    self.may_need(*id);
                    let item = self.revision_item(*id);
                    let finding = Finding::new(What::Unreadable, &item).because(reason).of(*id);
                    self.findings.push(finding.while_(Sign::Link(item, Holds::Unread)));
                }
            }
        }
    }

    fn bad_revision(&mut self, id: DigestId) {
        let item = self.revision_item(id);
        let finding = Finding::new(What::BadLink, &item)
            .because("the link of a manifest holds no digest, or another one's")
            .of(id)
            .while_(Sign::Link(item, Holds::Nothing));
        // Its path says what it is, if such a manifest is there.
        let is_whole = self.may_need(id);
        let (repository, digest) = (self.repository.name.clone(), self.digest(id));
        self.findings.push(match is_whole {
            true => finding.mended_by(Mend::Revision { repository, digest }),
            false => finding,
        });
    }

    /// What a manifest needs to which no link leads now. No: nobody knows that.
    pub(super) fn may_need(&mut self, id: DigestId) -> bool {
        let is_known = match self.seen.manifests.get(&id) {
            Some(Manifest::Needs { blobs, .. }) => {
                for need in blobs {
                    self.needed.insert(need.blob);
                }
                true
            }
            _ => false,
        };
        self.doubt |= !is_known;
        is_known
    }

    /// A manifest that the repository has: `id` by its path, `canonical` by its link.
    fn manifest(&mut self, id: DigestId, canonical: DigestId, proved: &HashSet<DigestId>) {
        let there = Sign::Link(self.revision_item(id), Holds::Digest(self.digest(canonical)));
        self.may_need(canonical);
        match self.seen.manifests.get(&canonical) {
            Some(Manifest::Needs { blobs, children }) if !self.seen.rules.is_cache => {
                for need in blobs {
                    self.need(canonical, need, &there, proved.contains(&canonical));
                }
                for child in children {
                    self.child(canonical, *child, &there);
                }
            }
            Some(Manifest::Needs { .. }) => {}
            Some(Manifest::Corrupt) => self.bad(canonical, &Bad::Corrupt, canonical),
            Some(Manifest::Unread(reason)) => {
                self.bad(canonical, &Bad::Unread(reason.clone()), canonical);
            }
            Some(Manifest::Strange(reason)) => {
                let path = self.revision_item(id);
                let finding = Finding::new(What::StrangeManifest, path).because(reason);
                self.findings.push(finding.of(canonical).while_(there));
            }
            // It is fetched again.
            Some(Manifest::Missing) | None if self.seen.rules.is_cache => {}
            Some(Manifest::Missing) | None => {
                let digest = self.digest(canonical);
                let finding = Finding::new(What::MissingManifest, Item::Blob(digest)).of(canonical);
                self.findings.push(finding.while_(there).while_(Sign::Blob(digest, false)));
            }
        }
    }

    /// A blob that a manifest needs.
    fn need(&mut self, manifest: DigestId, need: &Need, there: &Sign, is_proved: bool) {
        let own = need.blob;
        let layers = &self.repository.layers;
        let (blob, has_link) = match layers.get(&own) {
            Some(Link::Holds(target)) => (*target, true),
            Some(Link::Unread(reason)) => {
                if self.is_told(Told::Unread, own, manifest).is_none() {
                    let finding = self.unread(own, reason).of(manifest);
                    self.tell(Told::Unread, own, finding);
                }
                return;
            }
            Some(Link::Absent | Link::Bad(_)) | None => (own, false),
        };
        let state = match self.blob(blob) {
            Is::Good => None,
            Is::Missing => Some(None),
            Is::Bad(bad) => Some(Some(bad.clone())),
        };
        match (state, has_link) {
            (None, true) => {}
            (Some(Some(bad)), _) => self.bad(blob, &bad, manifest),
            (Some(None), _) => {
                if self.is_told(Told::Missing, blob, manifest).is_some() {
                    return;
                }
                let digest = self.digest(blob);
                let finding = Finding::new(What::MissingBlob, Item::Blob(digest));
                let finding = finding.because(self.needed_by(manifest)).of(manifest);
                let finding = finding.while_(Sign::Blob(digest, false)).while_(there.clone());
                self.tell(Told::Missing, blob, finding);
            }
            (None, false) => {
                let mend = (is_proved && need.is_own).then(|| Mend::Layer {
                    repository: self.repository.name.clone(),
                    digest: self.digest(own),
                    manifest: self.digest(manifest),
                });
                self.unlinked(own, mend, (manifest, there));
            }
        }
    }

    /// A blob that is there, and has no link.
    fn unlinked(
        &mut self,
        blob: DigestId,
        mend: Option<Mend>,
        (manifest, there): (DigestId, &Sign),
    ) {
        let at = match self.is_told(Told::Link, blob, manifest) {
            Some(at) => at,
            None => {
                let item = self.layer_item(blob);
                let finding = Finding::new(What::MissingLayerLink, &item);
                let finding = finding.because(self.needed_by(manifest)).of(manifest);
                let finding = finding.while_(Sign::Link(item, Holds::NoDigest));
                self.tell(Told::Link, blob, finding.while_(there.clone()))
            }
        };
        // One manifest that proves it is enough.
        if let Some(mend) = mend.filter(|_| self.findings[at].mend.is_none()) {
            let finding = self.findings[at].clone();
            self.findings[at] = finding.mended_by(mend);
        }
    }

    fn needed_by(&self, manifest: DigestId) -> String {
        format!("manifest {} needs it", self.digest(manifest))
    }

    fn tell(&mut self, told: Told, id: DigestId, finding: Finding) -> usize {
        self.findings.push(finding);
        self.told.insert((told, id), self.findings.len() - 1);
        self.findings.len() - 1
    }

    /// Where it was told that another manifest needs something: it is so whatever becomes of that one.
    fn is_told(&mut self, told: Told, id: DigestId, manifest: DigestId) -> Option<usize> {
        let at = *self.told.get(&(told, id))?;
        self.broken.entry(manifest).or_default().push(at);
        self.findings[at].signs.truncate(1);
        Some(at)
    }

    /// A manifest of an index.
    fn child(&mut self, index: DigestId, child: DigestId, there: &Sign) {
        // What else may be wrong with it is told where it is looked at itself.
        if *self.repository.revision(child) != Link::Absent {
            return;
        }
        let item = self.revision_item(child);
        let detail = format!("index {} names it", self.digest(index));
        let finding = Finding::new(What::MissingChild, &item).because(detail).of(index);
        let finding = finding.while_(there.clone()).while_(Sign::Link(item, Holds::Gone));
        self.findings.push(finding);
    }

    /// A blob that is not right, told once for all that need it.
    fn bad(&mut self, blob: DigestId, bad: &Bad, of: DigestId) {
        let at = match self.told.get(&(Told::Bad, blob)) {
            Some(at) => *at,
            None => {
                let mut finding = bad_blob(&self.digest(blob), bad, true);
                if finding.detail.is_empty() {
                    let is_it = blob == of;
                    finding.detail =
                        if is_it { "it is a manifest".to_owned() } else { self.needed_by(of) };
                }
                self.tell(Told::Bad, blob, finding)
            }
        };
        self.findings[at].heals = false;
        self.broken.entry(of).or_default().push(at);
    }

    /// Links to blobs that lead nowhere.
    fn layers(&mut self) {
        let mut layers: Vec<_> = self.repository.layers.iter().collect();
        layers.sort_by_key(|(id, _)| **id);
        for (id, link) in layers {
            match link {
                Link::Absent => {}
                Link::Unread(_) if self.told.contains_key(&(Told::Unread, *id)) => {}
                Link::Unread(reason) => {
                    let finding = self.unread(*id, reason);
                    self.findings.push(finding);
                }
                Link::Bad(_) => {
                    let detail = "it holds no digest, or another one's";
                    self.dangling(*id, Holds::Nothing, (None, detail));
                }
                Link::Holds(target) => self.target(*id, *target),
            }
        }
    }

    /// A link to a blob that nobody can read.
    fn unread(&self, id: DigestId, reason: &str) -> Finding {
        let item = self.layer_item(id);
        let finding = Finding::new(What::Unreadable, &item).because(reason);
        finding.while_(Sign::Link(item, Holds::Unread))
    }

    /// A link to a blob, and the blob.
    fn target(&mut self, id: DigestId, target: DigestId) {
        let digest = self.digest(target);
        let holds = Holds::Digest(digest);
        match self.blob(target) {
            Is::Good => {}
            Is::Missing => {
                let gone = Some(Sign::Blob(digest, false));
                self.dangling(id, holds, (gone, "its blob is not there"));
            }
            Is::Bad(bad) => {
                let bad = bad.clone();
                if !self.told.contains_key(&(Told::Bad, target)) {
                    let finding = bad_blob(&digest, &bad, self.needed.contains(id));
                    self.tell(Told::Bad, target, finding);
                }
                if bad == Bad::Corrupt {
                    let corrupt = Some(Sign::Corrupt(digest));
                    self.dangling(id, holds, (corrupt, "its blob is corrupt"));
                }
            }
        }
    }

    /// A link that leads nowhere; one that a manifest needs is told of there.
    fn dangling(&mut self, id: DigestId, holds: Holds, (sign, detail): (Option<Sign>, &str)) {
        if self.needed.contains(id) {
            return;
        }
        let item = self.layer_item(id);
        let finding = Finding::new(What::DanglingLayerLink, &item).because(detail);
        let mut finding = finding.while_(Sign::Link(item, holds));
        finding.signs.extend(sign);
        if !self.doubt {
            let repository = self.repository.name.clone();
            finding = finding.mended_by(Mend::Dangling { repository, digest: self.digest(id) });
        }
        self.findings.push(finding);
    }
}
