//! A store in memory: which blobs it has, and what each link of each repository holds.

use std::{
    collections::{BTreeMap, HashMap},
    str,
};

use bytes::Bytes;
use oci::{Digest, RepositoryName, Tag};
use storage::{Bulk, Collected, Error, Found, Item, Kind, Listed, Page, Part};

use super::{
    Stop,
    progress::{Phase, Progress},
};
use crate::{
    content::leads_right,
    digests::{DigestId, Digests},
    log::told,
};

/// `sha512:` and 128 hex digits are 135 bytes; what is longer is no link.
const LINK_BYTES: usize = 160;

/// How much is asked for at once.
const BATCH: usize = 8192;

/// As many oddities are kept of each kind.
const LISTED: usize = 1000;

/// What a link was found to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Link {
    Holds(DigestId),
    /// It is not there; perhaps its folder is.
    Absent,
    /// It is there, and leads nowhere; what it may have been meant to hold.
    Bad(Option<DigestId>),
    /// It cannot be read, and why.
    Unread(String),
}

/// A link's content, before digests have numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Held {
    Digest(Digest),
    Absent,
    Bad(Option<Digest>),
    Unread(String),
}

/// A store.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) digests: Digests,
    /// Blobs by their folders, whose bytes may be gone.
    pub(super) listed: Vec<DigestId>,
    /// The lengths of those whose bytes are there.
    pub(super) sizes: HashMap<DigestId, u64>,
    pub(super) repositories: BTreeMap<String, Repository>,
    /// What could not be looked at; the first of it.
    pub(super) problems: Vec<String>,
    /// What no registry has put there; the first of it.
    pub(super) strangers: Vec<String>,
}

/// A repository, or a name that has uploads only.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) name: RepositoryName,
    pub(super) parts: Vec<Part>,
    pub(super) layers: HashMap<DigestId, Link>,
    pub(super) revisions: HashMap<DigestId, Link>,
    pub(super) tags: BTreeMap<Tag, Link>,
    pub(super) history: BTreeMap<Tag, HashMap<DigestId, Link>>,
}

impl Held {
    /// What the content of a link means.
    pub(super) fn of(item: &Item, bytes: Result<Bytes, Error>) -> Self {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Self::Absent,
            Err(error) if error.kind() == Kind::TooLarge => Bytes::new(),
            Err(error) => return Self::Unread(told(&error)),
        };
        let text = str::from_utf8(&bytes).unwrap_or_default();
        let own = own(item);
        let is_right = |held: &Digest| own.is_none_or(|own| leads_right(&own, Some(*held)));
        match (text.parse().ok(), text.trim().parse().ok()) {
            (Some(held), _) if is_right(&held) => Self::Digest(held),
            (Some(_), _) => Self::Bad(None),
            (None, meant) => Self::Bad(meant),
        }
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

/// Reads links.
pub(super) async fn hold<S: Bulk>(store: &S, links: Vec<Item>) -> Result<Vec<Held>, Error> {
    store.read(links, LINK_BYTES, Held::of).await
}

impl Inventory {
    /// Lists a store, and reads every link.
    pub(super) async fn read(
        store: &Collected,
        stop: Stop<'_>,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Self, super::Error> {
        let mut inventory = Self::default();
        watch(Progress::Begun(Phase::Listing, None));
        let mut survey = store.survey_in_detail();
        while let Some(page) = survey.next().await? {
            stop.check()?;
            watch(Progress::Advanced { objects: page.len() as u64, bytes: 0 });
            inventory.add(page);
        }
        inventory.follow(store, stop, watch).await?;
        inventory.measure(store, stop).await?;
        Ok(inventory)
    }

