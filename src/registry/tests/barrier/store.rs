//! What is in the model's storage: one layer, a manifest that refers to it, and an index that refers to that one, in two
//! repositories with a tag each.

/// Something with a digest.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Item {
    Layer,
    Manifest,
    Index,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Repository {
    R,
    S,
}

/// One object of the storage, besides tags.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Object {
    Blob(Item),
    /// A layer's link, or a manifest's revision.
    Link(Repository, Item),
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Store {
    objects: u16,
    tags: [Option<Item>; 2],
}

impl Item {
    pub(crate) const ALL: [Self; 3] = [Self::Layer, Self::Manifest, Self::Index];

    /// What its bytes name.
    pub(crate) fn refers_to(self) -> Option<Self> {
        match self {
            Self::Layer => None,
            Self::Manifest => Some(Self::Layer),
            Self::Index => Some(Self::Manifest),
        }
    }

    /// Itself, and all that can be reached from it.
    pub(crate) fn closure(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |item| item.refers_to())
    }
}

impl Repository {
    pub(crate) const ALL: [Self; 2] = [Self::R, Self::S];
}

impl Object {
    fn bit(self) -> u16 {
        1 << match self {
            Self::Blob(item) => item as u16,
            Self::Link(repository, item) => 3 + 3 * (repository as u16) + item as u16,
        }
    }
}

impl Store {
    pub(crate) fn has(&self, object: Object) -> bool {
        self.objects & object.bit() != 0
    }

    pub(crate) fn put(&mut self, object: Object) {
        self.objects |= object.bit();
    }

    pub(crate) fn delete(&mut self, object: Object) {
        self.objects &= !object.bit();
    }

    pub(crate) fn tag(&self, repository: Repository) -> Option<Item> {
        self.tags[repository as usize]
    }

    pub(crate) fn set_tag(&mut self, repository: Repository, item: Option<Item>) {
        self.tags[repository as usize] = item;
    }

    /// Whether the repository serves it: link and bytes.
    pub(crate) fn serves(&self, repository: Repository, item: Item) -> bool {
        self.has(Object::Link(repository, item)) && self.has(Object::Blob(item))
    }

    fn with(mut self, repository: Repository, item: Item) -> Self {
        for item in item.closure() {
            self.put(Object::Blob(item));
            self.put(Object::Link(repository, item));
        }
        self
    }

    pub(crate) fn with_layer(self, repository: Repository) -> Self {
        self.with(repository, Item::Layer)
    }

    pub(crate) fn with_manifest(self, repository: Repository) -> Self {
        self.with(repository, Item::Manifest)
    }

    pub(crate) fn with_index(self, repository: Repository) -> Self {
        self.with(repository, Item::Index)
    }

    pub(crate) fn tagged(mut self, repository: Repository, item: Item) -> Self {
        self.set_tag(repository, Some(item));
        self
    }

    pub(crate) fn has_only_whole_tags(&self) -> bool {
        Repository::ALL.into_iter().all(|repository| {
            let tagged = self.tag(repository).into_iter().flat_map(Item::closure);
            tagged.into_iter().all(|item| self.serves(repository, item))
        })
    }

    pub(crate) fn holds_only_what_tags_need(&self) -> bool {
        let needs = |repository: Repository, item: Item| {
            self.tag(repository).into_iter().flat_map(Item::closure).any(|needed| needed == item)
        };
        Item::ALL.into_iter().all(|item| {
            let anywhere = Repository::ALL.into_iter().any(|repository| needs(repository, item));
            let links = Repository::ALL.into_iter().all(|repository| {
                self.has(Object::Link(repository, item)) == needs(repository, item)
            });
            links && self.has(Object::Blob(item)) == anywhere
        })
    }
}
