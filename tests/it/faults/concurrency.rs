//! Requests that collide: the same blob from sixteen clients, pushes against deletes, tags that come and
//! go. Whatever the order was, it must be one.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{Image, Registry, Rng, image::pull};
use crate::support::pusher::{Pusher, digest};

/// What one client does.
type Job<T> = Box<dyn FnOnce(&mut Pusher) -> T + Send>;

/// Runs all jobs at the same moment, each as its own client, and returns what they return.
fn at_once<T: Send + 'static>(registry: &Registry, jobs: Vec<Job<T>>) -> Vec<T> {
    let start = Arc::new(Barrier::new(jobs.len()));
    let clients: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            let (mut pusher, start) = (registry.pusher(), Arc::clone(&start));
            thread::spawn(move || {
                // Connected before the others run.
                pusher.get("/v2/").unwrap();
                start.wait();
                job(&mut pusher)
            })
        })
        .collect();
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}

/// Lists the catalog and the tags of `app` until stopped; nothing that happens makes them fail.
struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Readers {
    fn start(registry: &Registry) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = ["/v2/_catalog", "/v2/app/tags/list"]
            .map(|target| {
                let (mut pusher, stop) = (registry.pusher(), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) || count == 0 {
                        let answer = pusher.get(target).unwrap();
                        assert!(matches!(answer.status, 200 | 404), "{target}: {answer:?}");
                        count += 1;
                    }
                    count
                })
            })
            .into();
        Self { stop, threads }
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert!(thread.join().unwrap() > 0);
        }
    }
}

#[test]
fn sixteen_clients_push_one_blob_and_it_is_stored_once() {
    let registry = Registry::start();
    let mut rng = Rng::new(31);
    for size in [1000, 1_000_000] {
        let content = Arc::new(rng.bytes(size));
        let jobs = (0..16).map(|number| {
            let content = Arc::clone(&content);
            // Half of them to one repository, the others each to their own.
            let repository = format!("app{}", if number < 8 { 0 } else { number });
            Box::new(move |pusher: &mut Pusher| match number % 2 {
                0 => pusher.post_blob(&repository, &content).unwrap().status,
                _ => pusher.push_blob(&repository, &content).unwrap().status,
            }) as Job<u16>
        });
        let statuses = at_once(&registry, jobs.collect());
        assert_eq!(statuses, [201; 16]);
        for number in [0].into_iter().chain(8..16) {
            let target = format!("/v2/app{number}/blobs/{}", digest(&content));
            let answer = registry.pusher().get(&target).unwrap();
            assert!(answer.status == 200 && answer.body == *content);
        }
    }
    assert_eq!(registry.store().blobs().len(), 2);
    assert_eq!(registry.store().problems(), [""; 0]);
    assert!(registry.store().sessions().is_empty());
    assert!(registry.store().staged().is_empty());
}

/// What is deleted while a manifest that needs it is pushed.
#[derive(Clone, Copy, Debug)]
enum Deleted {
    Layer,
    Manifest,
    Tag,
}

/// Pushes the manifest and deletes at once; then the two answers must have an order that explains them.
fn collide(registry: &Registry, image: &Image, deleted: Deleted, expected_before: u16) {
    let target = match deleted {
        Deleted::Layer => format!("/v2/app/blobs/{}", digest(&image.blobs[0])),
        Deleted::Manifest => format!("/v2/app/manifests/{}", image.digest()),
        Deleted::Tag => "/v2/app/manifests/v1".to_owned(),
    };
    let manifest = image.manifest.clone();
    let statuses = at_once(
        registry,
        vec![
            Box::new(move |pusher| pusher.push_manifest("app", "v1", &manifest).unwrap().status),
            Box::new(move |pusher| pusher.delete(&target).unwrap().status),
        ],
    );
    let (put, delete) = (statuses[0], statuses[1]);
    let mut pusher = registry.pusher();
    let pulled = pull(&mut pusher, "app", "v1");
    let tag = pusher.get("/v2/app/manifests/v1").unwrap().status;
    let seen = format!("{deleted:?}: PUT {put}, DELETE {delete}, tag {tag}, {pulled:?}");
    match (deleted, put, delete) {
        // The layer went first: the manifest was refused, and its tag was never written.
        (Deleted::Layer, 400, 202) => assert_eq!(tag, expected_before, "{seen}"),
        // The manifest came first: the tag is there, the layer is not.
        (Deleted::Layer, 201, 202) => assert!(tag == 200 && pulled.is_err(), "{seen}"),
        // Which came first is seen by the tag: whole or not there at all.
        (Deleted::Manifest | Deleted::Tag, 201, 202 | 404) => {
            let is_whole = pulled.as_ref() == Ok(&image.digest());
            assert!(if delete == 404 { is_whole } else { is_whole || tag == 404 }, "{seen}");
        }
        _ => panic!("no order explains it: {seen}"),
    }
    assert_eq!(registry.store().problems(), [""; 0], "{seen}");
    assert!(registry.store().half_tags().is_empty(), "{seen}");
}

