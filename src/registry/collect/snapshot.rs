//! What a store holds, as a collector remembers it: repositories and digests by number.

use std::{collections::HashMap, time::SystemTime};

use md5::{Digest as _, Md5};
use oci::{RepositoryName, Tag};
use storage::{Found, Item, Listed, Page, Part, Place, UploadId};

use super::note::{Note, Notes};
use crate::digests::{DigestId, DigestSet, Digests};

/// A store.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) digests: Digests,
    pub(crate) blobs: Vec<DigestId>,
    /// The same, to be asked.
    pub(crate) is_blob: DigestSet,
    /// How many bytes they have, where the list has said it.
    pub(crate) sizes: HashMap<DigestId, u64>,
    pub(crate) repositories: Vec<Repository>,
    numbers: HashMap<RepositoryName, usize>,
    /// Whether links stand where nobody could look.
    pub(crate) is_blind: bool,
    /// Whether blobs lie where nobody could look.
    pub(crate) hides_blobs: bool,
    pub(crate) notes: Notes,
}

/// A repository, or a name that has uploads only.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) name: RepositoryName,
    /// Which of a repository's folders are there.
    pub(crate) parts: Parts,
    /// Blobs, by the folders of their links.
    pub(crate) layers: Vec<DigestId>,
    /// Links to blobs that hold another digest than their path: Distribution's form of sha512.
    pub(crate) aliases: Vec<(DigestId, DigestId)>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) tags: Vec<TagLink>,
    pub(crate) history: Vec<(Tag, DigestId)>,
    pub(crate) uploads: Vec<Upload>,
    /// Why anything that it has may be needed.
    pub(crate) doubt: bool,
    /// Whether uploads are under way that nobody could look at.
    pub(crate) hides_uploads: bool,
}

/// The folders that make a repository.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) layers: bool,
    pub(crate) manifests: bool,
    pub(crate) tags: bool,
}

/// A manifest of a repository, by the folder of its link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revision {
    pub(crate) id: DigestId,
    pub(crate) link: Link,
}

/// A tag.
#[derive(Clone, Debug)]
pub(crate) struct TagLink {
    pub(crate) tag: Tag,
    pub(crate) link: Link,
}

/// What a link was found to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    /// Nobody has looked: whatever it may hold is needed.
    Unread,
    Holds(DigestId),
    /// It is not there: only its folder is.
    Absent,
    /// It holds no digest, or cannot be read.
    Unreadable,
}

/// An upload session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// None where nobody knows.
    pub(crate) started: Option<SystemTime>,
}

impl Snapshot {
    /// Adds a page of a survey.
    pub(crate) fn add(&mut self, page: Page) {
        match page {
            Page::Blobs(digests) => {
                for digest in &digests {
                    let id = self.digests.number(digest);
                    if self.is_blob.insert(id) {
                        self.blobs.push(id);
                    }
                }
            }
            Page::Repository { name, found } => {
                let repository = self.number(name);
                for found in found {
                    self.add_found(repository, found);
                }
            }
            Page::Objects(objects) => {
                for object in objects {
                    self.add_object(object);
                }
            }
            Page::Stranger(path) => self.notes.add(Note::Stranger { path }),
            Page::Hidden { place, error } => self.hide(place, &error),
        }
    }

    fn add_found(&mut self, repository: usize, found: Found) {
        let (digests, repository) = (&mut self.digests, &mut self.repositories[repository]);
        match found {
            Found::Part(Part::Layers) => repository.parts.layers = true,
            Found::Part(Part::Manifests) => repository.parts.manifests = true,
            Found::Part(Part::Tags) => repository.parts.tags = true,
            Found::Layer(digest) => repository.layers.push(digests.number(&digest)),
            Found::Revision(digest) => {
                let id = digests.number(&digest);
                repository.revisions.push(Revision { id, link: Link::Unread });
            }
            Found::Tag(tag) => repository.tags.push(TagLink { tag, link: Link::Unread }),
            Found::TagIndex(tag, digest) => {
                repository.history.push((tag, digests.number(&digest)));
            }
            Found::Upload(id) => repository.uploads.push(Upload { id, started: None }),
        }
    }

    fn add_object(&mut self, Listed { item, size, tag }: Listed) {
        let (name, found) = match item {
            Item::Blob(digest) => {
                self.add(Page::Blobs(vec![digest]));
                self.sizes.insert(self.digests.number(&digest), size);
                return;
            }
            // It never changes, so that it does not matter how old the list is.
            Item::Revision(name, digest) if tag == Some(Md5::digest(digest.to_string()).into()) => {
                let (id, repository) = (self.digests.number(&digest), self.number(name));
                let revision = Revision { id, link: Link::Holds(id) };
                return self.repositories[repository].revisions.push(revision);
            }
            Item::Layer(name, digest) => (name, Found::Layer(digest)),
            Item::Revision(name, digest) => (name, Found::Revision(digest)),
            Item::Tag(name, tag) => (name, Found::Tag(tag)),
            Item::TagIndex(name, tag, digest) => (name, Found::TagIndex(tag, digest)),
            Item::UploadStartedAt(name, id) => (name, Found::Upload(id)),
            Item::Repository(_) => return,
        };
        self.add(Page::Repository { name, found: vec![found] });
    }

    /// The links of what could not be listed may lead anywhere.
    fn hide(&mut self, place: Place, error: &storage::Error) {
        self.notes.add(Note::hidden(error));
        match place {
            Place::Blobs => self.hides_blobs = true,
            Place::Repositories | Place::Content(_) => self.is_blind = true,
            Place::Tags(name) => {
                let number = self.number(name);
                self.repositories[number].doubt = true;
            }
            Place::Uploads(name) => {
                let number = self.number(name);
                self.repositories[number].hides_uploads = true;
            }
        }
    }

    fn number(&mut self, name: RepositoryName) -> usize {
        let Self { numbers, repositories, .. } = self;
        *numbers.entry(name).or_insert_with_key(|name| {
            repositories.push(Repository::new(name.clone()));
            repositories.len() - 1
        })
    }
}

impl Repository {
    fn new(name: RepositoryName) -> Self {
        Self {
            name,
            parts: Parts::default(),
            layers: Vec::new(),
            aliases: Vec::new(),
            revisions: Vec::new(),
            tags: Vec::new(),
            history: Vec::new(),
            uploads: Vec::new(),
            doubt: false,
            hides_uploads: false,
        }
    }

    /// Whether a catalog lists it.
    pub(crate) fn is_listed(&self) -> bool {
        self.parts.layers || self.parts.manifests
    }
}

impl Revision {
    /// Whether the repository has the manifest, as far as anybody knows.
    pub(crate) fn is_there(&self) -> bool {
        self.link != Link::Absent
    }

    /// The digest whose bytes the manifest is.
    pub(crate) fn canonical(&self) -> DigestId {
        match self.link {
            Link::Holds(id) => id,
            Link::Unread | Link::Absent | Link::Unreadable => self.id,
        }
    }
}
