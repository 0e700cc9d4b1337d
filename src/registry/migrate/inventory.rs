//! A side in memory: which objects it has, how long its blobs are, and what its links hold.
//!
//! Lists of buckets say of each object an MD5, or something like it: links are known by it without being read. Where a list
//! says nothing, blobs are measured and links read, many at a time. Digests are kept once, so that a million objects take
//! less than 100 MB.

use std::collections::HashMap;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use oci::{Digest, RepositoryName, Tag};
use storage::{Bulk as _, Collected, Folder, Found, Item, Listed, Page, Part, Survey};

use super::{difference::Problem, progress::Progress};
use crate::digests::{DigestId, Digests};

/// `sha512:` and 128 hex digits are 135 bytes; what is longer is no link.
pub(super) const LINK_BYTES: usize = 160;

/// As many oddities are kept of each kind.
pub(super) const LISTED: usize = 1000;

/// How much is asked for at once.
const BATCH: usize = 4096;

/// What a link holds, as far as that is needed to tell two apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// The digest that its path says, and nothing else.
    Own,
    /// Bytes of this MD5, or what a bucket says instead.
    Tag([u8; 16]),
}

/// What both sides have of an object.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum State {
    /// The target has not.
    #[default]
    Missing,
    Same,
    Differs,
}

/// An object of a listing.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) item: Item,
    pub(super) size: u64,
    /// None for a blob.
    pub(super) content: Option<Content>,
    /// Whether its content was read, not merely told by a list.
    pub(super) is_sure: bool,
}

/// A side.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) digests: Digests,
    pub(super) blobs: HashMap<DigestId, (u64, State)>,
    pub(super) repositories: Vec<Repository>,
    pub(super) numbers: HashMap<RepositoryName, usize>,
    /// Whether all links were read.
    pub(super) is_sure: bool,
}

/// A repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) name: RepositoryName,
    pub(super) parts: Vec<Part>,
    pub(super) layers: HashMap<DigestId, Link>,
    pub(super) revisions: HashMap<DigestId, Link>,
    pub(super) history: HashMap<(Tag, DigestId), Link>,
    pub(super) tags: HashMap<Tag, Link>,
}

/// A link of a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) content: Content,
    pub(super) state: State,
}

/// Lists a store and fills in what the lists do not say.
pub(super) struct Lister<'a> {
    store: &'a Collected,
    survey: Survey,
    /// To be measured or read.
    waiting: Vec<Item>,
    is_over: bool,
    /// Folders that make repositories.
    pub(super) parts: Vec<(RepositoryName, Part)>,
    /// What could not be looked at; the first of it.
    pub(super) problems: Vec<Problem>,
    /// What no registry has put there; the first of it.
    pub(super) strangers: Vec<String>,
    /// Folders of upload sessions; the first of them.
    pub(super) uploads: Vec<String>,
}

impl Content {
    pub(super) fn of(item: &Item, bytes: &[u8]) -> Self {
        let is_own = own(item).is_some_and(|own| own.to_string().as_bytes() == bytes);
        if is_own { Self::Own } else { Self::Tag(md5(bytes)) }
    }

    fn of_tag(item: &Item, tag: [u8; 16]) -> Self {
        let is_own = own(item).is_some_and(|own| md5(own.to_string().as_bytes()) == tag);
        if is_own { Self::Own } else { Self::Tag(tag) }
    }
}

