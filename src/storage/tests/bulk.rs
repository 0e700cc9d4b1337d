//! What `Bulk` promises a collector, asked of a folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::symlink, path::Path};

use bytes::Bytes;
use oci::{Algorithm, Digest, RepositoryName};
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use storage::{
    Access, Bulk, Disposal, Driver, Filesystem, FilesystemConfig, Folder, Found, Item, Key, Kind,
    Part, Place, Removed, UploadId,
};
use tempfile::TempDir;

mod collector;

use collector::{Told, app, digest, one_of_each, run, v1};

struct World {
    scratch: TempDir,
    store: Filesystem,
}

impl World {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let root_directory = scratch.path().to_owned();
        let options = FilesystemConfig { root_directory, max_threads: 4 };
        let store = Filesystem::open_existing(&options, Access::Alone).unwrap();
        Self { scratch, store }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.scratch.path().join("docker/registry/v2").join(below)
    }

    async fn put(&self, item: &Item, bytes: &'static str) {
        collector::put(&self.store, item, bytes).await;
    }

    fn is_there(&self, item: &Item) -> bool {
        self.scratch.path().join(item.to_string()).exists()
    }

    async fn remove(&self, items: &[&Item], disposal: &Disposal) -> Vec<Removed> {
        collector::remove(&self.store, items, disposal).await
    }

    /// All that a survey tells of.
    async fn survey(&self) -> Told {
        collector::survey(&self.store).await
    }
}

#[tokio::test]
async fn a_survey_lists_what_is_there_once() {
    let world = World::new();
    for item in &one_of_each() {
        world.put(item, "x").await;
    }
    let long = Digest::of(Algorithm::Sha512, b"layer");
    world.put(&Item::Blob(long), "x").await;
    let id = UploadId::random();
    world.store.begin_upload(&app(), id, "2026-01-02T03:04:05Z").await.unwrap();
    fs::create_dir_all(world.path("repositories/empty/_manifests/tags")).unwrap();
    // A tag whose link is gone is a folder still.
    fs::create_dir_all(world.path("repositories/empty/_manifests/tags/left")).unwrap();

    let mut told = world.survey().await;
    told.blobs.sort_unstable();
    assert_eq!(told.blobs, [digest("layer"), long]);
    let name = || app().to_string();
    let expected = [
        (name(), Found::Part(Part::Layers)),
        (name(), Found::Part(Part::Manifests)),
        (name(), Found::Part(Part::Tags)),
        (name(), Found::Layer(digest("layer"))),
        (name(), Found::Revision(digest("manifest"))),
        (name(), Found::Tag(v1())),
        (name(), Found::TagIndex(v1(), digest("manifest"))),
        (name(), Found::Upload(id)),
        ("empty".to_owned(), Found::Part(Part::Manifests)),
        ("empty".to_owned(), Found::Part(Part::Tags)),
        ("empty".to_owned(), Found::Tag("left".parse().unwrap())),
    ];
    for fact in &expected {
        assert!(told.found.contains(fact), "{fact:?} is not in {told:#?}");
    }
    assert_eq!(told.found.len(), expected.len(), "{told:#?}");
    assert!(told.strangers.is_empty() && told.hidden.is_empty(), "{told:#?}");
}

#[tokio::test]
async fn a_store_that_was_never_written_to_has_nothing() {
    let told = World::new().survey().await;
    assert!(told.blobs.is_empty() && told.found.is_empty(), "{told:#?}");
    assert!(told.strangers.is_empty() && told.hidden.is_empty(), "{told:#?}");
}

