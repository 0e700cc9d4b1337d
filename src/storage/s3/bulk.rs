//! A bucket as a collector sees it: many requests at a time, and up to a thousand objects in one of them.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{S3, boxed, store::Store, survey, trash};
use crate::{
    Bulk, Disposal, Error, Folder, Item, KeptRun, Kind, Removed, Restored, RunId, Stat, Survey,
    names,
};

/// Requests for small objects at once.
const AT_ONCE: usize = 32;

/// Items that one request deletes: each may have a folder that goes with it.
const BATCH: usize = super::store::BATCH / 2;

/// The folders of a repository's own.
const PARTS: [&str; 3] = ["_layers", "_manifests", "_uploads"];

impl Bulk for S3 {
    fn identity(&self) -> String {
        self.store.named(&self.store.prefix)
    }

    fn survey(&self) -> Survey {
        let (pages, sink) = Survey::new();
        survey::spawn(Arc::clone(&self.store), sink, survey::Detail::Content);
        pages
    }

    async fn read<T, F>(&self, items: Vec<Item>, limit: usize, map: F) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static,
    {
        let (store, map) = (Arc::clone(&self.store), Arc::new(map));
        side_by_side(items, move |item| {
            let (store, map) = (Arc::clone(&store), Arc::clone(&map));
            async move {
                let bytes = match item.key() {
                    Some(key) => boxed(store.get(&store.path(key), limit)).await,
                    None => Err(store.error(Kind::NotFound, "read", &item.to_string())),
                };
                map(&item, bytes)
            }
        })
        .await
    }

    async fn stat(&self, items: Vec<Item>) -> Result<Vec<Result<Stat, Error>>, Error> {
        let store = Arc::clone(&self.store);
        side_by_side(items, move |item| {
            let store = Arc::clone(&store);
            async move {
                let path = store.path(&item);
                Ok(boxed(store.head(&path, "stat")).await?.stat)
            }
        })
        .await
    }

    async fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        match disposal {
            Disposal::Delete => delete(&self.store, items).await,
            Disposal::Quarantine(run) => {
                let store = Arc::clone(&self.store);
                side_by_side(items, move |item| {
                    let (store, run) = (Arc::clone(&store), run.clone());
                    async move { boxed(trash::take(&store, &run, &item)).await }
                })
                .await
            }
        }
    }

    /// What a store has answered is durable.
    async fn sync(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn begin_quarantine(&self, run: &RunId, index: Bytes) -> Result<(), Error> {
        boxed(trash::begin(&self.store, run, index)).await
    }

    async fn quarantines(&self) -> Result<Vec<KeptRun>, Error> {
        boxed(trash::list(&self.store)).await
    }

    async fn restore(&self, run: &RunId) -> Result<Restored, Error> {
        boxed(trash::restore(&self.store, run)).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), Error> {
        boxed(trash::discard(&self.store, run)).await
    }
}

/// Does something with every item, several at a time; the answers are in their order.
pub(super) async fn side_by_side<I, T, F>(
    items: Vec<I>,
    work: impl Fn(I) -> F + Send + Sync + 'static,
) -> Result<Vec<T>, Error>
where
    I: Clone + Send + Sync + 'static,
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let (items, work, next) = (Arc::new(items), Arc::new(work), Arc::new(AtomicUsize::new(0)));
    let mut working = JoinSet::new();
    for _ in 0..AT_ONCE.min(items.len()) {
        let (items, work, next) = (Arc::clone(&items), Arc::clone(&work), Arc::clone(&next));
        working.spawn(async move {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return done };
                done.push((index, work(item.clone()).await));
            }
        });
    }
    let mut answers = Vec::with_capacity(items.len());
    while let Some(joined) = working.join_next().await {
        match joined {
            Ok(done) => answers.extend(done),
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(Error::new(Kind::Other, "use", "a store while everything ends")),
        }
    }
    answers.sort_unstable_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Whether an item is one object, and not all that is in a folder.
fn is_object(item: &Item) -> bool {
    match item {
        Item::TagIndex(..) | Item::Revision(..) | Item::Layer(..) | Item::Blob(_) => true,
        Item::Tag(..) | Item::UploadStartedAt(..) | Item::Repository(_) => false,
    }
}

