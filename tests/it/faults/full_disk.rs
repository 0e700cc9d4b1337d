//! A disk that fills up under pushes, on two filesystems that run full in different ways: tmpfs in the
//! middle of a write, ext4 also when a folder or a file is made.

use std::{fs::File, io::Write as _, path::Path};

use super::{Image, Registry, Rng, Store, image::pull, mount::Mount};
use crate::support::{
    World,
    http::Answer,
    pusher::{Pusher, Session, digest},
};

/// 503 UNAVAILABLE with Retry-After, and no word of where the storage lies.
fn assert_full(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("UNAVAILABLE"), "{}", answer.text());
    assert!(!answer.text().contains("docker/registry"), "{}", answer.text());
    let seconds: u32 = answer.header("retry-after").expect("a time to retry").parse().unwrap();
    assert!(seconds > 0);
}

/// Sends chunks to two sessions by turns until the disk is full.
fn fill(pusher: &mut Pusher, contents: &[Vec<u8>; 2]) -> [Session; 2] {
    let mut sessions = [pusher.session("app").unwrap(), pusher.session("app").unwrap()];
    for turn in 0.. {
        let (session, content) = (&mut sessions[turn % 2], &contents[turn % 2]);
        let rest = &content[session.offset..];
        assert!(!rest.is_empty(), "the disk should be full by now");
        let answer = pusher.patch(session, &rest[..rest.len().min(900_000)]).unwrap();
        if answer.status == 503 {
            assert_full(&answer);
            break;
        }
        assert_eq!(answer.status, 202, "{answer:?}");
        *session = answer.session();
    }
    sessions
}

/// Takes the crumbs: ext4 keeps room for what it may have to write, and gives it back after a sync.
fn take_the_rest(disk: &Path) {
    let mut ballast = File::options().create(true).append(true).open(disk.join("ballast")).unwrap();
    for length in [65536, 4096, 1, 4096, 1] {
        while ballast.write_all(&vec![b'x'; length]).is_ok() {}
        ballast.sync_all().unwrap();
    }
}

/// Every session on disk can be asked for, and so be resumed or given up.
fn assert_sessions_are_usable(pusher: &mut Pusher, store: &Store) {
    for session in store.sessions() {
        let id = session.file_name().unwrap().to_str().unwrap();
        let answer = pusher.get(&format!("/v2/app/blobs/uploads/{id}")).unwrap();
        assert_eq!(answer.status, 204, "{} is no session: {answer:?}", session.display());
    }
}

/// What the disk is when nothing more fits.
struct Full {
    registry: Registry,
    kept: Image,
    contents: [Vec<u8>; 2],
    sessions: [Session; 2],
}

impl Full {
    fn on(disk: &Path) -> Self {
        let registry = Registry::start_on(World::new(), disk.join("storage"));
        let mut rng = Rng::new(41);
        let kept = Image::new(&mut rng, &[1_000_000]);
        let mut pusher = registry.pusher();
        kept.push(&mut pusher, "app", "kept").unwrap();
        let contents = [rng.bytes(24 << 20), rng.bytes(24 << 20)];
        let sessions = fill(&mut pusher, &contents);
        take_the_rest(disk);
        Self { registry, kept, contents, sessions }
    }

    /// Writes are refused and leave nothing; reads go on.
    fn check(&self) {
        let mut pusher = self.registry.pusher();
        let blob = Rng::new(42).bytes(100_000);
        assert_full(&pusher.post_blob("app", &blob).unwrap());
        // Long enough to need room in any filesystem; everything that it names is there.
        let mut manifest: serde_json::Value = serde_json::from_slice(&self.kept.manifest).unwrap();
        manifest["annotations"] = serde_json::json!({ "long": "x".repeat(50_000) });
        let manifest = manifest.to_string();
        assert_full(&pusher.push_manifest("app", "new", manifest.as_bytes()).unwrap());
        assert_eq!(pusher.get("/v2/app/manifests/new").unwrap().status, 404);
        assert!(!pusher.get("/v2/app/tags/list").unwrap().text().contains("new"));

        assert_eq!(pull(&mut pusher, "app", "kept"), Ok(self.kept.digest()));
        let store = self.registry.store();
        assert_eq!(store.problems(), [""; 0]);
        assert!(store.half_tags().is_empty(), "{:?}", store.half_tags());
        assert!(store.staged().is_empty(), "{:?}", store.staged());
    }

    /// The session goes on where the registry says, and becomes its blob.
    fn finish(&self, number: usize) {
        let mut pusher = self.registry.pusher();
        let content = &self.contents[number][..16 << 20];
        let session = pusher.look(&self.sessions[number]).unwrap().unwrap();
        assert!(session.offset >= self.sessions[number].offset, "acknowledged bytes are kept");
        let answer = pusher.commit(&session, content).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        let blob = pusher.get(&format!("/v2/app/blobs/{}", digest(content))).unwrap();
        assert!(blob.status == 200 && blob.body == content);
        assert_eq!(self.registry.store().problems(), [""; 0]);
    }

    fn give_up(&self, number: usize) {
        let mut pusher = self.registry.pusher();
        let session = pusher.look(&self.sessions[number]).unwrap().unwrap();
        let answer = pusher.delete(&session.location).unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_full_tmpfs_refuses_writes_and_goes_on_when_there_is_room() {
    let scratch = tempfile::tempdir().unwrap();
    let disk = scratch.path().join("disk");
    let mount = Mount::tmpfs(&disk, 20);
    let full = Full::on(&disk);
    full.check();
    full.give_up(1);
    full.finish(0);
    mount.enlarge(64);
    full.kept.push(&mut full.registry.pusher(), "app", "new").unwrap();
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_full_ext4_refuses_writes_and_goes_on_when_there_is_room() {
    let scratch = tempfile::tempdir().unwrap();
    let disk = scratch.path().join("disk");
    let _mount = Mount::ext4(&disk, 24);
    let full = Full::on(&disk);
    full.check();
    full.give_up(0);
    full.finish(1);
    full.kept.push(&mut full.registry.pusher(), "app", "new").unwrap();
}

/// Somebody has to make room, and tags are what people delete.
#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_registry_that_starts_on_a_full_disk_serves_and_deletes() {
    let scratch = tempfile::tempdir().unwrap();
    let disk = scratch.path().join("disk");
    let _mount = Mount::ext4(&disk, 24);
    let mut full = Full::on(&disk);
    full.registry.kill();
    full.registry.start_again();
    take_the_rest(&disk);
    full.check();
    let mut pusher = full.registry.pusher();
    let answer = pusher.delete("/v2/app/manifests/kept").unwrap();
    assert_eq!(answer.status, 202, "{answer:?} {}", answer.text());
    full.give_up(0);
    full.finish(1);
}

/// What cannot be begun is not there: nobody was told of it, so nobody would ever remove it.
#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_session_that_a_full_disk_refused_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let disk = scratch.path().join("disk");
    let _mount = Mount::tmpfs(&disk, 20);
    let full = Full::on(&disk);
    let mut pusher = full.registry.pusher();
    let answer = pusher.send("POST", "/v2/app/blobs/uploads/", &[], &[]).unwrap();
    assert_full(&answer);
    assert_sessions_are_usable(&mut pusher, &full.registry.store());
    assert_eq!(full.registry.store().sessions().len(), 2);
}
