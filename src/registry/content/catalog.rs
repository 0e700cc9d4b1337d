//! Which repositories there are.
//!
//! The order is that of names, component by component: `a`, `a/b`, `a-b`. The walk goes down folder by
//! folder in that order, starts where the last page ended, and stops when the page is full.

use std::str::FromStr;

use oci::RepositoryName;
use storage::{Driver, Entry, Folder};

use super::{Content, Error};

/// What makes a path a name that is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holding {
    /// Blobs or manifests: a repository.
    Content,
    /// Upload sessions, perhaps the first ones of a repository to be.
    Uploads,
}

impl Content {
    /// Up to `limit` repositories after `last`: a place in the order, which need not be a name.
    pub(crate) async fn repositories(
        &self,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, Error> {
        self.names(Holding::Content, last, limit).await
    }

    /// The same for names that hold something.
    pub(super) async fn names(
        &self,
        holding: Holding,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, Error> {
        let mut found = Vec::new();
        // Names still to be visited, next one last.
        let mut waiting = self.children(None, last).await?;
        while found.len() < limit {
            let Some(name) = waiting.pop() else { break };
            if last.is_none_or(|last| is_after(&name, last)) && self.holds(&name, holding).await? {
                found.push(name.clone());
            }
            waiting.extend(self.children(Some(&name), last).await?);
        }
        Ok(found)
    }

    async fn holds(&self, name: &RepositoryName, holding: Holding) -> Result<bool, Error> {
        match holding {
            Holding::Content => self.has_repository(name).await,
            Holding::Uploads => Ok(self.backend().folder_exists(Folder::Uploads(name)).await?),
        }
    }

    /// The names one component longer, in reverse, without those whose whole subtree was listed before.
    async fn children(
        &self,
        above: Option<&RepositoryName>,
        last: Option<&str>,
    ) -> Result<Vec<RepositoryName>, Error> {
        let folder = above.map_or(Folder::Repositories, Folder::Repository);
        let entries = match self.backend().list(folder).await {
            Ok(entries) => entries,
            // Nothing was pushed yet, or the folder has gone since it was listed.
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let name = |entry: Entry| match above {
            Some(above) => RepositoryName::from_str(&format!("{above}/{}", entry.name)).ok(),
            None => entry.name.parse().ok(),
        };
        // `_layers`, `_manifests` and `_uploads` are no names.
        let mut names: Vec<_> =
            entries.into_iter().filter(|entry| entry.is_folder).filter_map(name).collect();
        names.retain(|name| last.is_none_or(|last| is_after(name, last) || is_above(name, last)));
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }
}

fn is_after(name: &RepositoryName, last: &str) -> bool {
    name.components().gt(last.split('/'))
}

/// Whether `name` is `below` or leads to it.
fn is_above(name: &RepositoryName, below: &str) -> bool {
    let mut components = below.split('/');
    name.components().all(|component| components.next() == Some(component))
}
