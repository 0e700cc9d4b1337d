//! The model's registry: leases, locks, clients and what each does in one step.

use super::{
    collector::Collector,
    store::{Item, Object, Repository, Store},
};

/// A rule of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// A deletion waits for whoever relies on the digest.
    Lock,
    /// Who was told that something is there has leased it.
    AnswersLease,
    /// A push leases what its manifest refers to, while that is locked.
    PushesLeaseReferences,
    /// A manifest that is deleted leases what it refers to.
    DeletesLeaseReferences,
    /// A manifest is asked for before what it refers to.
    ParentsFirst,
    /// What a kept manifest refers to is kept.
    WhatIsKeptIsARoot,
    /// No promise ends before the collection in which it was made.
    PromisesLast,
}

/// The rules that hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    without: Option<Rule>,
}

/// What a client does, a step after the other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Client {
    steps: Vec<Step>,
    at: usize,
    /// Holds the locks of a push.
    pushes: Option<(Repository, Item)>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Step {
    /// Asks for a layer, and uploads it if it is not there.
    AskForLayer(Repository),
    Mount(Repository, Repository),
    /// Takes the locks of a push and looks for what the manifest refers to.
    Begin(Repository, Item),
    WriteBlob,
    WriteRevision,
    /// Points the tag, and lets go of the locks.
    WriteTag,
    /// Reads a tag, and is promised what it points to.
    GetTag(Repository),
    Get(Repository, Item),
    /// Gets what the last manifest refers to, which was promised.
    GetReference(Repository, Item),
    DeleteTag(Repository),
    DeleteManifest(Repository),
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct World {
    pub(crate) store: Store,
    /// Somebody was not given what was promised.
    pub(crate) is_promise_broken: bool,
    leases: u8,
    clients: Vec<Client>,
    collector: Collector,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Action {
    Client(usize),
    Read(usize),
    Delete,
    /// So much time passes that promises end.
    Forget,
}

impl Rule {
    pub(crate) const ALL: [Self; 7] = [
        Self::Lock,
        Self::AnswersLease,
        Self::PushesLeaseReferences,
        Self::DeletesLeaseReferences,
        Self::ParentsFirst,
        Self::WhatIsKeptIsARoot,
        Self::PromisesLast,
    ];
}

impl Protocol {
    pub(crate) fn whole() -> Self {
        Self { without: None }
    }

    pub(crate) fn without(rule: Rule) -> Self {
        Self { without: Some(rule) }
    }

    pub(crate) fn has(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

impl Client {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), at: 0, pushes: None }
    }

    fn pushing(repository: Repository, item: Item) -> [Step; 4] {
        [Step::Begin(repository, item), Step::WriteBlob, Step::WriteRevision, Step::WriteTag]
    }

    /// Pushes all that an image consists of, leaving out what is there.
    pub(crate) fn push(repository: Repository, item: Item) -> Self {
        let mut steps = vec![Step::AskForLayer(repository)];
        steps.extend(Self::pushing(repository, Item::Manifest));
        if item == Item::Index {
            steps.extend(Self::pushing(repository, Item::Index));
        }
        Self::new(steps)
    }

    /// Pushes an index of a manifest that may be there.
    pub(crate) fn adopt(repository: Repository) -> Self {
        Self::new(Self::pushing(repository, Item::Index))
    }

    pub(crate) fn mount(from: Repository, to: Repository) -> Self {
        let push = Self::pushing(to, Item::Manifest);
        Self::new([Step::Mount(from, to)].into_iter().chain(push))
    }

    pub(crate) fn pull(repository: Repository) -> Self {
        Self::new([Step::GetTag(repository)])
    }

    pub(crate) fn pull_by_digest(repository: Repository, item: Item) -> Self {
        Self::new([Step::Get(repository, item)])
    }

    pub(crate) fn delete_tag(repository: Repository) -> Self {
        Self::new([Step::DeleteTag(repository)])
    }

    pub(crate) fn delete_manifest(repository: Repository) -> Self {
        Self::new([Step::DeleteManifest(repository)])
    }

    fn next(&self) -> Option<Step> {
        self.steps.get(self.at).copied()
    }

    /// Whether it relies on an item, so that nobody may delete it.
    fn locks(&self, item: Item) -> bool {
        self.pushes.is_some_and(|(_, pushed)| pushed == item || pushed.refers_to() == Some(item))
    }

    /// Whether it holds an item's lock alone.
    fn locks_alone(&self, item: Item) -> bool {
        self.pushes.is_some_and(|(_, pushed)| pushed == item)
    }

    fn give_up(&mut self) {
        self.at = self.steps.len();
        self.pushes = None;
    }
}

impl World {
    pub(crate) fn new(store: Store, clients: Vec<Client>) -> Self {
        let collector = Collector::default();
        Self { store, is_promise_broken: false, leases: 0, clients, collector }
    }

    pub(crate) fn actions(&self, actions: &mut Vec<Action>) {
        let busy = self.clients.iter().enumerate().filter(|(_, client)| client.next().is_some());
        actions.extend(busy.map(|(index, _)| Action::Client(index)));
        actions.extend(self.collector.unread().map(Action::Read));
        if self.collector.next().is_some() {
            actions.push(Action::Delete);
        }
        if self.leases != 0 {
            actions.push(Action::Forget);
        }
    }

    /// None: it has to wait for a lock.
    pub(crate) fn after(&self, action: Action, protocol: Protocol) -> Option<Self> {
        let mut next = self.clone();
        match action {
            Action::Client(index) => next.act(index, protocol)?,
            Action::Read(part) => next.collector.read(part, &self.store, protocol),
            Action::Delete => next.delete(protocol)?,
            Action::Forget if protocol.has(Rule::PromisesLast) => return None,
            Action::Forget => next.leases = 0,
        }
        Some(next)
    }

    /// What the registry does for the collection: under the digest's lock it looks at the leases and deletes.
    fn delete(&mut self, protocol: Protocol) -> Option<()> {
        let object = self.collector.next()?;
        let (Object::Blob(item) | Object::Link(_, item)) = object;
        if protocol.has(Rule::Lock) && self.clients.iter().any(|client| client.locks(item)) {
            return None;
        }
        let is_kept = self.is_leased(item);
        if !is_kept {
            self.store.delete(object);
        }
        self.collector.answered(is_kept, protocol);
        Some(())
    }

    fn act(&mut self, index: usize, protocol: Protocol) -> Option<()> {
        let step = self.clients[index].next()?;
        self.clients[index].at += 1;
        let pushed = self.clients[index].pushes;
        match step {
            Step::AskForLayer(repository) => self.ask_for_layer(index, repository, protocol)?,
            Step::Mount(from, to) => self.mount(index, (from, to), protocol),
            Step::Begin(repository, item) => self.begin(index, (repository, item), protocol)?,
            Step::WriteBlob => self.store.put(Object::Blob(pushed?.1)),
            Step::WriteRevision => self.store.put(Object::Link(pushed?.0, pushed?.1)),
            Step::WriteTag => {
                let (repository, item) = pushed?;
                self.store.set_tag(repository, Some(item));
                self.answer(item, protocol);
                self.clients[index].pushes = None;
            }
            Step::GetTag(repository) => {
                if let Some(item) = self.store.tag(repository) {
                    self.clients[index].steps.push(Step::Get(repository, item));
                }
            }
            Step::Get(repository, item) => self.get(index, (repository, item), protocol)?,
            Step::GetReference(repository, item) => {
                self.is_promise_broken |= !self.store.serves(repository, item);
                self.get(index, (repository, item), protocol)?;
            }
            Step::DeleteTag(repository) => {
                self.store.set_tag(repository, None);
            }
            Step::DeleteManifest(repository) => self.delete_manifest(repository, protocol)?,
        }
        Some(())
    }

    fn ask_for_layer(
        &mut self,
        index: usize,
        repository: Repository,
        protocol: Protocol,
    ) -> Option<()> {
        if !self.store.serves(repository, Item::Layer) {
            if self.others(index).any(|client| client.locks(Item::Layer)) {
                return None;
            }
            self.store.put(Object::Blob(Item::Layer));
            self.store.put(Object::Link(repository, Item::Layer));
        }
        self.answer(Item::Layer, protocol);
        Some(())
    }

    fn mount(&mut self, index: usize, (from, to): (Repository, Repository), protocol: Protocol) {
        if self.store.serves(from, Item::Layer) {
            self.store.put(Object::Link(to, Item::Layer));
            self.answer(Item::Layer, protocol);
        } else {
            self.clients[index].give_up();
        }
    }

    fn begin(
        &mut self,
        index: usize,
        (repository, item): (Repository, Item),
        protocol: Protocol,
    ) -> Option<()> {
        let reference = item.refers_to()?;
        let is_taken = |client: &Client| client.locks(item) || client.locks_alone(reference);
        if self.others(index).any(is_taken) {
            return None;
        }
        if !self.store.serves(repository, reference) {
            // The client is told what is missing.
            self.clients[index].give_up();
            return Some(());
        }
        if protocol.has(Rule::PushesLeaseReferences) {
            self.lease(reference);
        }
        self.clients[index].pushes = Some((repository, item));
        Some(())
    }

    fn get(
        &mut self,
        index: usize,
        (repository, item): (Repository, Item),
        protocol: Protocol,
    ) -> Option<()> {
        if self.others(index).any(|client| client.locks_alone(item)) {
            return None;
        }
        if self.store.serves(repository, item) {
            self.answer(item, protocol);
            let reference = item.refers_to().map(|item| Step::GetReference(repository, item));
            self.clients[index].steps.extend(reference);
        }
        Some(())
    }

    /// Takes the manifest, and its tag, out of a repository; one that an index lists stays, since nobody would keep that one whole.
    fn delete_manifest(&mut self, repository: Repository, protocol: Protocol) -> Option<()> {
        if self.clients.iter().any(|client| client.locks(Item::Manifest)) {
            return None;
        }
        let has_index = self.store.has(Object::Link(repository, Item::Index));
        if has_index || !self.store.has(Object::Link(repository, Item::Manifest)) {
            return Some(());
        }
        self.answer(Item::Manifest, protocol);
        if protocol.has(Rule::DeletesLeaseReferences) {
            self.lease(Item::Layer);
        }
        if self.store.tag(repository) == Some(Item::Manifest) {
            self.store.set_tag(repository, None);
        }
        self.store.delete(Object::Link(repository, Item::Manifest));
        Some(())
    }

    /// Promises something to a client.
    fn answer(&mut self, item: Item, protocol: Protocol) {
        if protocol.has(Rule::AnswersLease) {
            self.lease(item);
        }
    }

    fn lease(&mut self, item: Item) {
        self.leases |= 1 << item as u8;
    }

    fn is_leased(&self, item: Item) -> bool {
        self.leases & (1 << item as u8) != 0
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &Client> {
        let others = self.clients.iter().enumerate().filter(move |(other, _)| *other != index);
        others.map(|(_, client)| client)
    }
}
