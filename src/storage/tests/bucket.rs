//! What `Bulk` promises a collector, asked of a bucket.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its files are its own"
)]

use std::collections::BTreeSet;

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName};
use storage::{Bulk, Disposal, Driver, Found, Item, Key, Kind, Part, Place, Removed, S3, UploadId};
use tokio::task::JoinSet;

mod shared_bucket;

mod collector;

use collector::{Told, app, digest, one_of_each, run, v1};
use shared_bucket::seaweed::Seaweed;

/// A folder of the shared bucket that is this test's own.
struct World {
    store: S3,
    root: String,
}

impl World {
    fn new() -> Self {
        let options = shared_bucket::options("bulk");
        Self { store: S3::open(&options).unwrap(), root: options.root_directory }
    }

    async fn put(&self, item: &Item, bytes: &'static str) {
        collector::put(&self.store, item, bytes).await;
    }

    /// Puts what no key names.
    fn put_stranger(&self, path: &str) {
        let path = format!("/{}/{}/docker/registry/v2/{path}", Seaweed::BUCKET, self.root);
        let put = Seaweed::shared().ask("PUT", &path);
        assert!(put.status.success(), "{put:?}");
    }

    async fn is_there(&self, item: &Item) -> bool {
        self.store.get(item.key().unwrap(), 100).await.is_ok()
    }

    async fn remove(&self, items: &[&Item], disposal: &Disposal) -> Vec<Removed> {
        collector::remove(&self.store, items, disposal).await
    }

