//! Sweeps that are stopped, quarantined, undone; and the cache.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use storage::{
    Bulk, Disposal, Error, Filesystem, Item, KeptRun, Kind, Removed, Restored, RunId, Stat, Survey,
};

use super::folder::{Folder, NEVER, blob, options, revision};
use crate::collect::{Empty, Options, Progress, Untagged, quarantine, survey, sweep};

const REMOVE: Untagged = Untagged::Remove;

/// A store that is gone after so many calls that change it.
#[derive(Clone, Debug)]
struct Stopping {
    store: Filesystem,
    left: Arc<AtomicUsize>,
}

impl Stopping {
    fn call(&self) -> Result<(), Error> {
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| Error::new(Kind::Other, "use", "a store after a crash"))
    }
}

impl Bulk for Stopping {
    fn identity(&self) -> String {
        self.store.identity()
    }

    fn has_repositories(&self) -> bool {
        self.store.has_repositories()
    }

    fn survey(&self) -> Survey {
        self.store.survey()
    }

    async fn read<T, F>(&self, items: Vec<Item>, limit: usize, map: F) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static,
    {
        self.store.read(items, limit, map).await
    }

    async fn stat(&self, items: Vec<Item>) -> Result<Vec<Result<Stat, Error>>, Error> {
        self.store.stat(items).await
    }

    async fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        let mut removed = Vec::new();
        for item in items {
            self.call()?;
            removed.extend(self.store.remove(vec![item], disposal.clone()).await?);
        }
        Ok(removed)
    }

    async fn sync(&self) -> Result<(), Error> {
        self.call()?;
        self.store.sync().await
    }

    async fn begin_quarantine(&self, run: &RunId, index: Bytes) -> Result<(), Error> {
        self.store.begin_quarantine(run, index).await
    }

    async fn quarantines(&self) -> Result<Vec<KeptRun>, Error> {
        self.store.quarantines().await
    }

    async fn restore(&self, run: &RunId) -> Result<Restored, Error> {
        self.store.restore(run).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), Error> {
        self.store.discard(run).await
    }
}

/// Something of everything that a collection removes, beside what it keeps.
fn mixed() -> Folder {
    let folder = Folder::new();
    let (old, new) = (folder.image("app", "old"), folder.image("app", "new"));
    folder.tag("app", "v1", &old);
    folder.tag("app", "v1", &new);
    let child = folder.image("multi", "child");
    let index = folder.index("multi", &[child]);
    folder.tag("multi", "v1", &index);
    folder.image("multi", "new");
    let gone = oci::Digest::of(oci::Algorithm::Sha256, b"gone");
    let list = folder.index("app", &[folder.image("app", "signature")]);
    folder.tag("app", oci::Tag::of_referrers(&gone).as_str(), &list);
    folder.image("empty", "untagged");
    let deleted = folder.image("app", "deleted");
    folder.remove(&revision("app", &deleted));
    folder
}

async fn begin_quarantine(folder: &Folder) -> RunId {
    let minute = Duration::from_secs(60);
    quarantine::begin(&folder.open(), SystemTime::now(), minute).await.unwrap()
}

fn all() -> Options {
    Options { empty: Empty::Remove, ..options(REMOVE) }
}

#[tokio::test]
async fn wherever_a_sweep_stops_tags_pull_and_the_next_run_ends_as_this_one_would() {
    let whole = mixed();
    let (plan, swept) = whole.collect_with(&all(), &Disposal::Delete).await;
    assert!(plan.counts().tags == 1 && plan.counts().leftovers == 1);
    assert_eq!(swept.removed.repositories, 1);
    let mut calls = 0;
    loop {
        let folder = mixed();
        let store = Stopping { store: folder.open(), left: Arc::new(AtomicUsize::new(calls)) };
        let plan = survey::plan(&store, &all(), &|_| false, &mut |_| ()).await.unwrap();
        let ended = sweep::sweep(&store, &plan, &Disposal::Delete, &NEVER, &mut |_| ()).await;
        drop(store);
        folder.assert_pulls("app", "v1");
        folder.assert_pulls("multi", "v1");
        assert_links_lead_somewhere(&folder);
        let is_done = ended.is_ok();
        folder.collect_with(&all(), &Disposal::Delete).await;
        assert_eq!(folder.files(), whole.files(), "after {calls} calls");
        assert_eq!(folder.folders(), whole.folders(), "after {calls} calls");
        if is_done {
            break;
        }
        calls += 1;
    }
    assert!(calls > 20, "{calls}");
}