/// Deletes what is one object in batches, and folders one by one.
///
/// A store does not say whether an object was there: it is told as gone now.
async fn delete(
    store: &Arc<Store>,
    items: Vec<Item>,
) -> Result<Vec<Result<Removed, Error>>, Error> {
    let mut batches: Vec<Vec<Item>> = Vec::new();
    for item in items {
        match batches.last_mut() {
            Some(batch) if is_object(&item) && is_object(&batch[0]) && batch.len() < BATCH => {
                batch.push(item);
            }
            _ => batches.push(vec![item]),
        }
    }
    let at = Arc::clone(store);
    let answers = side_by_side(batches, move |batch| {
        let store = Arc::clone(&at);
        boxed(async move {
            match batch.as_slice() {
                [item] if !is_object(item) => vec![delete_folder(&store, item).await],
                objects => delete_objects(&store, objects).await,
            }
        })
    });
    Ok(answers.await?.into_iter().flatten().collect())
}

async fn delete_objects(store: &Arc<Store>, items: &[Item]) -> Vec<Result<Removed, Error>> {
    let paths: Vec<String> = items.iter().map(|item| store.path(item)).collect();
    let deleted = store.delete_all(&store.with_own_folders(paths.clone())).await;
    let Err(error) = deleted else { return items.iter().map(|_| Ok(Removed::Gone)).collect() };
    // What of it went, only the store knows; one that does not answer is not asked for each.
    let mut answers = Vec::with_capacity(items.len());
    let mut answers_at_all = true;
    for path in paths {
        if !answers_at_all {
            answers.push(Err(store.error_like(&error, "delete", &path)));
            continue;
        }
        let size = store.size(&path).await;
        answers_at_all = !matches!(&size, Err(error) if error.kind() == Kind::Unavailable);
        answers.push(match size {
            Ok(None) => Ok(Removed::Gone),
            Ok(Some(_)) => Err(store.error_like(&error, "delete", &path)),
            Err(unknown) => Err(unknown),
        });
    }
    answers
}

/// Deletes all that is in an item's folder.
pub(super) async fn delete_folder(store: &Arc<Store>, item: &Item) -> Result<Removed, Error> {
    let deleted = match item {
        // Parts that were sent and are no object yet go, too.
        Item::UploadStartedAt(name, id) => store.end_upload(name, *id).await,
        Item::Repository(name) => {
            is_alone(store, name).await?;
            end_uploads(store, name).await?;
            store.delete_inside(&store.path(Folder::Repository(name))).await
        }
        Item::Tag(name, tag) => store.delete_inside(&store.path(Folder::Tag(name, tag))).await,
        Item::TagIndex(..) | Item::Revision(..) | Item::Layer(..) | Item::Blob(_) => {
            store.delete(&store.path(item)).await
        }
    };
    match deleted {
        Ok(()) => Ok(Removed::Gone),
        Err(error) if error.is_not_found() => Ok(Removed::Vanished),
        Err(error) => Err(error),
    }
}

/// A repository that holds others, or what nobody knows, stays whole.
pub(super) async fn is_alone(store: &Store, name: &oci::RepositoryName) -> Result<(), Error> {
    let path = store.path(Folder::Repository(name));
    let children = match store.children(&path).await {
        Err(error) if error.is_not_found() => return Ok(()),
        children => children?,
    };
    if let Some(other) = children.iter().find(|child| !PARTS.contains(&child.name.as_str())) {
        return Err(store.error(Kind::Busy, "remove", &format!("{path}/{}", other.name)));
    }
    let top = format!("{}/", store.path("docker/registry/v2"));
    let is_known = |path: &&String| path.strip_prefix(&top).is_some_and(names::is_known);
    match store.inside(&path).await?.iter().find(|path| !is_known(path)) {
        Some(stranger) => Err(store.error(Kind::Busy, "remove", stranger)),
        None => Ok(()),
    }
}

pub(super) async fn end_uploads(
    store: &Arc<Store>,
    name: &oci::RepositoryName,
) -> Result<(), Error> {
    let uploads = match store.children(&store.path(Folder::Uploads(name))).await {
        Err(error) if error.is_not_found() => return Ok(()),
        uploads => uploads?,
    };
    for id in uploads.iter().filter_map(|upload| upload.name.parse().ok()) {
        match store.end_upload(name, id).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Store {
    /// Adds the folders that objects leave empty, where the store may keep them.
    pub(super) fn with_own_folders(&self, mut paths: Vec<String>) -> Vec<String> {
        if self.keeps_folders {
            let folders: Vec<String> = paths
                .iter()
                .filter_map(|path| path.rsplit_once('/'))
                .map(|(folder, _)| format!("{folder}/"))
                .collect();
            paths.extend(folders);
        }
        paths
    }

    /// The same error for one of several objects.
    fn error_like(&self, error: &Error, operation: &'static str, path: &str) -> Error {
        let cause =
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::answered(error.kind(), operation, self.named(path), std::io::Error::other(cause))
    }
}
