//! Who uses a bucket, and who has to keep away meanwhile: each backend here stands for a process.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its files are its own"
)]

use std::{error::Error as _, time::Duration};

use bytes::Bytes;
use oci::{Algorithm, Digest};
use storage::{
    Access, Backend, Bulk, Collected, Config, Disposal, Driver, Error, Item, Key, Kind, Wish,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

mod shared_bucket;

use shared_bucket::seaweed::Seaweed;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of the shared bucket that is this test's own, with a blob in it.
struct World {
    config: Config,
    root: String,
}

/// A registry that serves.
struct Registry {
    backend: Backend,
    wish: watch::Sender<Wish>,
    /// What came of each renewal.
    news: mpsc::UnboundedReceiver<Result<(), String>>,
    serving: JoinHandle<()>,
}

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

/// The error as a log has it: with its cause.
fn told(error: &Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl World {
    async fn new() -> Self {
        let options = shared_bucket::options("leases");
        let root = options.root_directory.clone();
        let world = Self { config: Config::S3(options), root };
        world.put("a layer").await.unwrap();
        world
    }

    async fn put(&self, text: &'static str) -> Result<(), Error> {
        put(&Backend::open(&self.config).unwrap(), text).await
    }

    fn serve(&self, first: Wish) -> Registry {
        Self::serve_by(Backend::open(&self.config).unwrap(), first)
    }

    fn serve_by(backend: Backend, first: Wish) -> Registry {
        let (wish, wished) = watch::channel(first);
        let (tell, news) = mpsc::unbounded_channel();
        let serving = tokio::spawn({
            let backend = backend.clone();
            async move {
                let heard = |renewed: Result<(), &Error>| {
                    // Nobody listens to the last words.
                    let _ = tell.send(renewed.map_err(told));
                };
                backend.serve(wished, heard).await;
            }
        });
        Registry { backend, wish, news, serving }
    }

    async fn open(&self, access: Access) -> Result<Collected, Error> {
        Collected::open_existing(&self.config, access).await.map(Option::unwrap)
    }

    /// How many leases are there.
    fn leases(&self) -> usize {
        let folder = format!("{}/docker/registry/v2/regctl/leases/", self.root);
        let query =
            format!("/{}?list-type=2&prefix={}", Seaweed::BUCKET, folder.replace('/', "%2F"));
        let listed = Seaweed::shared().ask("GET", &query);
        assert!(listed.status.success(), "{listed:?}");
        let text = String::from_utf8(listed.stdout).unwrap();
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
        keys.filter(|key| !key.ends_with('/')).count()
    }
}

impl Registry {
    async fn renewed(&mut self) -> Result<(), String> {
        timeout(PATIENCE, self.news.recv()).await.unwrap().unwrap()
    }

    /// Waits until it has a lease.
    async fn has_lease(&mut self) {
        while self.renewed().await.is_err() {}
    }

    async fn leave(self) {
        self.wish.send_replace(Wish::Leave);
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
    }
}

async fn put(backend: &Backend, text: &'static str) -> Result<(), Error> {
    backend.put(Key::Blob(&digest(text)), Bytes::from_static(text.as_bytes())).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_bucket_that_is_served_is_had_alone_by_nobody() {
    let world = World::new().await;
    let mut registry = world.serve(Wish::Write);
    // It may write as soon as it has its lease, and waits for that.
    put(&registry.backend, "at once").await.unwrap();
    registry.has_lease().await;
    let refused = world.open(Access::Alone).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    let (said, pid) = (told(&refused), format!("pid {}", std::process::id()));
    assert!(said.contains("a registry serves it: host `") && said.contains(&pid), "{said}");
    assert!(said.contains("its lease ends 150 s after it was renewed last"), "{said}");
    // Who only looks is in nobody's way, and leaves nothing.
    world.open(Access::Look).await.unwrap();
    assert_eq!(world.leases(), 1);
    registry.leave().await;
    assert_eq!(world.leases(), 0);
    let collected = world.open(Access::Alone).await.unwrap();
    collected.release().await;
    assert_eq!(world.leases(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn while_somebody_has_the_bucket_it_is_read_and_not_written() {
    let world = World::new().await;
    let collected = world.open(Access::Alone).await.unwrap();
    let other = world.open(Access::Alone).await.unwrap_err();
    assert_eq!(other.kind(), Kind::Busy);
    assert!(told(&other).contains("a collection or another change is at work"), "{}", told(&other));
    let mut registry = world.serve(Wish::Write);
    assert!(registry.renewed().await.unwrap_err().contains("is at work"));
    let blob = registry.backend.get(Key::Blob(&digest("a layer")), 100).await.unwrap();
    assert_eq!(blob, "a layer");
    let layer = digest("a layer");
    let refused = [
        put(&registry.backend, "another").await.unwrap_err(),
        registry.backend.delete(Key::Blob(&layer)).await.unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert!(told(&refused).contains("is at work"), "{}", told(&refused));
    }
    collected.release().await;
    registry.has_lease().await;
    put(&registry.backend, "another").await.unwrap();
    registry.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_read_only_registry_is_collected_and_writes_again_when_that_has_ended() {
    let world = World::new().await;
    let mut registry = world.serve(Wish::Write);
    registry.has_lease().await;
    registry.wish.send_replace(Wish::Read);
    // The collection waits until others know of it.
    let collected = world.open(Access::Shared).await.unwrap();
    assert_eq!(world.open(Access::Shared).await.unwrap_err().kind(), Kind::Busy);
    while registry.news.try_recv().is_ok() {}
    registry.wish.send_replace(Wish::Write);
    let refused = registry.renewed().await.unwrap_err();
    assert!(refused.contains("a collection of a read-only registry is at work"), "{refused}");
    assert_eq!(put(&registry.backend, "too early").await.unwrap_err().kind(), Kind::Unavailable);
    collected.release().await;
    registry.has_lease().await;
    put(&registry.backend, "in time").await.unwrap();
    registry.leave().await;
    assert_eq!(world.leases(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_registry_that_changes_its_lease_is_not_taken_for_two() {
    let world = World::new().await;
    let mut registry = world.serve(Wish::Write);
    registry.has_lease().await;
    let collected = registry.backend.collected().unwrap();
    for turn in 0..60 {
        let wish = if turn % 2 == 0 { Wish::Read } else { Wish::Write };
        while registry.news.try_recv().is_ok() {}
        registry.wish.send_replace(wish);
        // The new lease is there before the old one goes.
        loop {
            assert!(!collected.is_used_by_others().await.unwrap(), "turn {turn}");
            if registry.news.try_recv().is_ok() {
                break;
            }
        }
    }
    let mut other = world.serve(Wish::Write);
    other.has_lease().await;
    assert!(collected.is_used_by_others().await.unwrap());
    other.leave().await;
    assert!(!collected.is_used_by_others().await.unwrap());
    registry.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn a_claim_that_is_dropped_is_given_back() {
    let world = World::new().await;
    drop(world.open(Access::Alone).await.unwrap());
    let given_back = async {
        loop {
            match world.open(Access::Alone).await {
                Ok(collected) => return collected,
                Err(error) => assert_eq!(error.kind(), Kind::Busy),
            }
        }
    };
    timeout(PATIENCE, given_back).await.unwrap().release().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn nothing_is_written_before_there_is_a_lease_nor_after_it_was_given_back() {
    let world = World::new().await;
    let collected = world.open(Access::Alone).await.unwrap();
    let backend = Backend::open(&world.config).unwrap();
    backend.expect_lease();
    let early = tokio::spawn({
        let backend = backend.clone();
        async move { put(&backend, "early").await }
    });
    let mut registry = World::serve_by(backend.clone(), Wish::Write);
    assert_eq!(early.await.unwrap().unwrap_err().kind(), Kind::Unavailable);
    collected.release().await;
    registry.has_lease().await;
    put(&backend, "in time").await.unwrap();
    registry.leave().await;
    let late = put(&backend, "late").await.unwrap_err();
    assert_eq!(late.kind(), Kind::Unavailable);
    assert!(told(&late).contains("has no lease"), "{}", told(&late));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs weed: run cargo xtask test"]
async fn what_began_under_a_lease_that_was_lost_is_not_made_under_the_next() {
    let world = World::new().await;
    let mut registry = world.serve(Wish::Write);
    registry.has_lease().await;
    let backend = registry.backend.clone();
    let layer = digest("a layer");
    let begun = backend.tenure().await.unwrap();
    backend.stat(Key::Blob(&layer)).await.unwrap();
    backend.confirm(begun).unwrap();
    // It has no lease for a while, in which somebody removes what was looked at.
    registry.wish.send_replace(Wish::Read);
    let collected = world.open(Access::Shared).await.unwrap();
    assert_eq!(backend.confirm(begun).unwrap_err().kind(), Kind::Unavailable);
    collected.remove(vec![Item::Blob(layer)], Disposal::Delete).await.unwrap().remove(0).unwrap();
    collected.release().await;
    while registry.news.try_recv().is_ok() {}
    registry.wish.send_replace(Wish::Write);
    registry.has_lease().await;
    // Writes that begin now are taken.
    let next = timeout(PATIENCE, backend.tenure()).await.unwrap().unwrap();
    put(&backend, "after it").await.unwrap();
    backend.confirm(next).unwrap();
    let lost = backend.confirm(begun).unwrap_err();
    assert_eq!(lost.kind(), Kind::Unavailable);
    assert!(told(&lost).contains("lost its lease"), "{}", told(&lost));
    registry.leave().await;
}