    async fn survey(&self) -> Told {
        collector::survey(&self.store).await
    }
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_survey_lists_what_is_there_once() {
    let world = World::new();
    for item in &one_of_each() {
        world.put(item, "x").await;
    }
    let long = Digest::of(Algorithm::Sha512, b"layer");
    world.put(&Item::Blob(long), "x").await;
    let id = UploadId::random();
    world.store.begin_upload(&app(), id, "2026-01-02T03:04:05Z").await.unwrap();

    let mut told = world.survey().await;
    told.blobs.sort_unstable();
    assert_eq!(told.blobs, [digest("layer"), long]);
    let expected = [
        Found::Part(Part::Layers),
        Found::Layer(digest("layer")),
        Found::Part(Part::Manifests),
        Found::Revision(digest("manifest")),
        Found::Part(Part::Tags),
        Found::Tag(v1()),
        Found::TagIndex(v1(), digest("manifest")),
        Found::Upload(id),
    ];
    assert_eq!(told.found.len(), expected.len(), "{told:#?}");
    for found in expected {
        assert!(told.found.contains(&(app().to_string(), found.clone())), "{found:?}");
    }
    assert!(told.strangers.is_empty() && told.hidden.is_empty(), "{told:#?}");
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn an_empty_bucket_is_surveyed_too() {
    let told = World::new().survey().await;
    assert!(told.blobs.is_empty() && told.found.is_empty() && told.hidden.is_empty());
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn what_nobody_knows_is_told() {
    let world = World::new();
    for name in [
        "blobs/sha256/aa/short/data",
        "blobs/md5/a/b",
        "other/a",
        "repositories/app/_manifests/tags/.hidden/current/link",
        "repositories/Upper/_manifests/tags/v1/current/link",
    ] {
        world.put_stranger(name);
    }
    let mut told = world.survey().await;
    told.strangers.sort_unstable();
    let below = |path: &&str| format!("{}/docker/registry/v2/{path}", world.root);
    let expected =
        ["blobs/md5", "blobs/sha256/aa/short", "other", "repositories/app/_manifests/tags/.hidden"];
    assert_eq!(told.strangers, expected.iter().map(below).collect::<Vec<_>>());
    let [(Place::Repositories, error)] = told.hidden.as_slice() else { panic!("{told:#?}") };
    assert!(error.contains("repositories/Upper/_manifests"), "{error}");
}

/// Names that stores put into different orders, and folders that are divided among lists.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_bucket_of_many_pages_is_listed_whole() {
    let world = World::new();
    let blobs: BTreeSet<Digest> = (0..4200).map(|number| digest(&number.to_string())).collect();
    let mut expected = BTreeSet::new();
    let mut items: Vec<Item> = blobs.iter().copied().map(Item::Blob).collect();
    let names = ["a", "a-b", "a.b", "a/b", "a-b/c", "z"].map(str::to_owned).into_iter();
    for (number, name) in names.chain((0..60).map(|it| format!("group/p{it}"))).enumerate() {
        let repository: RepositoryName = name.parse().unwrap();
        for layer in 0..(if number == 1 { 1500 } else { 30 }) {
            let layer = digest(&format!("{name} {layer}"));
            expected.insert((name.clone(), layer));
            items.push(Item::Layer(repository.clone(), layer));
        }
    }
    put_all(&world, items).await;

    let told = world.survey().await;
    assert_eq!(told.blobs.len(), blobs.len());
    assert_eq!(told.blobs.into_iter().collect::<BTreeSet<_>>(), blobs);
    let found = told.found.iter().filter_map(|(name, found)| match found {
        Found::Layer(digest) => Some((name.clone(), *digest)),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(told.strangers.is_empty() && told.hidden.is_empty());
}

async fn put_all(world: &World, items: Vec<Item>) {
    let mut putting = JoinSet::new();
    for some in items.chunks(items.len().div_ceil(16)) {
        let (store, some) = (world.store.clone(), some.to_vec());
        putting.spawn(async move {
            for item in some {
                store.put(item.key().unwrap(), Bytes::from_static(b"x")).await.unwrap();
            }
        });
    }
    while let Some(put) = putting.join_next().await {
        put.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn answers_stand_in_the_order_of_their_questions() {
    let world = World::new();
    let digests: Vec<_> = (0..100).map(|number| digest(&number.to_string())).collect();
    for (number, digest) in digests.iter().enumerate().filter(|(number, _)| number % 3 > 0) {
        world.store.put(Key::Blob(digest), Bytes::from(vec![b'x'; number])).await.unwrap();
    }
    let items: Vec<_> = digests.into_iter().map(Item::Blob).collect();
    let stats = Bulk::stat(&world.store, items.clone()).await.unwrap();
    let length = |_: &Item, bytes: Result<Bytes, storage::Error>| bytes.map(|it| it.len());
    let lengths = world.store.read(items, 80, length).await.unwrap();
    for (number, (stat, length)) in stats.into_iter().zip(lengths).enumerate() {
        match number % 3 {
            0 => assert!(stat.unwrap_err().is_not_found() && length.unwrap_err().is_not_found()),
            _ if number > 80 => {
                assert_eq!(stat.unwrap().size, number as u64);
                assert_eq!(length.unwrap_err().kind(), Kind::TooLarge);
            }
            _ => assert_eq!((stat.unwrap().size, length.unwrap()), (number as u64, number)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn removing_takes_what_is_named_and_nothing_else() {
    let world = World::new();
    let items = one_of_each();
    for item in &items {
        world.put(item, "x").await;
    }
    let sibling = Item::Layer(app(), digest("sibling"));
    world.put(&sibling, "x").await;
    let all: Vec<_> = items.iter().rev().collect();
    assert_eq!(world.remove(&all, &Disposal::Delete).await, [Removed::Gone; 5]);
    for item in &items {
        assert!(!world.is_there(item).await, "{item}");
    }
    assert!(world.is_there(&sibling).await);
    // What is gone is no failure.
    assert_eq!(world.remove(&all, &Disposal::Delete).await.len(), 5);
    assert_eq!(world.remove(&[&items[0]], &Disposal::Delete).await, [Removed::Vanished]);

    let many: Vec<Item> = (0..1700).map(|it| Item::Blob(digest(&it.to_string()))).collect();
    put_all(&world, many.clone()).await;
    let removed = world.store.remove(many, Disposal::Delete).await.unwrap();
    assert_eq!(removed.len(), 1700);
    assert!(removed.into_iter().all(|it| it.unwrap() == Removed::Gone));
    assert_eq!(world.survey().await.blobs, []);
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_repository_goes_whole_or_not_at_all() {
    let world = World::new();
    let inner: RepositoryName = "group/app/inner".parse().unwrap();
    world.put(&Item::Layer(app(), digest("layer")), "x").await;
    world.put(&Item::Layer(inner.clone(), digest("layer")), "x").await;
    world.store.begin_upload(&app(), UploadId::random(), "2026-01-02T03:04:05Z").await.unwrap();
    let remove = |name| world.store.remove(vec![Item::Repository(name)], Disposal::Delete);
    let refused = remove(app()).await.unwrap().remove(0).unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    for name in [inner, app()] {
        assert_eq!(remove(name).await.unwrap().remove(0).unwrap(), Removed::Gone);
    }
    assert!(world.survey().await.found.is_empty());
    assert_eq!(remove(app()).await.unwrap().remove(0).unwrap(), Removed::Vanished);
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn what_is_in_quarantine_comes_back_and_replaces_nothing() {
    let world = World::new();
    let items = one_of_each();
    for item in &items {
        world.put(item, "old").await;
    }
    world.store.begin_quarantine(&run(), Bytes::from_static(b"{}")).await.unwrap();
    let quarantine = Disposal::Quarantine(run());
    let removed = world.remove(&items.each_ref(), &quarantine).await;
    assert_eq!(removed.len(), 5);
    for item in &items {
        assert!(!world.is_there(item).await, "{item}");
    }
    let told = world.survey().await;
    assert!(told.blobs.is_empty() && told.strangers.is_empty(), "{told:#?}");
    // Somebody has pushed the layer again.
    world.put(&items[3], "new").await;

    let restored = world.store.restore(&run()).await.unwrap();
    assert_eq!((restored.objects, restored.kept.as_slice()), (4, &[items[3].to_string()][..]));
    for item in &items {
        assert!(world.is_there(item).await, "{item}");
    }
    assert_eq!(world.store.get(items[3].key().unwrap(), 100).await.unwrap(), "new");
    // What did not come back waits.
    let kept = world.store.quarantines().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].index.as_ref().unwrap(), "{}");
    world.store.discard(&run()).await.unwrap();
    assert!(world.store.quarantines().await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_quarantine_that_came_back_whole_is_gone() {
    let world = World::new();
    let blob = Item::Blob(digest("layer"));
    world.put(&blob, "x").await;
    world.store.begin_quarantine(&run(), Bytes::from_static(b"{}")).await.unwrap();
    world.remove(&[&blob], &Disposal::Quarantine(run())).await;
    assert_eq!(world.store.restore(&run()).await.unwrap().objects, 1);
    assert!(world.is_there(&blob).await);
    assert!(world.store.quarantines().await.unwrap().is_empty());
}
