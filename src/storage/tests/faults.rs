//! A bucket behind a way on which every other request goes wrong: what is asked is done or refused, within bounds, and nothing
//! is ever seen that nobody has written.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its files are its own"
)]

use std::{
    fmt::Debug,
    future::poll_fn,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName, Tag};
use storage::{
    Backend, Bulk, Disposal, Driver, Error, Folder, Item, Key, Kind, RunId, S3, S3Config, Strays,
    UploadId,
};
use tokio::time::timeout;

mod faulty;
mod shared_bucket;

use faulty::{Fault, Faulty};
use shared_bucket::seaweed::Seaweed;

const MIB: usize = 1 << 20;

/// What one operation may take at most: with each of its requests tried again and again.
const BOUND: Duration = Duration::from_secs(60);

/// A folder of the shared bucket, by a way on which things go wrong, and as it is.
struct World {
    way: Faulty,
    spoiled: S3,
    clean: S3,
    fault: Fault,
    name: RepositoryName,
    refused: Vec<String>,
}

impl World {
    async fn new(fault: Fault) -> Self {
        let options = S3Config { chunk_size: 5 * MIB as u64, ..shared_bucket::options("faults") };
        let store = Seaweed::shared().endpoint("http");
        let way = Faulty::to(&store, fault).await;
        let open = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            S3::open(&S3Config { endpoint, ..options.clone() }).unwrap()
        };
        let (spoiled, clean) = (open(way.endpoint()), open(&store));
        let name = "group/app".parse().unwrap();
        Self { way, spoiled, clean, fault, name, refused: Vec::new() }
    }

    /// Waits for an operation; what came of it, if it was done.
    async fn done<T: Debug>(
        &mut self,
        what: &str,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Option<T> {
        let done = timeout(BOUND, operation).await;
        let done = done.unwrap_or_else(|_| panic!("{:?}: {what} does not end", self.fault));
        done.map_err(|error| self.refused.push(format!("{what}: {error}"))).ok()
    }

    /// The bytes of an object by the way, in pieces.
    async fn read(&mut self, key: Key<'_>) -> Option<Vec<u8>> {
        let store = self.spoiled.clone();
        self.done("open", async {
            let object = store.open(key).await?;
            let mut chunks = object.chunks(0..object.size());
            let mut bytes = Vec::new();
            while let Some(piece) = poll_fn(|context| chunks.poll_next(context)).await {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        })
        .await
    }

    /// What is at a blob's place is that blob, or nothing.
    async fn check(&self, bytes: &[u8]) -> bool {
        match self.clean.get(Key::Blob(&digest(bytes)), bytes.len() + MIB).await {
            Ok(there) => {
                assert!(there == bytes, "{:?}: a blob is another one", self.fault);
                true
            }
            Err(error) => {
                assert!(error.is_not_found(), "{:?}: {error}", self.fault);
                false
            }
        }
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Bytes that are like no others.
fn pattern(seed: usize, length: usize) -> Vec<u8> {
    let byte = |index: usize| (index * 7 + index / 251 + seed * 13 + (index >> 16) * seed) % 256;
    (0..length).map(|index| u8::try_from(byte(index)).unwrap()).collect()
}

/// Objects: written, staged, read, listed and deleted.
async fn objects(world: &mut World) {
    let store = world.spoiled.clone();
    let (name, tag): (RepositoryName, Tag) = (world.name.clone(), "v1".parse().unwrap());
    let (small, large) = (Bytes::from(pattern(1, 1000)), Bytes::from(pattern(2, 3 * MIB)));
    for bytes in [&small, &large] {
        let digest = digest(bytes);
        let key = Key::Blob(&digest);
        let put = world.done("put", store.put(key, bytes.clone())).await;
        assert!(world.check(bytes).await || put.is_none());
        if let Some(stat) = world.done("stat", Driver::stat(&store, key)).await {
            assert_eq!(stat.size, bytes.len() as u64);
        }
        if let Some(got) = world.done("get", store.get(key, bytes.len())).await {
            assert_eq!(got, bytes);
        }
        if let Some(read) = world.read(key).await {
            assert!(read == *bytes);
        }
    }
    let manifest = digest(&small);
    let link = Bytes::from(manifest.to_string());
    let revision = Key::RevisionLink(&name, &manifest);
    if let Some(staged) = world.done("stage", store.stage(revision, link.clone())).await {
        world.done("commit", store.commit(staged)).await;
    }
    let objects = vec![
        (Key::TagIndexLink(&name, &tag, &manifest), link.clone()),
        (Key::TagLink(&name, &tag), link.clone()),
    ];
    let folder = Folder::Tag(&name, &tag);
    if let Some(staged) = world.done("stage folder", store.stage_folder(folder, objects)).await {
        world.done("commit folder", store.commit(staged)).await;
    }
    world.done("create folder", store.create_folder(Folder::Tags(&name))).await;
    world.done("list", store.list(Folder::Tags(&name))).await;
    world.done("folder exists", store.folder_exists(Folder::Tags(&name))).await;
    let gone = world.done("delete", store.delete(revision)).await;
    assert!(
        gone.is_none() || Driver::stat(&world.clean, revision).await.unwrap_err().is_not_found()
    );
    let gone = world.done("delete folder", store.delete_folder(folder)).await;
    // A list of some time ago has not everything that is there.
    if gone.is_some() && world.fault != Fault::OldList {
        assert!(!world.clean.folder_exists(folder).await.unwrap());
    }
}

/// Uploads: in one request and in several, at their blob's place and beside it, ended and given up.
async fn uploads(world: &mut World) {
    let store = world.spoiled.clone();
    let name = world.name.clone();
    for (seed, length, aimed) in [(3, 70_000, false), (4, 17 * MIB, false), (5, 17 * MIB, true)] {
        let bytes = pattern(seed, length);
        let (id, digest) = (UploadId::random(), digest(&bytes));
        world.done("begin", store.begin_upload(&name, id, "2026-01-02T03:04:05Z")).await;
        let (first, rest) = bytes.split_at(length / 2);
        let sent = async |part: &[u8], is_last: bool| {
            let mut writer = store.append(&name, id).await?;
            if aimed {
                writer.become_blob(&digest).await?;
            }
            for piece in part.chunks(700_000) {
                writer.write(Bytes::copy_from_slice(piece)).await?;
            }
            if !is_last {
                return writer.close().await.map(drop);
            }
            if writer.digest(Algorithm::Sha256).await? != digest {
                // What was sent is not all there, and that is known.
                return writer.close().await.map(drop);
            }
            writer.sync().await?;
            store.publish(writer, &digest).await
        };
        world.done("append", sent(first, false)).await;
        let stat = Driver::stat(&store, Key::UploadData(&name, &id));
        world.done("stat upload", stat).await;
        let published = world.done("publish", sent(rest, true)).await;
        let is_there = world.check(&bytes).await;
        assert!(published.is_none() || is_there || !world.refused.is_empty());
        if let Some(read) = world.read(Key::Blob(&digest)).await {
            assert!(read == bytes);
        }
        world.done("end", store.end_upload(&name, id)).await;
    }
    let id = UploadId::random();
    world.done("begin", store.begin_upload(&name, id, "2026-01-02T03:04:05Z")).await;
    let given_up = async {
        let mut writer = store.append(&name, id).await?;
        writer.write(Bytes::from(pattern(6, 12 * MIB))).await?;
        writer.close().await.map(drop)
    };
    world.done("append", given_up).await;
    world.done("end", store.end_upload(&name, id)).await;
    let strays = Backend::S3(store.clone());
    let now = SystemTime::now() + Duration::from_secs(3600);
    world.done("end strays", strays.end_strays(now, Some(Vec::new()), Strays::End)).await;
}

/// What a collection asks.
async fn collection(world: &mut World) {
    let store = world.spoiled.clone();
    let items: Vec<Item> = (10..40).map(|seed| Item::Blob(digest(&pattern(seed, 50)))).collect();
    for seed in 10..40 {
        let bytes = pattern(seed, 50);
        world.clean.put(Key::Blob(&digest(&bytes)), bytes.into()).await.unwrap();
    }
    let surveyed = async {
        let mut survey = store.survey();
        while survey.next().await?.is_some() {}
        Ok(())
    };
    world.done("survey", surveyed).await;
    let stats = world.done("stat all", Bulk::stat(&store, items.clone())).await;
    for stat in stats.into_iter().flatten().flatten() {
        assert_eq!(stat.size, 50);
    }
    let read = store.read(items.clone(), 100, |item, bytes| (item.clone(), bytes));
    for (item, bytes) in world.done("read all", read).await.into_iter().flatten() {
        if let (Item::Blob(named), Ok(bytes)) = (item, bytes) {
            assert_eq!(digest(&bytes), named);
        }
    }
    let run: RunId = "run-1".parse().unwrap();
    let index = Bytes::from_static(b"{}");
    world.done("begin quarantine", store.begin_quarantine(&run, index)).await;
    let some = items[..5].to_vec();
    world.done("quarantine", store.remove(some, Disposal::Quarantine(run.clone()))).await;
    world.done("quarantines", store.quarantines()).await;
    world.done("restore", store.restore(&run)).await;
    world.done("discard", store.discard(&run)).await;
    for seed in 10..15 {
        world.check(&pattern(seed, 50)).await;
    }
    let removed = world.done("remove", store.remove(items.clone(), Disposal::Delete)).await;
    for (item, removed) in items.iter().zip(removed.into_iter().flatten()) {
        if removed.is_ok() {
            let there = Driver::stat(&world.clean, item.key().unwrap()).await;
            assert!(there.is_err_and(|error| error.is_not_found()), "{item}");
        }
    }
    world.done("sync", store.sync()).await;
}

/// Every operation of the driver goes through a fault, every other request of each.
async fn survives(fault: Fault) {
    let mut world = World::new(fault).await;
    objects(&mut world).await;
    uploads(&mut world).await;
    collection(&mut world).await;
    assert!(world.way.spoiled() > 5, "{}", world.way.spoiled());
    // What can be tried again is: clients hear of none of these.
    assert_eq!(world.refused, [""; 0]);
    // And afterwards all is as ever.
    world.way.mend();
    let bytes = pattern(7, 100);
    world.spoiled.put(Key::Blob(&digest(&bytes)), bytes.clone().into()).await.unwrap();
    assert!(world.check(&bytes).await);
}

macro_rules! each_survives {
    ($($name:ident => $fault:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs weed: run cargo xtask test"]
            async fn $name() {
                survives(Fault::$fault).await;
            }
        )*
    };
}

each_survives! {
    answers_that_are_late_are_waited_for => Late;
    requests_that_break_off_are_sent_again => CutRequest;
    answers_that_break_off_are_asked_for_again => CutAnswer;
    answers_that_end_early_are_not_taken_for_whole => ShortAnswer;
    a_store_without_time_is_asked_later => SlowDown;
    what_was_done_unheard_is_done => LostAnswer;
    lists_of_some_time_ago_make_nothing_wrong => OldList;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_full_bucket_says_so() {
    let world = World::new(Fault::Full).await;
    world.way.worsen();
    let tag: Tag = "v1".parse().unwrap();
    let (store, name) = (world.spoiled.clone(), world.name.clone());
    let put = store.put(Key::TagLink(&name, &tag), Bytes::from_static(b"x"));
    let error = timeout(BOUND, put).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace);
}
