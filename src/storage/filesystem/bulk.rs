//! A folder as a collector sees it: many files at a time, on a few threads.

use std::{
    num::NonZero,
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, fstat, statat, syncfs, unlinkat};

use super::{
    Filesystem,
    folders::parent,
    near::{Near, folder},
    store::Store,
    survey, trash,
};
use crate::{
    Bulk, Disposal, Error, Folder, Item, KeptRun, Kind, Removed, Restored, RunId, Stat, Survey,
    error::Context, names,
};

/// More threads than this find nothing more to do on one disk.
const MOST_THREADS: usize = 8;
/// Two of them, so that one can wait for the disk.
const LEAST_THREADS: usize = 2;
/// How many items a thread takes at once: neighbours in a folder.
const STRIDE: usize = 128;

/// The folders of a repository's own.
const PARTS: [&str; 3] = ["_layers", "_manifests", "_uploads"];

impl Bulk for Filesystem {
    fn identity(&self) -> String {
        match fstat(&self.store.root) {
            Ok(stat) => format!("filesystem {:x} {:x}", stat.st_dev, stat.st_ino),
            Err(_) => "filesystem".to_owned(),
        }
    }

    fn has_repositories(&self) -> bool {
        let found = statat(&self.store.root, survey::REPOSITORIES, AtFlags::empty());
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir())
    }

    fn survey(&self) -> Survey {
        let (pages, sink) = Survey::new();
        survey::spawn(Arc::clone(&self.store), sink, threads());
        pages
    }

    async fn read<T, F>(&self, items: Vec<Item>, limit: usize, map: F) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static,
    {
        self.each(items, move |near, item| map(item, near.read(item, limit))).await
    }

    async fn stat(&self, items: Vec<Item>) -> Result<Vec<Result<Stat, Error>>, Error> {
        self.each(items, |near, item| near.stat(item)).await
    }

    async fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        self.each(items, move |near, item| match (item, &disposal) {
            (Item::Repository(_), _) => remove_repository(near.store, item, &disposal),
            (_, Disposal::Delete) => near.delete(item),
            (_, Disposal::Quarantine(run)) => {
                trash::take(near.store, run, folder(item, &item.to_string()))
            }
        })
        .await
    }

    async fn sync(&self) -> Result<(), Error> {
        self.blocking(|store| syncfs(&store.root).during("sync", "the store")).await
    }

    async fn begin_quarantine(&self, run: &RunId, index: Bytes) -> Result<(), Error> {
        let run = run.clone();
        self.blocking(move |store| trash::begin(store, &run, &index)).await
    }

    async fn quarantines(&self) -> Result<Vec<KeptRun>, Error> {
        self.blocking(|store| trash::list(store)).await
    }

    async fn restore(&self, run: &RunId) -> Result<Restored, Error> {
        let run = run.clone();
        self.blocking(move |store| trash::restore(store, &run)).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), Error> {
        let run = run.clone();
        self.blocking(move |store| trash::discard(store, &run)).await
    }
}

impl Filesystem {
    /// Does something with every item, side by side; the answers are in their order.
    async fn each<T: Send + 'static>(
        &self,
        items: Vec<Item>,
        work: impl Fn(&mut Near<'_>, &Item) -> T + Send + Sync + 'static,
    ) -> Result<Vec<T>, Error> {
        self.blocking(move |store| Ok(side_by_side(store, &items, work))).await
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).clamp(LEAST_THREADS, MOST_THREADS)
}

fn side_by_side<T: Send>(
    store: &Store,
    items: &[Item],
    work: impl Fn(&mut Near<'_>, &Item) -> T + Sync,
) -> Vec<T> {
    let strides: Vec<&[Item]> = items.chunks(STRIDE).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        let (mut done, mut near) = (Vec::new(), Near::new(store));
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(stride) = strides.get(index) else { return done };
            done.push((index, stride.iter().map(|item| work(&mut near, item)).collect::<Vec<T>>()));
        }
    };
    let mut answers = thread::scope(|scope| {
        let others = 1..threads().min(strides.len());
        let workers: Vec<_> = others.map(|_| scope.spawn(take)).collect();
        let mut answers = take();
        for worker in workers {
            answers.extend(worker.join().unwrap_or_else(|cause| panic::resume_unwind(cause)));
        }
        answers
    });
    answers.sort_unstable_by_key(|(index, _)| *index);
    answers.into_iter().flat_map(|(_, answers)| answers).collect()
}

/// The path of something in a repository that no registry has put there.
fn stranger_in(store: &Store, repository: &str) -> Result<Option<String>, Error> {
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        let directory = store.open_folder(&folder).during("list", &folder)?;
        for entry in Dir::read_from(&directory).during("list", &folder)? {
            let entry = entry.during("list", &folder)?;
            let name = entry.file_name().to_string_lossy();
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{folder}/{name}");
            let Ok(name) = entry.file_name().to_str() else { return Ok(Some(path)) };
            let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).during("stat", &path)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => folders.push(path),
                FileType::RegularFile if is_known(&path) => {}
                _ => return Ok(Some(path)),
            }
        }
    }
    Ok(None)
}

fn is_known(path: &str) -> bool {
    path.strip_prefix("docker/registry/v2/").is_some_and(names::is_known)
}

/// Takes a repository away by one rename, and the folders above it that are empty then.
///
/// One that holds other repositories, or what nobody knows, stays whole.
fn remove_repository(store: &Store, item: &Item, disposal: &Disposal) -> Result<Removed, Error> {
    let folder = item.to_string();
    let entries = match store.list(&folder) {
        Err(error) if error.is_not_found() => return Ok(Removed::Vanished),
        entries => entries?,
    };
    if let Some(other) = entries.iter().find(|entry| !PARTS.contains(&entry.name.as_str())) {
        return Err(Error::new(Kind::Busy, "remove", format!("{folder}/{}", other.name)));
    }
    if let Some(stranger) = stranger_in(store, &folder)? {
        return Err(Error::new(Kind::Busy, "remove", stranger));
    }
    match disposal {
        Disposal::Delete => store.delete_folder(&folder)?,
        Disposal::Quarantine(run) => drop(trash::take_repository(store, run, &folder)?),
    }
    let top = Folder::Repositories.to_string();
    let mut above = parent(&folder);
    while above.len() > top.len() && unlinkat(&store.root, above, AtFlags::REMOVEDIR).is_ok() {
        store.folders.forget(above);
        above = parent(above);
    }
    Ok(Removed::Gone)
}