#[tokio::test]
async fn one_that_is_told_to_stop_ends_what_is_in_hand_and_the_next_run_does_the_rest() {
    let whole = mixed();
    whole.collect_with(&all(), &Disposal::Delete).await;
    let mut batches = 0;
    loop {
        let folder = mixed();
        let store = folder.open();
        let plan = survey::plan(&store, &all(), &|_| false, &mut |_| ()).await.unwrap();
        let (stop, mut begun, mut gone) = (AtomicBool::new(batches == 0), 0, 0);
        let mut watch = |news| match news {
            Progress::Advanced(_) => {
                begun += 1;
                stop.store(begun >= batches, Ordering::Relaxed);
            }
            Progress::Gone(_) => gone += 1,
            Progress::Begun(..) => {}
        };
        let swept = sweep::sweep(&store, &plan, &Disposal::Delete, &stop, &mut watch).await;
        let swept = swept.unwrap();
        drop(store);
        assert_eq!((begun, swept.failed, swept.stopped), (begun.min(batches), 0, None));
        assert!(swept.removed.blobs + swept.removed.manifests <= gone, "{swept:?}");
        folder.assert_pulls("app", "v1");
        folder.assert_pulls("multi", "v1");
        assert_links_lead_somewhere(&folder);
        folder.collect_with(&all(), &Disposal::Delete).await;
        assert_eq!(folder.files(), whole.files(), "after {batches} batches");
        assert_eq!(folder.folders(), whole.folders(), "after {batches} batches");
        if !swept.interrupted {
            break;
        }
        batches += 1;
    }
    assert!(batches > 4, "{batches}");
}