/// The digest in the path of a link.
fn own(item: &Item) -> Option<Digest> {
    match item {
        Item::Layer(_, digest) | Item::Revision(_, digest) | Item::TagIndex(_, _, digest) => {
            Some(*digest)
        }
        Item::Tag(..) | Item::Blob(_) | Item::UploadStartedAt(..) | Item::Repository(_) => None,
    }
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

impl<'a> Lister<'a> {
    pub(super) fn new(store: &'a Collected) -> Self {
        Self {
            store,
            survey: store.survey_in_detail(),
            waiting: Vec::new(),
            is_over: false,
            parts: Vec::new(),
            problems: Vec::new(),
            strangers: Vec::new(),
            uploads: Vec::new(),
        }
    }

    /// The next objects; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Seen>>, storage::Error> {
        loop {
            if self.waiting.len() >= BATCH || (self.is_over && !self.waiting.is_empty()) {
                let rest = self.waiting.split_off(self.waiting.len().min(BATCH));
                let some = std::mem::replace(&mut self.waiting, rest);
                return self.look(some).await.map(Some);
            }
            if self.is_over {
                return Ok(None);
            }
            match self.survey.next().await? {
                None => self.is_over = true,
                Some(Page::Objects(objects)) => return Ok(Some(self.listed(objects))),
                Some(Page::Blobs(digests)) => {
                    self.waiting.extend(digests.into_iter().map(Item::Blob));
                }
                Some(Page::Repository { name, found }) => self.found(&name, found),
                Some(Page::Stranger(path)) => push(&mut self.strangers, path),
                Some(Page::Hidden { error, .. }) => {
                    push(&mut self.problems, Problem::of(&error));
                }
            }
        }
    }

    fn found(&mut self, name: &RepositoryName, found: Vec<Found>) {
        for found in found {
            let item = match found {
                Found::Part(part) => {
                    self.parts.push((name.clone(), part));
                    continue;
                }
                Found::Layer(digest) => Item::Layer(name.clone(), digest),
                Found::Revision(digest) => Item::Revision(name.clone(), digest),
                Found::Tag(tag) => Item::Tag(name.clone(), tag),
                Found::TagIndex(tag, digest) => Item::TagIndex(name.clone(), tag, digest),
                // Clients begin them again.
                Found::Upload(id) => {
                    push(&mut self.uploads, Folder::Upload(name, &id).to_string());
                    continue;
                }
            };
            self.waiting.push(item);
        }
    }

    fn listed(&mut self, objects: Vec<Listed>) -> Vec<Seen> {
        let mut seen = Vec::with_capacity(objects.len());
        for Listed { item, size, tag } in objects {
            let content = match (&item, tag) {
                (Item::Blob(_), _) => None,
                (_, Some(tag)) => Some(Content::of_tag(&item, tag)),
                (_, None) => {
                    self.waiting.push(item);
                    continue;
                }
            };
            seen.push(Seen { item, size, content, is_sure: false });
        }
        seen
    }

    /// Measures blobs and reads links.
    async fn look(&mut self, items: Vec<Item>) -> Result<Vec<Seen>, storage::Error> {
        let (blobs, links): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| matches!(item, Item::Blob(_)));
        let sizes = self.store.stat(blobs.clone()).await?;
        let sizes = sizes.into_iter().map(|stat| stat.map(|stat| (stat.size, None)));
        let contents = self.store.read(links.clone(), LINK_BYTES, look).await?;
        let all = blobs.into_iter().zip(sizes).chain(links.into_iter().zip(contents));
        let mut seen = Vec::new();
        for (item, looked) in all {
            match looked {
                Ok((size, content)) => seen.push(Seen { item, size, content, is_sure: true }),
                // Only its folder is there, or it went since it was listed.
                Err(error) if error.is_not_found() => {}
                Err(error) => push(&mut self.problems, Problem::of(&error)),
            }
        }
        Ok(seen)
    }
}

/// Keeps the first of what there may be millions of.
fn push<T>(list: &mut Vec<T>, one: T) {
    if list.len() < LISTED {
        list.push(one);
    }
}

fn look(
    item: &Item,
    bytes: Result<Bytes, storage::Error>,
) -> Result<(u64, Option<Content>), storage::Error> {
    bytes.map(|bytes| (bytes.len() as u64, Some(Content::of(item, &bytes))))
}

impl Inventory {
    /// Reads a whole side. What could not be looked at stands in the lister afterwards.
    pub(super) async fn read(
        lister: &mut Lister<'_>,
        mut each: impl FnMut(&Seen),
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Self, storage::Error> {
        let mut inventory = Self { is_sure: true, ..Self::default() };
        while let Some(some) = lister.next().await? {
            watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
            for seen in some {
                each(&seen);
                inventory.add(seen);
            }
        }
        for (name, part) in std::mem::take(&mut lister.parts) {
            inventory.add_part(&name, part);
        }
        Ok(inventory)
    }

    fn add(&mut self, seen: Seen) {
        self.add_as(seen, State::Missing);
    }

    /// Adds an object that the target has, or has not.
    pub(super) fn add_as(&mut self, seen: Seen, state: State) {
        let Seen { item, size, content, is_sure } = seen;
        let Some(content) = content else {
            if let Item::Blob(digest) = item {
                self.blobs.insert(self.digests.number(&digest), (size, state));
            }
            return;
        };
        self.is_sure &= is_sure;
        let link = Link { content, state };
        match item {
            Item::Layer(name, digest) => {
                let id = self.digests.number(&digest);
                let number = self.number(&name);
                self.repositories[number].layers.insert(id, link);
            }
            Item::Revision(name, digest) => {
                let id = self.digests.number(&digest);
                let number = self.number(&name);
                self.repositories[number].revisions.insert(id, link);
            }
            Item::TagIndex(name, tag, digest) => {
                let id = self.digests.number(&digest);
                let number = self.number(&name);
                self.repositories[number].history.insert((tag, id), link);
            }
            Item::Tag(name, tag) => {
                let number = self.number(&name);
                self.repositories[number].tags.insert(tag, link);
            }
            Item::Blob(_) | Item::UploadStartedAt(..) | Item::Repository(_) => {}
        }
    }

    /// Notes a folder of a repository.
    pub(super) fn add_part(&mut self, name: &RepositoryName, part: Part) {
        let number = self.number(name);
        let parts = &mut self.repositories[number].parts;
        if !parts.contains(&part) {
            parts.push(part);
        }
    }

    /// Removes an object; returns its length, where that is known, and what the target has of it.
    pub(super) fn remove(&mut self, item: &Item) -> Option<(Option<u64>, State)> {
        if let Item::Blob(digest) = item {
            let id = self.digests.find(digest)?;
            return self.blobs.remove(&id).map(|(size, state)| (Some(size), state));
        }
        let id = own(item).map(|digest| self.digests.find(&digest));
        let (Item::Layer(name, _)
        | Item::Revision(name, _)
        | Item::TagIndex(name, ..)
        | Item::Tag(name, _)) = item
        else {
            return None;
        };
        let repository = &mut self.repositories[*self.numbers.get(name)?];
        let link = match item {
            Item::Layer(..) => repository.layers.remove(&id??),
            Item::Revision(..) => repository.revisions.remove(&id??),
            Item::TagIndex(_, tag, _) => repository.history.remove(&(tag.clone(), id??)),
            Item::Tag(_, tag) => repository.tags.remove(tag),
            Item::Blob(_) | Item::UploadStartedAt(..) | Item::Repository(_) => None,
        };
        link.map(|link| (None, link.state))
    }

    fn number(&mut self, name: &RepositoryName) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.repositories.len();
        self.repositories.push(Repository {
            name: name.clone(),
            parts: Vec::new(),
            layers: HashMap::new(),
            revisions: HashMap::new(),
            history: HashMap::new(),
            tags: HashMap::new(),
        });
        self.numbers.insert(name.clone(), number);
        number
    }

