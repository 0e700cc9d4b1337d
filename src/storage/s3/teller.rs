//! Makes pages of names, in the order in which a store lists them.

use std::collections::BTreeSet;

use oci::{RepositoryName, Tag};

use super::survey::{Detail, Mark};
use crate::{
    Error, Item, Kind, UploadId,
    names::{self, Fact},
    survey::{Found, Listed, Page, Part, Place},
};

/// What was told last, so that a folder of several objects is told once.
///
/// A store lists what is in one folder in a row, whatever its order.
#[derive(Debug, Default)]
pub(super) struct Teller {
    pub(super) detail: Detail,
    objects: Vec<Listed>,
    repository: Option<Repository>,
    last_hidden: String,
    others: Vec<Page>,
}

#[derive(Debug)]
struct Repository {
    name: RepositoryName,
    found: Vec<Found>,
    parts: Vec<Part>,
    tag: Option<Tag>,
    upload: Option<UploadId>,
}

impl Teller {
    pub(super) fn telling(detail: Detail) -> Self {
        Self { detail, ..Self::default() }
    }

    /// Takes the name of an object below `docker/registry/v2`, whose whole path is `path`.
    pub(super) fn tell(&mut self, name: &str, path: &str, Mark { size, tag }: Mark) {
        let mut fact = names::read(name);
        if let Some(item) = item(&mut fact, self.detail) {
            self.objects.push(Listed { item, size, tag });
        }
        match fact {
            Fact::Blob(_) => {}
            Fact::Of(name, parts, found) => self.of(name, parts, found),
            Fact::Nameless(part) => {
                let error =
                    Error::answered(Kind::Other, "collect", within(path, name, part), Nameless);
                self.other(part, Page::Hidden { place: Place::Repositories, error });
            }
            Fact::Stranger(part) => {
                self.other(part, Page::Stranger(within(path, name, part).to_owned()));
            }
            Fact::Nothing => {}
        }
    }

    fn other(&mut self, part: &str, page: Page) {
        if self.last_hidden != part {
            part.clone_into(&mut self.last_hidden);
            self.others.push(page);
        }
    }

    fn of(&mut self, name: RepositoryName, parts: &[Part], found: Option<Found>) {
        if self.repository.as_ref().is_none_or(|it| it.name != name) {
            self.end_repository();
            let (found, parts) = (Vec::new(), Vec::new());
            self.repository = Some(Repository { name, found, parts, tag: None, upload: None });
        }
        let Some(repository) = &mut self.repository else { return };
        for part in parts {
            if !repository.parts.contains(part) {
                repository.parts.push(*part);
                repository.found.push(Found::Part(*part));
            }
        }
        match found {
            // Its folder is there, with or without what it points to now.
            Some(Found::TagIndex(tag, digest)) => {
                repository.tag(&tag);
                repository.found.push(Found::TagIndex(tag, digest));
            }
            Some(Found::Tag(tag)) => repository.tag(&tag),
            Some(Found::Upload(id)) if repository.upload == Some(id) => {}
            Some(Found::Upload(id)) => {
                repository.upload = Some(id);
                repository.found.push(Found::Upload(id));
            }
            Some(found) => repository.found.push(found),
            None => {}
        }
    }

    fn end_repository(&mut self) {
        if let Some(Repository { name, found, .. }) = self.repository.take()
            && !found.is_empty()
        {
            self.others.push(Page::Repository { name, found });
        }
    }

    /// What is to be told by now.
    pub(super) fn pages(&mut self) -> Vec<Page> {
        let mut pages = std::mem::take(&mut self.others);
        if !self.objects.is_empty() {
            pages.push(Page::Objects(std::mem::take(&mut self.objects)));
        }
        if let Some(Repository { name, found, .. }) = &mut self.repository
            && !found.is_empty()
        {
            pages.push(Page::Repository { name: name.clone(), found: std::mem::take(found) });
        }
        pages
    }
}

impl Repository {
    fn tag(&mut self, tag: &Tag) {
        if self.tag.as_ref() != Some(tag) {
            self.tag = Some(tag.clone());
            self.found.push(Found::Tag(tag.clone()));
        }
    }
}

/// The object of a fact of which this much is told; what is left of the fact is the folders that it is in.
fn item(fact: &mut Fact<'_>, detail: Detail) -> Option<Item> {
    match fact {
        Fact::Of(_, _, Some(found))
            if detail == Detail::Content && !matches!(found, Found::Revision(_)) =>
        {
            None
        }
        Fact::Blob(digest) => Some(Item::Blob(*digest)),
        Fact::Of(name, _, found) => {
            let item = match found.take()? {
                Found::Layer(digest) => Item::Layer(name.clone(), digest),
                Found::Revision(digest) => Item::Revision(name.clone(), digest),
                Found::Tag(tag) => Item::Tag(name.clone(), tag),
                Found::TagIndex(tag, digest) => Item::TagIndex(name.clone(), tag, digest),
                kept @ (Found::Part(_) | Found::Upload(_)) => {
                    *found = Some(kept);
                    return None;
                }
            };
            Some(item)
        }
        Fact::Nameless(_) | Fact::Stranger(_) | Fact::Nothing => None,
    }
}

/// The whole path of a part of a name.
fn within<'a>(path: &'a str, name: &str, part: &str) -> &'a str {
    &path[..path.len() - name.len() + part.len()]
}

/// Why what a repository has may be needed by nobody knows whom.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it belongs to a repository whose name no registry takes")]
struct Nameless;

/// The child of a folder that an object is in, with its slash; none for an object of the folder's own.
pub(super) fn child_of<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let end = path.strip_prefix(folder)?.find('/')?;
    Some(&path[..=folder.len() + end])
}

/// The children of a folder that these objects are in.
pub(super) fn children_of(paths: &[String], folder: &str) -> BTreeSet<String> {
    paths.iter().filter_map(|path| child_of(path, folder)).map(str::to_owned).collect()
}