#[tokio::test]
async fn a_symbolic_link_is_told_and_not_followed() {
    let (world, other) = (World::new(), World::new());
    other.put(&Item::Layer(app(), digest("layer")), "x").await;
    other.put(&Item::Blob(digest("layer")), "x").await;
    for name in ["repositories", "repositories/b/_manifests/tags", "repositories/c/_manifests"] {
        fs::create_dir_all(world.path(name)).unwrap();
    }
    let target = other.path("repositories/group");
    symlink(&target, world.path("repositories/a")).unwrap();
    symlink(&target, world.path("repositories/b/_manifests/tags/v1")).unwrap();
    symlink(&target, world.path("repositories/c/_manifests/tags")).unwrap();
    symlink(other.path("blobs"), world.path("blobs")).unwrap();
    let told = world.survey().await;
    let tags = |name: &str| Place::Tags(name.parse().unwrap());
    for place in [Place::Repositories, tags("b"), tags("c"), Place::Blobs] {
        let hidden = told.hidden.iter().find(|(at, _)| *at == place);
        let (_, error) = hidden.unwrap_or_else(|| panic!("{place:?} is not in {told:#?}"));
        assert!(error.contains("symbolic link"), "{error}");
    }
    assert_eq!((told.hidden.len(), told.blobs.len()), (4, 0));
    assert!(told.found.iter().all(|(_, it)| matches!(it, Found::Part(_))), "{told:#?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_opened_is_told() {
    let world = World::new();
    fs::create_dir_all(world.path("repositories")).unwrap();
    // Deeper than any path that the kernel takes, root's too.
    let name = "a".repeat(200);
    let mut folder = fs::File::open(world.path("repositories")).unwrap();
    for _ in 0..25 {
        mkdirat(&folder, &name, Mode::RWXU).unwrap();
        folder = openat(&folder, &name, OFlags::DIRECTORY, Mode::empty()).unwrap().into();
    }
    let told = world.survey().await;
    let [(Place::Repositories, error)] = told.hidden.as_slice() else { panic!("{told:#?}") };
    assert!(error.contains("repositories/aaa"), "{error}");
}

#[tokio::test]
async fn what_nobody_knows_is_told() {
    let world = World::new();
    let folder = |name: &str| fs::create_dir_all(world.path(name)).unwrap();
    folder("blobs/sha256/aa/short");
    folder("blobs/sha256/zz");
    folder("blobs/md5");
    folder("other");
    folder("repositories/app/_manifests/tags/.hidden");
    folder("repositories/app/_layers/sha256/x");
    let mut told = world.survey().await;
    told.strangers.sort_unstable();
    let below = |path: &&str| format!("docker/registry/v2/{path}");
    let expected = [
        "blobs/md5",
        "blobs/sha256/aa/short",
        "blobs/sha256/zz",
        "other",
        "repositories/app/_layers/sha256/x",
        "repositories/app/_manifests/tags/.hidden",
    ];
    assert_eq!(told.strangers, expected.iter().map(below).collect::<Vec<_>>());
}

#[tokio::test]
async fn answers_stand_in_the_order_of_their_questions() {
    let world = World::new();
    let digests: Vec<_> = (0..600).map(|number| digest(&number.to_string())).collect();
    for (number, digest) in digests.iter().enumerate().filter(|(number, _)| number % 3 > 0) {
        let bytes = Bytes::from(vec![b'x'; number]);
        world.store.put(Key::Blob(digest), bytes).await.unwrap();
    }
    let items: Vec<_> = digests.into_iter().map(Item::Blob).collect();
    let stats = Bulk::stat(&world.store, items.clone()).await.unwrap();
    let length = |_: &Item, bytes: Result<Bytes, storage::Error>| bytes.map(|it| it.len());
    let lengths = world.store.read(items, 500, length).await.unwrap();
    for (number, (stat, length)) in stats.into_iter().zip(lengths).enumerate() {
        match number % 3 {
            0 => {
                assert!(stat.unwrap_err().is_not_found() && length.unwrap_err().is_not_found());
            }
            _ if number > 500 => {
                assert_eq!(stat.unwrap().size, number as u64);
                assert_eq!(length.unwrap_err().kind(), Kind::TooLarge);
            }
            _ => assert_eq!((stat.unwrap().size, length.unwrap()), (number as u64, number)),
        }
    }
}

#[tokio::test]
async fn what_is_read_is_whole_at_every_size() {
    let world = World::new();
    for size in [0_usize, 1, 4095, 4096, 4097, 8192, 70_000] {
        let bytes: Bytes = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let blob = digest(&size.to_string());
        world.store.put(Key::Blob(&blob), bytes.clone()).await.unwrap();
        for (limit, is_read) in [(size, true), (size.saturating_sub(1), size == 0)] {
            let read = world.store.read(vec![Item::Blob(blob)], limit, |_, bytes| bytes).await;
            let read = read.unwrap().remove(0);
            assert_eq!(read.ok(), is_read.then(|| bytes.clone()), "{size} of at most {limit}");
        }
    }
}

#[tokio::test]
async fn removing_takes_the_object_with_its_folder_and_a_second_time_nothing() {
    let world = World::new();
    let items = one_of_each();
    for item in &items {
        world.put(item, "x").await;
    }
    let sibling = Item::Layer(app(), digest("sibling"));
    world.put(&sibling, "x").await;
    // What nobody needs without the object goes with it.
    let Item::Blob(blob) = &items[4] else { panic!("the last one is a blob") };
    let hex = blob.hex();
    let beside = world.path(&format!("blobs/sha256/{}/{hex}/note", &hex.as_str()[..2]));
    fs::copy(world.scratch.path().join(items[4].to_string()), beside).unwrap();

    let all: Vec<_> = items.iter().rev().collect();
    assert_eq!(world.remove(&all, &Disposal::Delete).await, [Removed::Gone; 5]);
    assert_eq!(world.remove(&all, &Disposal::Delete).await, [Removed::Vanished; 5]);
    world.store.sync().await.unwrap();
    for item in &items {
        let folder = world.scratch.path().join(item.to_string());
        assert!(!folder.parent().unwrap().exists(), "{item}");
    }
    assert!(world.is_there(&sibling));
    assert!(world.path("repositories/group/app/_manifests/tags").exists());
}

#[tokio::test]
async fn a_repository_goes_whole_or_not_at_all() {
    let world = World::new();
    let inner: RepositoryName = "group/app/inner".parse().unwrap();
    world.put(&Item::Layer(app(), digest("layer")), "x").await;
    world.put(&Item::Layer(inner.clone(), digest("layer")), "x").await;
    let remove = |name| world.store.remove(vec![Item::Repository(name)], Disposal::Delete);
    let refused = remove(app()).await.unwrap().remove(0).unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    for name in [inner, app()] {
        assert_eq!(remove(name).await.unwrap().remove(0).unwrap(), Removed::Gone);
    }
    assert!(!world.path("repositories/group").exists() && world.path("repositories").exists());
    assert_eq!(remove(app()).await.unwrap().remove(0).unwrap(), Removed::Vanished);
}

#[tokio::test]
async fn what_is_in_quarantine_comes_back_and_replaces_nothing() {
    let world = World::new();
    let items = one_of_each();
    for item in &items {
        world.put(item, "old").await;
    }
    world.store.begin_quarantine(&run(), Bytes::from_static(b"{}")).await.unwrap();
    let quarantine = Disposal::Quarantine(run());
    // A tag takes its history with it.
    let mut expected = [Removed::Gone; 5];
    expected[1] = Removed::Vanished;
    assert_eq!(world.remove(&items.each_ref(), &quarantine).await, expected);
    assert!(!items.iter().any(|item| world.is_there(item)));
    assert!(world.survey().await.strangers.is_empty());
    // Somebody has pushed the layer again.
    world.put(&items[3], "new").await;

    let restored = world.store.restore(&run()).await.unwrap();
    assert_eq!((restored.objects, restored.kept.as_slice()), (4, &[items[3].to_string()][..]));
    assert!(items.iter().all(|item| world.is_there(item)));
    let layer = world.store.get(items[3].key().unwrap(), 100).await.unwrap();
    assert_eq!(layer, "new");
    // What did not come back waits.
    let kept = world.store.quarantines().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].index.as_ref().unwrap(), "{}");
    world.store.discard(&run()).await.unwrap();
    assert!(world.store.quarantines().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_quarantine_that_came_back_whole_is_gone() {
    let world = World::new();
    let blob = Item::Blob(digest("layer"));
    world.put(&blob, "x").await;
    world.store.begin_quarantine(&run(), Bytes::from_static(b"{}")).await.unwrap();
    world.remove(&[&blob], &Disposal::Quarantine(run())).await;
    assert_eq!(world.store.restore(&run()).await.unwrap().objects, 1);
    assert!(world.is_there(&blob));
    assert!(world.store.quarantines().await.unwrap().is_empty());
    assert!(world.store.folder_exists(Folder::Repositories).await.is_ok());
    assert!(!Path::exists(&world.path("regctl-trash/run-1")));
}
