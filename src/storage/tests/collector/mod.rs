//! What tests of `Bulk` ask of every store alike: a few things to remove, and all that a survey tells of.

use std::error::Error as _;

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName, Tag};
use storage::{Bulk, Disposal, Driver, Found, Item, Listed, Page, Place, Removed, RunId};

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) blobs: Vec<Digest>,
    pub(crate) found: Vec<(String, Found)>,
    pub(crate) strangers: Vec<String>,
    pub(crate) hidden: Vec<(Place, String)>,
}

/// All that a survey tells of.
pub(crate) async fn survey(store: &impl Bulk) -> Told {
    let (mut survey, mut told) = (store.survey(), Told::default());
    while let Some(page) = survey.next().await.unwrap() {
        match page {
            Page::Blobs(blobs) => told.blobs.extend(blobs),
            Page::Repository { name, found } => {
                told.found.extend(found.into_iter().map(|it| (name.to_string(), it)));
            }
            Page::Objects(objects) => {
                for Listed { item, .. } in objects {
                    match item {
                        Item::Blob(digest) => told.blobs.push(digest),
                        Item::Revision(name, digest) => {
                            told.found.push((name.to_string(), Found::Revision(digest)));
                        }
                        _ => panic!("nobody has asked for `{item}`"),
                    }
                }
            }
            Page::Stranger(path) => told.strangers.push(path),
            Page::Hidden { place, error } => {
                let cause = error.source().map_or_else(String::new, ToString::to_string);
                told.hidden.push((place, format!("{error}: {cause}")));
            }
        }
    }
    told
}

pub(crate) async fn put(store: &impl Driver, item: &Item, bytes: &'static str) {
    store.put(item.key().unwrap(), Bytes::from_static(bytes.as_bytes())).await.unwrap();
}

pub(crate) async fn remove(
    store: &impl Bulk,
    items: &[&Item],
    disposal: &Disposal,
) -> Vec<Removed> {
    let items = items.iter().map(|&item| item.clone()).collect();
    let removed = store.remove(items, disposal.clone()).await.unwrap();
    removed.into_iter().map(Result::unwrap).collect()
}

pub(crate) fn app() -> RepositoryName {
    "group/app".parse().unwrap()
}

pub(crate) fn v1() -> Tag {
    "v1".parse().unwrap()
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

pub(crate) fn run() -> RunId {
    "run-1".parse().unwrap()
}

/// One of everything that a collection can remove but a repository.
pub(crate) fn one_of_each() -> [Item; 5] {
    let (manifest, layer) = (digest("manifest"), digest("layer"));
    [
        Item::Tag(app(), v1()),
        Item::TagIndex(app(), v1(), manifest),
        Item::Revision(app(), manifest),
        Item::Layer(app(), layer),
        Item::Blob(layer),
    ]
}