    /// The state of a link, and what it holds; none if it is not there.
    pub(super) fn link(&mut self, item: &Item) -> Option<&mut Link> {
        let id = own(item).map(|digest| self.digests.find(&digest));
        let repository = |name| self.numbers.get(name).copied();
        match item {
            Item::Layer(name, _) => {
                let number = repository(name)?;
                self.repositories[number].layers.get_mut(&id??)
            }
            Item::Revision(name, _) => {
                let number = repository(name)?;
                self.repositories[number].revisions.get_mut(&id??)
            }
            Item::TagIndex(name, tag, _) => {
                let number = repository(name)?;
                self.repositories[number].history.get_mut(&(tag.clone(), id??))
            }
            Item::Tag(name, tag) => {
                let number = repository(name)?;
                self.repositories[number].tags.get_mut(tag)
            }
            Item::Blob(_) | Item::UploadStartedAt(..) | Item::Repository(_) => None,
        }
    }

    /// Whether it has anything of a tag.
    pub(super) fn has_tag(&self, name: &RepositoryName, tag: &Tag) -> bool {
        self.numbers.get(name).is_some_and(|number| {
            let Repository { tags, history, .. } = &self.repositories[*number];
            tags.contains_key(tag) || history.keys().any(|(it, _)| it == tag)
        })
    }

    /// The blob's size and state; none if it is not there.
    pub(super) fn blob(&mut self, digest: &Digest) -> Option<&mut (u64, State)> {
        self.blobs.get_mut(&self.digests.find(digest)?)
    }
}

impl Repository {
    /// Its links of each rank: what stands first is put first.
    pub(super) fn contents<'a>(
        &'a self,
        digests: &'a Digests,
    ) -> impl Iterator<Item = (Item, Link)> + 'a {
        let layers = self
            .layers
            .iter()
            .map(|(id, link)| (Item::Layer(self.name.clone(), digests.digest(*id)), *link));
        let revisions = self
            .revisions
            .iter()
            .map(|(id, link)| (Item::Revision(self.name.clone(), digests.digest(*id)), *link));
        layers.chain(revisions)
    }

    pub(super) fn histories<'a>(
        &'a self,
        digests: &'a Digests,
    ) -> impl Iterator<Item = (Item, Link)> + 'a {
        self.history.iter().map(|((tag, id), link)| {
            (Item::TagIndex(self.name.clone(), tag.clone(), digests.digest(*id)), *link)
        })
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (Item, Link)> + '_ {
        self.tags.iter().map(|(tag, link)| (Item::Tag(self.name.clone(), tag.clone()), *link))
    }

    /// Its folders that nothing is in.
    pub(super) fn empty(&self) -> impl Iterator<Item = Part> + '_ {
        let has_tags = !self.tags.is_empty() || !self.history.is_empty();
        self.parts.iter().copied().filter(move |part| match part {
            Part::Layers => self.layers.is_empty(),
            Part::Manifests => self.revisions.is_empty() && !has_tags,
            Part::Tags => !has_tags,
        })
    }
}