/// No link is there whose bytes are gone, which 2.8's collector gives up on.
fn assert_links_lead_somewhere(folder: &Folder) {
    for (path, bytes) in folder.files() {
        if path.ends_with("/link") && !path.contains("/index/") {
            let digest = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
            assert!(folder.exists(&blob(&digest)), "{path}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_removed_stops_what_comes_later() {
    let folder = mixed();
    let plan = folder.plan(REMOVE).await;
    let store = folder.open();
    // A folder in place of the link.
    let Item::Revision(name, digest) = plan.items(crate::collect::Step::Revisions).next().unwrap()
    else {
        panic!("the step is of revisions")
    };
    let link = revision(name.as_str(), &digest);
    folder.remove(&link);
    folder.write(&format!("{link}/in-the-way"), b"");
    let swept = sweep::sweep(&store, &plan, &Disposal::Delete, &NEVER, &mut |_| ()).await.unwrap();
    assert_eq!((swept.failed, swept.stopped), (1, Some(crate::collect::Step::Revisions)));
    assert_eq!((swept.removed.layers, swept.removed.blobs), (0, 0));
    assert!(folder.exists(&blob(&digest)));
}

#[tokio::test]
async fn a_folder_that_is_all_that_is_left_of_a_quarantine_goes() {
    let folder = mixed();
    let run = begin_quarantine(&folder).await;
    let index = format!("regctl-trash/{run}/run.json");
    folder.remove(&index);
    let expired = quarantine::expire(&folder.open(), SystemTime::now()).await.unwrap();
    assert_eq!((expired.emptied, expired.unreadable), (vec![run.to_string()], Vec::new()));
    assert!(!folder.exists(index.trim_end_matches("/run.json")));
}

#[tokio::test]
async fn what_went_into_quarantine_comes_back_as_it_was() {
    let folder = mixed();
    let (files, folders) = (folder.files(), folder.folders());
    let run = begin_quarantine(&folder).await;
    let (_, swept) = folder.collect_with(&all(), &Disposal::Quarantine(run.clone())).await;
    assert_eq!(swept.vanished, 0);
    let deleted = mixed();
    deleted.collect_with(&all(), &Disposal::Delete).await;
    assert_eq!(folder.files(), deleted.files());

    let restored = quarantine::undo(&folder.open(), &run).await.unwrap().unwrap();
    assert_eq!((restored.kept, restored.objects > 0), (Vec::new(), true));
    assert_eq!(folder.files(), files);
    assert_eq!(folder.folders(), folders);
    assert_eq!(quarantine::undo(&folder.open(), &run).await.unwrap(), None);
}

#[tokio::test]
async fn undo_never_replaces_what_is_there_by_then() {
    let folder = mixed();
    let run = begin_quarantine(&folder).await;
    folder.collect_with(&all(), &Disposal::Quarantine(run.clone())).await;
    let gone = oci::Digest::of(oci::Algorithm::Sha256, b"gone");
    let tag = oci::Tag::of_referrers(&gone);
    let newer = folder.image("app", "new");
    folder.tag("app", tag.as_str(), &newer);
    let restored = quarantine::undo(&folder.open(), &run).await.unwrap().unwrap();
    let link = format!("repositories/app/_manifests/tags/{tag}/current/link");
    assert_eq!(restored.kept, [format!("docker/registry/v2/{link}")]);
    assert_eq!(folder.files()[&link], newer.to_string().as_bytes());
    // The rest of the run is still there, and nothing of it twice.
    let again = quarantine::undo(&folder.open(), &run).await.unwrap().unwrap();
    assert_eq!((again.objects, again.kept.len()), (0, 1));
    // What came back and was removed by its owner since does not come back empty.
    folder.remove("repositories/app/_layers");
    let again = quarantine::undo(&folder.open(), &run).await.unwrap().unwrap();
    assert_eq!((again.objects, again.kept.len()), (0, 1));
    assert!(!folder.exists("repositories/app/_layers"));
}

#[tokio::test]
async fn a_quarantine_is_emptied_when_its_time_is_over() {
    let folder = mixed();
    let begun = SystemTime::now();
    let run = quarantine::begin(&folder.open(), begun, Duration::from_secs(60)).await.unwrap();
    folder.collect_with(&all(), &Disposal::Quarantine(run.clone())).await;
    let before = quarantine::expire(&folder.open(), begun).await.unwrap();
    assert_eq!(before.emptied, Vec::<String>::new());
    let later = begun + Duration::from_secs(61);
    let after = quarantine::expire(&folder.open(), later).await.unwrap();
    assert_eq!(after.emptied, [run.to_string()]);
    assert!(!folder.exists(&format!("regctl-trash/{run}")));
    folder.write("regctl-trash/torn/run.json", b"{");
    let torn = quarantine::expire(&folder.open(), later).await.unwrap();
    assert_eq!(torn.unreadable, ["torn"]);
    assert!(folder.exists("regctl-trash/torn"));
}

#[tokio::test]
async fn a_quarantine_that_was_emptied_in_part_does_not_come_back() {
    for stuck in ["blobs", "repositories"] {
        let folder = mixed();
        let begun = SystemTime::now();
        let run = quarantine::begin(&folder.open(), begun, Duration::from_secs(60)).await.unwrap();
        folder.collect_with(&all(), &Disposal::Quarantine(run.clone())).await;
        let left = (folder.files(), folder.folders());
        // A name that cannot be removed by this program, as a process that is killed there.
        let at = folder.top().join(format!("regctl-trash/{run}/{stuck}"));
        let odd = at.join(std::ffi::OsStr::from_bytes(b"\xff"));
        fs::create_dir(&odd).unwrap();
        let later = begun + Duration::from_secs(61);
        quarantine::expire(&folder.open(), later).await.unwrap_err();
        assert_eq!(quarantine::undo(&folder.open(), &run).await.unwrap(), None);
        assert_eq!((folder.files(), folder.folders()), left);
        // The next one ends what was begun, whatever the time is.
        fs::remove_dir(&odd).unwrap();
        let after = quarantine::expire(&folder.open(), begun).await.unwrap();
        assert_eq!(after.emptied, [run.to_string()]);
        assert!(!folder.exists(&format!("regctl-trash/{run}")));
    }
}

#[tokio::test]
async fn repositories_within_others_go_into_quarantine_and_come_back() {
    let folder = Folder::new();
    for name in ["a", "a/b", "a/b/c", "a-b", "z/a"] {
        folder.image(name, name);
    }
    let (files, folders) = (folder.files(), folder.folders());
    let run = begin_quarantine(&folder).await;
    let (plan, swept) = folder.collect_with(&all(), &Disposal::Quarantine(run.clone())).await;
    assert_eq!((plan.counts().repositories, swept.removed.repositories), (5, 5));
    assert!(!folder.exists("repositories/a") && !folder.exists("repositories/z"));
    let restored = quarantine::undo(&folder.open(), &run).await.unwrap().unwrap();
    assert_eq!(restored.kept, Vec::<String>::new());
    assert_eq!((folder.files(), folder.folders()), (files, folders));
}

/// Where a block of a cache begins: each has its length and a checksum before it.
fn start_of_block(cache: &[u8], number: usize) -> usize {
    let length = |at: usize| u32::from_le_bytes(*cache[at..].first_chunk().unwrap()) as usize;
    (0..number).fold(0, |at, _| at + 4 + 16 + length(at))
}

#[tokio::test]
async fn the_cache_changes_nothing_wherever_it_ends() {
    let folder = mixed();
    let path = folder.root().join("cache");
    let cached = Options { cache: Some(path.clone()), ..all() };
    let plan = async |options: &Options| {
        let (mut read, mut measured) = (0, None);
        let mut is_reading = false;
        let mut watch = |news| match news {
            Progress::Begun(phase, total) => {
                is_reading = phase == crate::collect::Phase::Manifests;
                measured = total;
            }
            Progress::Advanced(count) if is_reading => read += count,
            Progress::Advanced(_) | Progress::Gone(_) => {}
        };
        let plan = survey::plan(&folder.open(), options, &|_| false, &mut watch).await.unwrap();
        let gone = format!("{:?} {:?}", super::invented::gone(&plan), plan.sizes);
        (gone, read, measured.unwrap())
    };
    let (expected, all_manifests, all_sizes) = plan(&all()).await;
    assert!(all_manifests > 0 && all_sizes > 0);
    assert_eq!(plan(&cached).await, (expected.clone(), all_manifests, all_sizes));
    assert_eq!(plan(&cached).await, (expected.clone(), 0, 0));
    let whole = fs::read(&path).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    let damage = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    for end in (0..whole.len()).step_by(7) {
        damage(&whole[..end]);
        assert_eq!(plan(&cached).await.0, expected, "cut at {end}");
        let mut bytes = whole.clone();
        bytes[end] ^= 0x10;
        damage(&bytes);
        // The block of the sizes is the last one.
        let manifests = if end < start_of_block(&whole, 3) { all_manifests } else { 0 };
        let again = (expected.clone(), manifests, all_sizes);
        assert_eq!(plan(&cached).await, again, "changed at {end}");
    }
    // Another store's.
    let other = mixed();
    fs::copy(&path, other.root().join("cache")).unwrap();
    let its_own = Options { cache: Some(other.root().join("cache")), ..all() };
    let mut read = 0;
    let mut count = |news| {
        if let Progress::Advanced(more) = news {
            read += more;
        }
    };
    survey::plan(&other.open(), &its_own, &|_| false, &mut count).await.unwrap();
    assert!(read > 0);
}
