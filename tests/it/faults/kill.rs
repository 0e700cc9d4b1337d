//! `kill -9` while eight clients push, and what the next process finds.
//!
//! The moment is a number of bytes that the clients have sent together, drawn from the seed; so it falls
//! into bodies, commits and manifests alike.

use std::{
    collections::BTreeMap,
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
};

use super::{BOUND, Image, Registry, Rng, image::pull, is_full_run};
use crate::support::{
    World,
    http::Answer,
    pusher::{Pusher, Session, digest},
};

const CLIENTS: usize = 8;

/// Reports once when the clients have sent `limit` bytes.
struct Odometer {
    sent: AtomicUsize,
    limit: usize,
    reached: Sender<()>,
}

impl Odometer {
    fn add(&self, bytes: usize) {
        let before = self.sent.fetch_add(bytes, Ordering::Relaxed);
        if before < self.limit && before + bytes >= self.limit {
            // Nobody listens when the test has failed elsewhere.
            let _ = self.reached.send(());
        }
    }
}

/// What one client was told, and what it was about.
#[derive(Default)]
struct Ledger {
    /// Repository and digest of every blob that got 201.
    blobs: Vec<(String, String)>,
    tags: BTreeMap<(String, String), Tag>,
    /// The upload that the kill interrupted.
    open: Option<(Session, String, Vec<u8>)>,
}

/// A tag that one client pushes again and again.
#[derive(Default)]
struct Tag {
    acknowledged: Option<String>,
    /// Pushed after that, without an answer.
    attempted: Option<String>,
}

struct Client {
    /// Begins the names of its tags: nobody else writes to them.
    name: String,
    pusher: Pusher,
    rng: Rng,
    odometer: Arc<Odometer>,
    ledger: Ledger,
}

impl Client {
    fn push_until_killed(mut self) -> Ledger {
        // A failure of the connection is the kill; an answer is checked where it is read.
        while self.push_image().is_ok() {}
        self.ledger
    }

    fn push_image(&mut self) -> io::Result<()> {
        let repository = format!("group/app{}", self.rng.between(0, 3));
        let sizes: Vec<_> = (0..self.rng.between(1, 3)).map(|_| self.rng.size(10, 22)).collect();
        let image = Image::new(&mut self.rng, &sizes);
        for blob in &image.blobs {
            self.push_blob(&repository, blob)?;
            self.ledger.blobs.push((repository.clone(), digest(blob)));
        }
        let name = format!("{}-{}", self.name, self.rng.between(1, 3));
        let tag = self.ledger.tags.entry((repository.clone(), name.clone())).or_default();
        tag.attempted = Some(image.digest());
        self.odometer.add(image.manifest.len());
        let answer = self.pusher.push_manifest(&repository, &name, &image.manifest)?;
        assert_eq!(answer.status, 201, "{answer:?}");
        tag.acknowledged = tag.attempted.take();
        Ok(())
    }

    fn push_blob(&mut self, repository: &str, blob: &[u8]) -> io::Result<()> {
        let answer = match self.rng.between(0, 2) {
            0 => {
                let target = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(blob));
                self.send("POST", &target, blob)?
            }
            1 => {
                let session = self.open(repository, blob)?;
                let target = format!("{}&digest={}", session.location, digest(blob));
                self.send("PUT", &target, blob)?
            }
            _ => {
                let mut session = self.open(repository, blob)?;
                while session.offset < blob.len() {
                    let left = blob.len() - session.offset;
                    let length = self.rng.size(10, 20).min(left);
                    let chunk = &blob[session.offset..][..length];
                    let answer = self.send("PATCH", &session.location, chunk)?;
                    assert_eq!(answer.status, 202, "{answer:?}");
                    session = answer.session();
                    self.ledger.open =
                        Some((session.clone(), repository.to_owned(), blob.to_vec()));
                }
                self.pusher.commit(&session, blob)?
            }
        };
        assert_eq!(answer.status, 201, "{answer:?}");
        self.ledger.open = None;
        Ok(())
    }

    fn open(&mut self, repository: &str, blob: &[u8]) -> io::Result<Session> {
        let session = self.pusher.session(repository)?;
        self.ledger.open = Some((session.clone(), repository.to_owned(), blob.to_vec()));
        Ok(session)
    }

    /// Sends a body in pieces, each of them counted.
    fn send(&mut self, method: &str, target: &str, body: &[u8]) -> io::Result<Answer> {
        let mut sending = self.pusher.begin(method, target, &[], body.len())?;
        for piece in body.chunks(16 * 1024) {
            sending.write(piece)?;
            self.odometer.add(piece.len());
        }
        sending.answer(&mut self.pusher)
    }
}

/// Lets eight clients push until the registry is killed.
fn push_and_kill(registry: &mut Registry, seed: u64) -> Vec<Ledger> {
    let mut rng = Rng::new(seed);
    let (reached, moment) = channel();
    let limit = rng.between(2 << 20, 40 << 20);
    let odometer = Arc::new(Odometer { sent: AtomicUsize::new(0), limit, reached });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| Client {
            name: format!("v{seed}-{number}"),
            pusher: registry.pusher(),
            rng: rng.fork(),
            odometer: Arc::clone(&odometer),
            ledger: Ledger::default(),
        })
        .map(|client| thread::spawn(|| client.push_until_killed()))
        .collect();
    moment.recv_timeout(4 * BOUND).expect("the clients reach the number of bytes");
    registry.kill();
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}

