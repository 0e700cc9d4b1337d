//! What the repositories of quotas have links to, and what of it a collection has left.

use std::collections::{HashMap, HashSet};

use oci::{Digest, RepositoryName};
use storage::{Bulk, Error, Item};

use super::{
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

/// The digests that a repository has links to.
pub(super) fn links(repository: &Repository) -> impl Iterator<Item = DigestId> + '_ {
    let there = repository.revisions.iter().filter(|revision| revision.is_there());
    repository.layers.iter().copied().chain(there.map(|revision| revision.id))
}

impl Linked {
    /// Takes the digests of a store that was listed along: nothing is asked of it after that.
    pub(super) fn of(snapshot: &mut Snapshot, quotas: &[Quota]) -> Self {
        if quotas.is_empty() {
            return Self::default();
        }
        let is_wanted =
            |it: &&Repository| quotas.iter().any(|quota| quota.is_for(it.name.as_str()));
        let links = |it: &Repository| {
            let there = it.revisions.iter().filter(|revision| revision.is_there());
            let revisions = there.map(|revision| revision.id).collect();
            (it.name.clone(), Links { layers: it.layers.iter().copied().collect(), revisions })
        };
        let repositories = snapshot.repositories.iter().filter(is_wanted).map(links).collect();
        let is_whole = !snapshot.is_blind;
        Self { digests: std::mem::take(&mut snapshot.digests), repositories, is_whole }
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
pub(super) async fn end<S: Bulk>(
    store: &S,
    count: Count,
    linked: &Linked,
) -> Result<Vec<Fill>, Error> {
    let all = linked.of_quota(|name| count.is_for(name));
    let known = all.iter().map(|digest| count.size(digest)).collect();
    let sizes = survey::measure(store, &all, known, &mut |_| {}).await?;
    let sized = all.into_iter().zip(sizes);
    // What is not there takes no space.
    let sizes: HashMap<_, _> = sized.filter_map(|(digest, size)| Some((digest, size?))).collect();
    Ok(count.end(linked.is_whole, |quota| {
        let digests = linked.of_quota(|name| quota.is_for(name)).into_iter();
        digests.filter_map(|digest| Some((digest, *sizes.get(&digest)?))).collect()
    }))
}
