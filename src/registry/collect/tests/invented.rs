//! Stores that exist only as facts: for the decisions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::{Digest, Referred, RepositoryName};
use storage::{Found, Page};

use crate::collect::{
    mark::{Ages, Beside, Marked, Rules, Untagged, mark},
    plan::{Empty, Plan, Step},
    references::References,
    snapshot::{Link, Snapshot},
};

/// What a link holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Holds {
    Digest(Digest),
    Nothing,
    Garbage,
}

/// A manifest's bytes, if they are there.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Good(Referred),
    Broken,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Repository {
    pub(super) layers: BTreeSet<Digest>,
    pub(super) revisions: BTreeMap<Digest, Holds>,
    pub(super) tags: BTreeMap<String, Holds>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    /// Bytes that are no manifests.
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) manifests: BTreeMap<Digest, Body>,
    pub(super) repositories: BTreeMap<String, Repository>,
}

/// What is planned to go.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Gone {
    pub(super) tags: BTreeSet<(String, String)>,
    pub(super) revisions: BTreeSet<(String, Digest)>,
    pub(super) layers: BTreeSet<(String, Digest)>,
    pub(super) blobs: BTreeSet<Digest>,
}

impl World {
    fn snapshot(&self) -> (Snapshot, References) {
        let mut snapshot = Snapshot::default();
        let blobs = self.blobs.iter().chain(self.manifests.keys()).copied();
        snapshot.add(Page::Blobs(blobs.collect()));
        for (name, repository) in &self.repositories {
            let layers = repository.layers.iter().copied().map(Found::Layer);
            let revisions = repository.revisions.keys().copied().map(Found::Revision);
            let tags = repository.tags.keys().map(|tag| Found::Tag(tag.parse().unwrap()));
            let parts = [storage::Part::Layers, storage::Part::Manifests, storage::Part::Tags];
            let found = parts.map(Found::Part).into_iter().chain(layers).chain(revisions);
            snapshot.add(Page::Repository {
                name: name.parse().unwrap(),
                found: found.chain(tags).collect(),
            });
        }
        self.fill(&mut snapshot);
        let mut references = References::default();
        for (digest, body) in &self.manifests {
            let id = snapshot.digests.number(digest);
            match body {
                Body::Good(referred) => references.add(&mut snapshot, id, referred),
                Body::Broken => references.add_broken(id, "it is torn".to_owned()),
            }
        }
        for digest in self.named() {
            let id = snapshot.digests.number(&digest);
            if !self.manifests.contains_key(&digest) {
                match self.blobs.contains(&digest) {
                    true => references.add_broken(id, "it is a blob".to_owned()),
                    false => references.add_missing(id),
                }
            }
        }
        (snapshot, references)
    }

    /// Whatever is looked at as a manifest.
    fn named(&self) -> BTreeSet<Digest> {
        let mut named: BTreeSet<Digest> = BTreeSet::new();
        for repository in self.repositories.values() {
            let links = repository.revisions.values().chain(repository.tags.values());
            named.extend(links.filter_map(|link| match link {
                Holds::Digest(digest) => Some(*digest),
                Holds::Nothing | Holds::Garbage => None,
            }));
            named.extend(repository.revisions.keys());
        }
        for body in self.manifests.values() {
            if let Body::Good(referred) = body {
                named.extend(&referred.children);
            }
        }
        named
    }

    /// Puts what links hold into a snapshot.
    fn fill(&self, snapshot: &mut Snapshot) {
        let names: HashMap<String, usize> = snapshot
            .repositories
            .iter()
            .enumerate()
            .map(|(number, repository)| (repository.name.to_string(), number))
            .collect();
        for (name, repository) in &self.repositories {
            let number = names[name];
            for index in 0..snapshot.repositories[number].revisions.len() {
                let id = snapshot.repositories[number].revisions[index].id;
                let own = snapshot.digests.digest(id);
                let link = link(snapshot, repository.revisions[&own]);
                snapshot.repositories[number].revisions[index].link = link;
                snapshot.repositories[number].doubt |= link == Link::Unreadable;
            }
            for index in 0..snapshot.repositories[number].tags.len() {
                let tag = snapshot.repositories[number].tags[index].tag.to_string();
                let link = link(snapshot, repository.tags[&tag]);
                snapshot.repositories[number].tags[index].link = link;
                snapshot.repositories[number].doubt |= link == Link::Unreadable;
            }
        }
    }

    pub(super) fn plan(&self, untagged: Untagged) -> Plan {
        let (snapshot, references) = self.snapshot();
        let rules = Rules {
            untagged,
            empty: Empty::Keep,
            beside: Beside::Nobody,
            grace: None,
            leased: &|_| false,
        };
        match mark(&snapshot, &references, rules, &Ages::new()) {
            Marked::Plan(plan) => *plan,
            Marked::Asks(asked) => panic!("nobody needs these ages: {asked:?}"),
        }
    }
}

fn link(snapshot: &mut Snapshot, holds: Holds) -> Link {
    match holds {
        Holds::Digest(digest) => Link::Holds(snapshot.digests.number(&digest)),
        Holds::Nothing => Link::Absent,
        Holds::Garbage => Link::Unreadable,
    }
}

pub(super) fn gone(plan: &Plan) -> Gone {
    let mut gone = Gone::default();
    let text = |name: &RepositoryName| name.to_string();
    for item in
        Step::ALL.into_iter().flat_map(|step| plan.items(step).map(move |item| (step, item)))
    {
        match item {
            (_, storage::Item::Tag(name, tag)) => {
                gone.tags.insert((text(&name), tag.to_string()));
            }
            (Step::Revisions, storage::Item::Revision(name, digest)) => {
                gone.revisions.insert((text(&name), digest));
            }
            (_, storage::Item::Layer(name, digest)) => {
                gone.layers.insert((text(&name), digest));
            }
            (_, storage::Item::Blob(digest)) => {
                gone.blobs.insert(digest);
            }
            _ => {}
        }
    }
    gone
}