/// Every blob and tag that got 201 is there, whole.
fn check_acknowledged(pusher: &mut Pusher, ledger: &Ledger) {
    for (repository, blob) in &ledger.blobs {
        // The bytes were hashed on disk.
        let answer = pusher.send("GET", &format!("/v2/{repository}/blobs/{blob}"), &[], &[]);
        let answer = answer.unwrap();
        assert_eq!((answer.status, &digest(&answer.body)), (200, blob));
    }
    for ((repository, name), tag) in &ledger.tags {
        let pulled = match pull(pusher, repository, name) {
            Err(reason) if tag.acknowledged.is_some() => panic!("{name}: {reason}"),
            // It was never acknowledged, and is not there.
            Err(_) => continue,
            Ok(pulled) => Some(pulled),
        };
        assert!(pulled == tag.acknowledged || pulled == tag.attempted, "{name} is {pulled:?}");
    }
}

/// An interrupted upload goes on where the registry says, or is given up, or was finished.
fn check_interrupted(pusher: &mut Pusher, ledger: &Ledger, give_up: bool) {
    let Some((session, repository, content)) = &ledger.open else { return };
    let Some(session) = pusher.look(session).unwrap() else {
        // The kill fell between the commit and its answer: the blob may be there, the session is not.
        let answer = pusher.push_blob(repository, content).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        return;
    };
    if give_up {
        let answer = pusher.delete(&session.location).unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(pusher.look(&session).unwrap().is_none());
        return;
    }
    let answer = pusher.commit(&session, content).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// What a client that was killed too, or that never learned its URL, has left can be removed by its id.
fn check_orphans(registry: &Registry) {
    let mut pusher = registry.pusher();
    for session in registry.store().sessions() {
        // Without data it was finished, or never begun: the purge of old uploads takes the folder.
        if !session.join("data").exists() {
            continue;
        }
        let (uploads, id) = session.to_str().unwrap().rsplit_once("/_uploads/").unwrap();
        let (_, repository) = uploads.rsplit_once("/repositories/").unwrap();
        let target = format!("/v2/{repository}/blobs/uploads/{id}");
        assert_eq!(pusher.get(&target).unwrap().status, 204);
        assert_eq!(pusher.delete(&target).unwrap().status, 204);
        assert!(!session.exists());
    }
}

fn round(registry: &mut Registry, seed: u64) {
    let ledgers = push_and_kill(registry, seed);
    assert_eq!(registry.store().problems(), [""; 0], "on the disk of the dead process");
    let dead = registry.store().stages();

    registry.start_again();
    let left: Vec<_> =
        registry.store().stages().into_iter().filter(|it| dead.contains(it)).collect();
    assert!(left.is_empty(), "the dead process's stage is still there: {left:?}");
    let mut pusher = registry.pusher();
    for (number, ledger) in ledgers.iter().enumerate() {
        check_acknowledged(&mut pusher, ledger);
        check_interrupted(&mut pusher, ledger, number % 3 == 0);
    }
    check_orphans(registry);
    assert_eq!(registry.store().problems(), [""; 0], "after the uploads went on");
}

#[test]
fn every_acknowledged_push_survives_a_kill() {
    let rounds = if is_full_run() { 60 } else { 6 };
    let mut registry = Registry::start();
    for seed in 1..=rounds {
        println!("seed {seed}");
        round(&mut registry, seed);
    }
}

#[test]
fn a_process_that_starts_leaves_the_stage_of_a_living_one_alone() {
    let mut first = Registry::start();
    let mut rng = Rng::new(8);
    let mut pusher = first.pusher();
    Image::new(&mut rng, &[1024]).push(&mut pusher, "app", "v1").unwrap();
    let stages = first.store().stages();
    assert_eq!(stages.len(), 1);
    let second = Registry::start_on(World::new(), first.storage().to_owned());
    assert_eq!(first.store().stages(), stages);
    Image::new(&mut rng, &[1024]).push(&mut pusher, "app", "v2").unwrap();
    first.kill();
    Image::new(&mut rng, &[1024]).push(&mut second.pusher(), "app", "v3").unwrap();
    assert_eq!(second.store().problems(), [""; 0]);
}

/// Upstream writes a tag's history before the tag: a kill between the two leaves a folder without a tag. It is
/// listed, as upstream lists it (a list reads no links), but it is none.
#[test]
fn a_tag_that_upstream_left_half_written_is_unknown_until_it_is_pushed_again() {
    let mut registry = Registry::start();
    let image = Image::new(&mut Rng::new(7), &[1024]);
    let mut pusher = registry.pusher();
    for tag in ["whole", "half"] {
        image.push(&mut pusher, "app", tag).unwrap();
    }
    registry.kill();
    let half = registry.store().root().join("repositories/app/_manifests/tags/half/current");
    fs::remove_dir_all(half).unwrap();

    registry.start_again();
    let mut pusher = registry.pusher();
    assert_eq!(pusher.get("/v2/app/manifests/half").unwrap().status, 404);
    // The push that was interrupted comes again, and everything is as if nothing had happened.
    image.push(&mut pusher, "app", "half").unwrap();
    assert_eq!(pull(&mut pusher, "app", "half"), Ok(image.digest()));
    assert!(registry.store().half_tags().is_empty());
}
