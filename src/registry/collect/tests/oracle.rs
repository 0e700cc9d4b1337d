//! What may go, by sets and repetition: slow, plain, and written without a look at how it is really decided.

use std::collections::BTreeSet;

use oci::Digest;

use super::invented::{Body, Gone, Holds, Repository, World};
use crate::collect::Untagged;

type Pair = (String, Digest);

pub(super) fn gone(world: &World, untagged: Untagged) -> Gone {
    let has = |r: &Repository, d: &Digest| r.revisions.get(d).is_some_and(|l| *l != Holds::Nothing);
    let body = |d: &Digest| match world.manifests.get(d) {
        Some(Body::Good(referred)) => Some(referred),
        _ => None,
    };
    let is_broken = |d: &Digest| {
        matches!(world.manifests.get(d), Some(Body::Broken)) || world.blobs.contains(d)
    };
    let is_missing = |d: &Digest| !world.manifests.contains_key(d) && !world.blobs.contains(d);
    let mut doubtful: BTreeSet<String> = BTreeSet::new();
    let mut needed: BTreeSet<Pair> = BTreeSet::new();
    let mut live: BTreeSet<Digest> = BTreeSet::new();
    loop {
        let before = (doubtful.len(), needed.len(), live.len());
        for (name, repository) in &world.repositories {
            let is_doubtful = doubtful.contains(name);
            let garbage = |link: &Holds| *link == Holds::Garbage;
            if repository.tags.values().chain(repository.revisions.values()).any(garbage) {
                doubtful.insert(name.clone());
            }
            for digest in repository.revisions.keys().filter(|d| has(repository, d)) {
                let about = body(digest).and_then(|referred| referred.subject);
                let subject_is_needed =
                    about.is_some_and(|subject| needed.contains(&(name.clone(), subject)));
                if untagged == Untagged::Keep || is_doubtful || subject_is_needed {
                    needed.insert((name.clone(), *digest));
                }
                if is_broken(digest) {
                    doubtful.insert(name.clone());
                }
            }
            for (tag, link) in &repository.tags {
                let Holds::Digest(target) = link else { continue };
                let subject = tag.strip_prefix("sha256-").filter(|hex| hex.len() == 64);
                let subject = subject.and_then(|hex| format!("sha256:{hex}").parse().ok());
                let is_orphan = subject.is_some_and(|subject| !has(repository, &subject))
                    && body(target).is_some_and(|referred| referred.is_index);
                if is_doubtful || untagged == Untagged::Keep || !is_orphan {
                    needed.insert((name.clone(), *target));
                    if is_missing(target) || is_broken(target) {
                        doubtful.insert(name.clone());
                    }
                }
            }
            if is_doubtful {
                for layer in &repository.layers {
                    live.insert(*layer);
                    let all = world.repositories.iter().filter(|(_, r)| has(r, layer));
                    needed.extend(all.map(|(other, _)| (other.clone(), *layer)));
                }
            }
        }
        for (name, digest) in needed.clone() {
            live.insert(digest);
            if is_broken(&digest) || is_missing(&digest) && has(&world.repositories[&name], &digest)
            {
                doubtful.insert(name.clone());
            }
            let Some(referred) = body(&digest) else { continue };
            live.extend(&referred.blobs);
            needed.extend(referred.children.iter().map(|child| (name.clone(), *child)));
            for child in referred.children.iter().chain(&referred.blobs) {
                let all = world.repositories.iter().filter(|(_, r)| has(r, child));
                needed.extend(all.map(|(other, _)| (other.clone(), *child)));
            }
        }
        if (doubtful.len(), needed.len(), live.len()) == before {
            break;
        }
    }
    let mut gone = Gone::default();
    for (name, repository) in &world.repositories {
        let dead = |digest: &&Digest| !live.contains(*digest);
        gone.layers.extend(repository.layers.iter().filter(dead).map(|d| (name.clone(), *d)));
        let there = repository.revisions.keys().filter(|d| has(repository, d));
        let there = there.map(|digest| (name.clone(), *digest));
        gone.revisions.extend(there.filter(|pair| !needed.contains(pair)));
        for (tag, link) in &repository.tags {
            if matches!(link, Holds::Digest(target) if !live.contains(target)) {
                gone.tags.insert((name.clone(), tag.clone()));
            }
        }
    }
    let all = world.blobs.iter().chain(world.manifests.keys());
    gone.blobs.extend(all.filter(|digest| !live.contains(*digest)));
    gone
}
