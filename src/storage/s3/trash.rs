//! The quarantine: what a collection removed, copied by the store itself to `docker/registry/v2/regctl-trash/<run>`, where no
//! registry looks.
//!
//! An object is deleted when its copy is there, and a copy when the object is. Objects come back in the order of
//! writes: bytes, links to blobs, manifests, histories, tags.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    bulk::{delete_folder, end_uploads, is_alone, side_by_side},
    store::{BATCH, Store},
};
use crate::{Error, Folder, Item, KeptRun, Removed, Restored, RunId, quarantine::Turn};

const TOP: &str = "docker/registry/v2/";
const TRASH: &str = "docker/registry/v2/regctl-trash";
/// What says of a run what it was.
const INDEX: &str = "run.json";
/// It stands beside that of a run that is being emptied: the last that goes of it.
const GOING: &str = "run.json.emptied";
/// The longest index that is read.
const INDEX_BYTES: usize = 1024 * 1024;

/// Keeps the index of a run.
pub(super) async fn begin(store: &Store, run: &RunId, index: Bytes) -> Result<(), Error> {
    store.put(&store.path(format!("{TRASH}/{run}/{INDEX}")), index).await
}

/// Moves what an item is to a run's quarantine. An upload is ended: its parts are no object that could be copied.
pub(super) async fn take(store: &Arc<Store>, run: &RunId, item: &Item) -> Result<Removed, Error> {
    let paths = match item {
        Item::UploadStartedAt(..) => return delete_folder(store, item).await,
        Item::Tag(name, tag) => store.inside(&store.path(Folder::Tag(name, tag))).await?,
        Item::Repository(name) => {
            is_alone(store, name).await?;
            end_uploads(store, name).await?;
            store.inside(&store.path(Folder::Repository(name))).await?
        }
        Item::TagIndex(..) | Item::Revision(..) | Item::Layer(..) | Item::Blob(_) => {
            vec![store.path(item)]
        }
    };
    let mut moved = Removed::Vanished;
    for path in paths {
        let Some(size) = store.size(&path).await? else { continue };
        store.copy(&path, &store.in_trash(run, &path), size).await?;
        store.delete_all(&store.with_own_folders(vec![path])).await?;
        moved = Removed::Gone;
    }
    Ok(moved)
}

/// The quarantines that are there. A run without an index was cut short before it removed anything.
pub(super) async fn list(store: &Store) -> Result<Vec<KeptRun>, Error> {
    let entries = match store.children(&store.path(TRASH)).await {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut runs = Vec::new();
    for run in entries.into_iter().filter_map(|entry| entry.name.parse::<RunId>().ok()) {
        let is_going = store.size(&going(store, &run)).await?.is_some();
        let path = store.path(format!("{TRASH}/{run}/{INDEX}"));
        runs.push(KeptRun { index: store.get(&path, INDEX_BYTES).await, run, is_going });
    }
    Ok(runs)
}

/// Brings back what is not there by now.
pub(super) async fn restore(store: &Arc<Store>, run: &RunId) -> Result<Restored, Error> {
    let above = format!("{}/", store.path(format!("{TRASH}/{run}")));
    let index = format!("{above}{INDEX}");
    let moved = store.inside(above.trim_end_matches('/')).await?;
    let mut restored = Restored::default();
    for turn in Turn::ALL {
        let of_turn =
            |path: &&String| path.strip_prefix(&above).is_some_and(|below| Turn::of(below) == turn);
        let paths: Vec<String> =
            moved.iter().filter(|path| **path != index).filter(of_turn).cloned().collect();
        let (at, from) = (Arc::clone(store), above.clone());
        let brought = side_by_side(paths, move |path| {
            let (store, from) = (Arc::clone(&at), from.clone());
            super::boxed(async move { bring(&store, &from, &path).await })
        });
        for brought in brought.await? {
            match brought? {
                Some(kept) => restored.kept.push(kept),
                None => restored.objects += 1,
            }
        }
    }
    if restored.kept.is_empty() {
        discard(store, run).await?;
    }
    Ok(restored)
}

/// Brings one object back; returns the path of one that is there by now.
async fn bring(store: &Arc<Store>, above: &str, path: &str) -> Result<Option<String>, Error> {
    let below = path.strip_prefix(above).unwrap_or(path);
    let target = store.path(format!("{TOP}{below}"));
    let Some(size) = store.size(path).await? else { return Ok(None) };
    match store.size(&target).await? {
        Some(there) if there != size || !store.is_same(path, &target).await? => {
            let named = target.strip_prefix(&store.prefix).unwrap_or(&target);
            return Ok(Some(named.to_owned()));
        }
        // An earlier try was cut short between the two requests.
        Some(_) => {}
        None => store.copy(path, &target, size).await?,
    }
    // Folders that are left empty would make a run of what is none.
    let run = above.trim_end_matches('/');
    store.delete_all(&store.with_folders(run, vec![path.to_owned()])).await?;
    Ok(None)
}

/// Removes a run's quarantine with all that is in it; first of all it becomes one that cannot be brought back.
pub(super) async fn discard(store: &Arc<Store>, run: &RunId) -> Result<(), Error> {
    let folder = store.path(format!("{TRASH}/{run}"));
    let mark = going(store, run);
    store.put(&mark, Bytes::new()).await?;
    let mut paths = store.inside(&folder).await?;
    paths.retain(|path| *path != mark);
    for batch in store.with_folders(&folder, paths).chunks(BATCH) {
        let deleted = store.delete_all(batch).await;
        store.settle_deleted(&folder, batch, deleted).await?;
    }
    match store.delete_inside(&folder).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn going(store: &Store, run: &RunId) -> String {
    store.path(format!("{TRASH}/{run}/{GOING}"))
}

impl Store {
    /// Where an object waits.
    fn in_trash(&self, run: &RunId, path: &str) -> String {
        let below = path.strip_prefix(&self.prefix).and_then(|path| path.strip_prefix(TOP));
        self.path(format!("{TRASH}/{run}/{}", below.unwrap_or(path)))
    }

    /// The paths of all objects in a folder.
    pub(super) async fn inside(&self, folder: &str) -> Result<Vec<String>, Error> {
        let folder = format!("{folder}/");
        let (mut all, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
        loop {
            let names = self.names(&folder, after.as_deref()).await?;
            after = names.paths.last().cloned();
            // One that ends with a slash stands for a folder, and is made when something is in it.
            all.extend(names.paths.into_iter().filter(|path| !path.ends_with('/')));
            if names.is_all {
                return Ok(all);
            }
        }
    }

    /// Whether two objects of the same size are the same, as far as a glance says: links are small, and blobs of one
    /// name have one content.
    async fn is_same(&self, one: &str, other: &str) -> Result<bool, Error> {
        if one.ends_with("/data") {
            return Ok(true);
        }
        Ok(self.get(one, BATCH).await? == self.get(other, BATCH).await?)
    }
}