    /// Asks how long blobs are where the list has not said it, and so whether they are there.
    async fn measure(&mut self, store: &Collected, stop: Stop<'_>) -> Result<(), super::Error> {
        let Self { digests, listed, sizes, problems, .. } = self;
        listed.sort_by_cached_key(|id| digests.digest(*id));
        let unknown: Vec<_> = listed.iter().filter(|id| !sizes.contains_key(*id)).collect();
        for some in unknown.chunks(BATCH) {
            stop.check()?;
            let items = some.iter().map(|id| Item::Blob(digests.digest(**id))).collect();
            for (id, stat) in some.iter().zip(store.stat(items).await?) {
                match stat {
                    Ok(stat) => drop(sizes.insert(**id, stat.size)),
                    Err(error) if error.is_not_found() => {}
                    Err(error) => push(problems, told(&error)),
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, page: Page) {
        match page {
            Page::Blobs(blobs) => blobs.iter().for_each(|blob| self.add_blob(blob)),
            Page::Repository { name, found } => {
                for found in found {
                    self.add_found(&name, found);
                }
            }
            Page::Objects(objects) => {
                for Listed { item, size, .. } in objects {
                    if let Item::Blob(digest) = &item {
                        let id = self.digests.number(digest);
                        self.sizes.insert(id, size);
                    }
                    self.add_item(item);
                }
            }
            Page::Stranger(path) => push(&mut self.strangers, path),
            Page::Hidden { error, .. } => push(&mut self.problems, told(&error)),
        }
    }

    fn add_item(&mut self, item: Item) {
        match item {
            Item::Blob(digest) => self.add_blob(&digest),
            Item::Layer(name, digest) => self.add_found(&name, Found::Layer(digest)),
            Item::Revision(name, digest) => self.add_found(&name, Found::Revision(digest)),
            Item::Tag(name, tag) => self.add_found(&name, Found::Tag(tag)),
            Item::TagIndex(name, tag, digest) => {
                self.add_found(&name, Found::TagIndex(tag, digest));
            }
            Item::UploadStartedAt(..) | Item::Repository(_) => {}
        }
    }

    fn add_blob(&mut self, blob: &Digest) {
        self.listed.push(self.digests.number(blob));
    }

    fn add_found(&mut self, name: &RepositoryName, found: Found) {
        let Self { digests, repositories, .. } = self;
        let repository = match repositories.get_mut(name.as_str()) {
            Some(repository) => repository,
            None => repositories
                .entry(name.to_string())
                .or_insert_with(|| Repository::new(name.clone())),
        };
        match found {
            Found::Part(part) if repository.parts.contains(&part) => {}
            Found::Part(part) => repository.parts.push(part),
            Found::Layer(digest) => {
                repository.layers.insert(digests.number(&digest), Link::Absent);
            }
            Found::Revision(digest) => {
                repository.revisions.insert(digests.number(&digest), Link::Absent);
            }
            Found::Tag(tag) => {
                repository.tags.insert(tag, Link::Absent);
            }
            Found::TagIndex(tag, digest) => {
                let id = digests.number(&digest);
                repository.history.entry(tag).or_default().insert(id, Link::Absent);
            }
            Found::Upload(_) => {}
        }
    }

    /// Reads what links hold, many at a time.
    async fn follow(
        &mut self,
        store: &Collected,
        stop: Stop<'_>,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), super::Error> {
        let count: usize = self.repositories.values().map(Repository::count).sum();
        watch(Progress::Begun(Phase::Links, Some((count as u64, 0))));
        let names: Vec<String> = self.repositories.keys().cloned().collect();
        let mut waiting = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let repository = self.repositories.get(name);
            waiting.extend(repository.into_iter().flat_map(|it| it.links(&self.digests)));
            while waiting.len() >= BATCH || (number + 1 == names.len() && !waiting.is_empty()) {
                stop.check()?;
                let rest = waiting.split_off(waiting.len().min(BATCH));
                let some = std::mem::replace(&mut waiting, rest);
                let held = hold(store, some.clone()).await?;
                for (item, held) in some.iter().zip(held) {
                    self.put(item, held);
                }
                watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
            }
        }
        Ok(())
    }

    fn put(&mut self, item: &Item, held: Held) {
        let link = match held {
            Held::Digest(digest) => Link::Holds(self.digests.number(&digest)),
            Held::Absent => Link::Absent,
            Held::Bad(meant) => Link::Bad(meant.map(|digest| self.digests.number(&digest))),
            Held::Unread(reason) => Link::Unread(reason),
        };
        let (Item::Layer(name, _)
        | Item::Revision(name, _)
        | Item::Tag(name, _)
        | Item::TagIndex(name, ..)) = item
        else {
            return;
        };
        let id = own(item).map(|digest| self.digests.number(&digest));
        let Some(repository) = self.repositories.get_mut(name.as_str()) else { return };
        match (item, id) {
            (Item::Layer(..), Some(id)) => drop(repository.layers.insert(id, link)),
            (Item::Revision(..), Some(id)) => drop(repository.revisions.insert(id, link)),
            (Item::TagIndex(_, tag, _), Some(id)) => {
                repository.history.entry(tag.clone()).or_default().insert(id, link);
            }
            (Item::Tag(_, tag), _) => drop(repository.tags.insert(tag.clone(), link)),
            _ => {}
        }
    }
}

impl Repository {
    fn new(name: RepositoryName) -> Self {
        Self {
            name,
            parts: Vec::new(),
            layers: HashMap::new(),
            revisions: HashMap::new(),
            tags: BTreeMap::new(),
            history: BTreeMap::new(),
        }
    }

    /// How many links it has.
    fn count(&self) -> usize {
        let history: usize = self.history.values().map(HashMap::len).sum();
        self.layers.len() + self.revisions.len() + self.tags.len() + history
    }

    fn links<'a>(&'a self, digests: &'a Digests) -> impl Iterator<Item = Item> + 'a {
        let name = &self.name;
        let digest = |id: &DigestId| digests.digest(*id);
        let layers = self.layers.keys().map(move |id| Item::Layer(name.clone(), digest(id)));
        let revisions =
            self.revisions.keys().map(move |id| Item::Revision(name.clone(), digest(id)));
        let tags = self.tags.keys().map(move |tag| Item::Tag(name.clone(), tag.clone()));
        let history = self.history.iter().flat_map(move |(tag, entries)| {
            entries.keys().map(move |id| Item::TagIndex(name.clone(), tag.clone(), digest(id)))
        });
        layers.chain(revisions).chain(tags).chain(history)
    }

    /// What a link to a manifest holds.
    pub(super) fn revision(&self, id: DigestId) -> &Link {
        self.revisions.get(&id).unwrap_or(&Link::Absent)
    }
}

/// Keeps the first of what there may be millions of.
fn push<T>(list: &mut Vec<T>, one: T) {
    if list.len() < LISTED {
        list.push(one);
    }
}