#[test]
fn a_manifest_is_pushed_before_or_after_what_it_needs_is_deleted_never_between() {
    let registry = Registry::start();
    let mut rng = Rng::new(32);
    let readers = Readers::start(&registry);
    for number in 0..30 {
        let image = Image::new(&mut rng, &[2000]);
        let deleted = [Deleted::Layer, Deleted::Manifest, Deleted::Tag][number % 3];
        let mut pusher = registry.pusher();
        // Every other round the tag is there before.
        let is_there = number % 2 == 0;
        if is_there {
            image.push(&mut pusher, "app", "v1").unwrap();
        } else {
            let _ = pusher.delete("/v2/app/manifests/v1").unwrap();
            for blob in &image.blobs {
                assert_eq!(pusher.post_blob("app", blob).unwrap().status, 201);
            }
        }
        collide(&registry, &image, deleted, if is_there { 200 } else { 404 });
    }
    readers.finish();
}

/// Each client pushes, pulls and deletes its own tags; all images share a layer and some a manifest's blobs.
#[test]
fn an_acknowledged_tag_that_nobody_deletes_pulls_completely() {
    let registry = Registry::start();
    let base = Rng::new(33).bytes(50_000);
    let readers = Readers::start(&registry);
    let jobs = (0..6).map(|number| {
        let base = base.clone();
        Box::new(move |pusher: &mut Pusher| work(pusher, number, &base))
            as Job<Vec<(String, String)>>
    });
    let kept = at_once(&registry, jobs.collect());
    readers.finish();
    let mut pusher = registry.pusher();
    for (tag, wanted) in kept.into_iter().flatten() {
        assert_eq!(pull(&mut pusher, "app", &tag), Ok(wanted), "{tag}");
    }
    assert_eq!(registry.store().problems(), [""; 0]);
    assert!(registry.store().half_tags().is_empty());
}

/// Pushes images and deletes every second by tag, manifest or layer; returns the tags that must be there.
fn work(pusher: &mut Pusher, number: u64, base: &[u8]) -> Vec<(String, String)> {
    let mut rng = Rng::new(3300 + number);
    let mut kept = Vec::new();
    for round in 0..8 {
        let own = rng.bytes(5000);
        let image = Image::of(vec![own.clone(), base.to_vec()], rng.bytes(64));
        let tag = format!("v{number}-{round}");
        image.push(pusher, "app", &tag).unwrap();
        assert_eq!(pull(pusher, "app", &tag), Ok(image.digest()));
        let target = match rng.between(0, 5) {
            0 => format!("/v2/app/manifests/{tag}"),
            1 => format!("/v2/app/manifests/{}", image.digest()),
            2 => format!("/v2/app/blobs/{}", digest(&own)),
            _ => {
                kept.push((tag, image.digest()));
                continue;
            }
        };
        let answer = pusher.delete(&target).unwrap();
        assert_eq!(answer.status, 202, "{target}: {answer:?}");
    }
    kept
}

#[test]
fn a_tag_that_is_pushed_and_deleted_at_once_is_whole_or_absent() {
    let registry = Registry::start();
    let mut rng = Rng::new(34);
    let images = [Image::new(&mut rng, &[100]), Image::new(&mut rng, &[200])];
    let mut pusher = registry.pusher();
    for image in &images {
        image.push(&mut pusher, "app", "v1").unwrap();
    }
    let readers = Readers::start(&registry);
    for _ in 0..5 {
        let mut jobs: Vec<Job<()>> = Vec::new();
        for image in &images {
            let manifest = image.manifest.clone();
            jobs.push(Box::new(move |pusher| {
                for _ in 0..8 {
                    let answer = pusher.push_manifest("app", "v1", &manifest).unwrap();
                    assert_eq!(answer.status, 201, "{answer:?}");
                }
            }));
            jobs.push(Box::new(|pusher| {
                for _ in 0..8 {
                    let answer = pusher.delete("/v2/app/manifests/v1").unwrap();
                    assert!(matches!(answer.status, 202 | 404), "{answer:?}");
                }
            }));
        }
        at_once(&registry, jobs);
        assert!(registry.store().half_tags().is_empty());
        assert_eq!(registry.store().problems(), [""; 0]);
        let listed = pusher.get("/v2/app/tags/list").unwrap().text();
        let there = pusher.get("/v2/app/manifests/v1").unwrap().status == 200;
        assert_eq!(listed.contains(r#""v1""#), there, "{listed}");
    }
    readers.finish();
}
