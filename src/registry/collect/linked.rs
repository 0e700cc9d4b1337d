//! What the repositories of quotas have links to, and what of it a collection has left.

use std::collections::{HashMap, HashSet};

use oci::{Digest, RepositoryName};
use storage::{Bulk, Error, Item};

use super::{
    note::told,
    references::References,
    snapshot::{Repository, Snapshot},
    survey,
};
use crate::{
    config::Quota,
    digests::{DigestId, DigestSet, Digests},
    quota::{Count, Fill},
};

/// The links of the repositories that quotas are for.
#[derive(Debug, Default)]
pub struct Linked {
    digests: Digests,
    repositories: HashMap<RepositoryName, Links>,
    /// Whether all of them could be listed.
    is_whole: bool,
}

#[derive(Debug, Default)]
struct Links {
    layers: HashSet<DigestId>,
    revisions: HashSet<DigestId>,
}

/// Repositories by number, and blobs whose links are gone: the folders of links stay, and are what is listed.
pub(super) type Absent = HashSet<(usize, DigestId)>;

/// Looks for links that are gone. One that a manifest of its repository needs is taken for there.
pub(super) async fn absent<S: Bulk>(
    store: &S,
    snapshot: &Snapshot,
    references: &References,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Absent, Error> {
    let mut absent = Absent::new();
    for (number, repository) in snapshot.repositories.iter().enumerate() {
        if !is_wanted(repository.name.as_str()) {
            continue;
        }
        let needed: DigestSet = references.reached(revisions(repository)).into_iter().collect();
        let layers = repository.layers.iter().filter(|id| !needed.contains(**id));
        let layers: Vec<_> = layers.copied().collect();
        for some in layers.chunks(survey::BATCH) {
            let item =
                |id: &DigestId| Item::Layer(repository.name.clone(), snapshot.digests.digest(*id));
            let stats = store.stat(some.iter().map(item).collect()).await?;
            let gone = stats.iter().map(|stat| stat.as_ref().is_err_and(|it| it.is_not_found()));
            let gone = some.iter().zip(gone).filter(|(_, is_gone)| *is_gone);
            absent.extend(gone.map(|(id, _)| (number, *id)));
        }
    }
    Ok(absent)
}

/// The blobs that a repository has links to.
pub(super) fn layers<'a>(
    (number, repository): (usize, &'a Repository),
    absent: &'a Absent,
) -> impl Iterator<Item = DigestId> + 'a {
    repository.layers.iter().copied().filter(move |id| !absent.contains(&(number, *id)))
}

/// The manifests that it has links to.
pub(super) fn revisions(repository: &Repository) -> impl Iterator<Item = DigestId> + '_ {
    let there = repository.revisions.iter().filter(|revision| revision.is_there());
    there.map(|revision| revision.id)
}

impl Linked {
    /// Takes the digests of a store that was read along: nothing is asked of it after that.
    pub(super) async fn of<S: Bulk>(
        store: &S,
        snapshot: &mut Snapshot,
        references: &References,
        quotas: &[Quota],
    ) -> Result<Self, Error> {
        if quotas.is_empty() {
            return Ok(Self::default());
        }
        let is_wanted = |name: &str| quotas.iter().any(|quota| quota.is_for(name));
        let absent = absent(store, snapshot, references, is_wanted).await?;
        let numbered = snapshot.repositories.iter().enumerate();
        let wanted = numbered.filter(|(_, it)| is_wanted(it.name.as_str()));
        let links = |it: (usize, &Repository)| {
            let layers = layers(it, &absent).collect();
            (it.1.name.clone(), Links { layers, revisions: revisions(it.1).collect() })
        };
        let repositories = wanted.map(links).collect();
        let is_whole = !snapshot.is_blind;
        Ok(Self { digests: std::mem::take(&mut snapshot.digests), repositories, is_whole })
    }

    /// Something is gone.
    pub fn remove(&mut self, item: &Item) {
        let (name, digest) = match item {
            Item::Layer(name, digest) | Item::Revision(name, digest) => (name, digest),
            Item::Repository(name) => {
                self.repositories.remove(name);
                return;
            }
            Item::Blob(_) | Item::Tag(..) | Item::TagIndex(..) | Item::UploadStartedAt(..) => {
                return;
            }
        };
        let (Some(links), Some(id)) = (self.repositories.get_mut(name), self.digests.find(digest))
        else {
            return;
        };
        match item {
            Item::Layer(..) => links.layers.remove(&id),
            _ => links.revisions.remove(&id),
        };
    }

    fn of_quota(&self, is_for: impl Fn(&str) -> bool) -> Vec<Digest> {
        let mut seen = DigestSet::default();
        let links = self.repositories.iter().filter(|(name, _)| is_for(name.as_str()));
        let ids = links.flat_map(|(_, links)| links.layers.iter().chain(&links.revisions));
        let new = ids.filter(|id| seen.insert(**id)).copied().collect::<Vec<_>>();
        new.into_iter().map(|id| self.digests.digest(id)).collect()
    }
}

/// Ends a count by what is linked; only what no record knows is asked of the store.
pub(super) async fn end<S: Bulk>(store: &S, count: Count, linked: &Linked) -> Vec<Fill> {
    let all = linked.of_quota(|name| count.is_for(name));
    let known = all.iter().map(|digest| count.size(digest)).collect();
    let sizes = match survey::measure(store, &all, known, &mut |_| {}).await {
        Ok(sizes) => sizes,
        Err(error) => return count.give_up(&told(&error)),
    };
    let sized = all.into_iter().zip(sizes);
    // What is not there takes no space.
    let sizes: HashMap<_, _> = sized.filter_map(|(digest, size)| Some((digest, size?))).collect();
    count.end(linked.is_whole, |quota| {
        let digests = linked.of_quota(|name| quota.is_for(name)).into_iter();
        digests.filter_map(|digest| Some((digest, *sizes.get(&digest)?))).collect()
    })
}
