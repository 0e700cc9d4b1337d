//! What upstream loses when its registry serves during a collection or after one, and what this one does then.
//!
//! Both halves run each time: Debian's `docker-registry` 2.8.2 loses, and this registry keeps.

use std::{
    fs::{self, File, FileTimes},
    io::{self, BufRead as _, BufReader, PipeReader, pipe},
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use nix::fcntl::{FcntlArg, fcntl};

use super::{
    beside::{ONLINE, grown},
    hold::Lasting,
};
use crate::{
    faults::{Image, Rng, Store, eventually, pull},
    support::{
        Peer,
        pusher::{Pusher, digest},
    },
};

const UPLOADS: &str = "docker/registry/v2/repositories/stranger/_uploads";

/// What upstream says of them is more than fits into the smallest pipe.
const ORPHANS: usize = 300;

/// A collector that stands still in the middle of its work, since nobody reads what it has to say.
struct Waiting {
    child: Child,
    said: BufReader<PipeReader>,
}

impl Waiting {
    /// Starts it; returns when it has said so much.
    fn start(mut command: Command, words: &str) -> Self {
        let (said, full) = pipe().unwrap();
        fcntl(&full, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let child = command.stdout(full).stderr(Stdio::null()).spawn().unwrap();
        drop(command);
        let mut said = BufReader::with_capacity(64, said);
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended");
        }
        Self { child, said }
    }

    /// Lets it go on to its end.
    fn finish(mut self) {
        io::copy(&mut self.said, &mut io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn pusher_of(peer: &Peer) -> Pusher {
    Pusher::new((Ipv4Addr::LOCALHOST, peer.port()).into())
}

fn is_there(storage: &Path, blob: &[u8]) -> bool {
    Store::new(storage).blobs().contains(&digest(blob))
}

#[track_caller]
fn assert_status(pusher: &mut Pusher, (method, target): (&str, &str), status: u16) {
    let answer = pusher.send(method, target, &[], &[]).unwrap();
    assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
}

/// Upstream has decided what goes; a client that is told of each blob, and of a tag that it has pushed, has neither afterwards.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_is_pushed_during_a_collection_is_lost_by_upstream_and_kept_here() {
    let storage = tempfile::tempdir().unwrap();
    let peer = Peer::start(storage.path());
    let mut pusher = pusher_of(&peer);
    let mut orphans: Vec<_> =
        (0..ORPHANS).map(|number| format!("orphan {number}").into_bytes()).collect();
    for orphan in &orphans {
        assert_eq!(pusher.push_blob("app", orphan).unwrap().status, 201);
    }
    let (collector, _config) = Peer::collector(storage.path(), &[]);
    let waiting = Waiting::start(collector, "blobs marked");
    let there = Store::new(storage.path()).blobs();
    orphans.retain(|orphan| there.contains(&digest(orphan)));
    assert!(orphans.len() > ORPHANS / 2, "{} are left", orphans.len());
    for orphan in &orphans {
        let target = format!("/v2/app/blobs/{}", digest(orphan));
        assert_status(&mut pusher, ("HEAD", &target), 200);
    }
    let config = orphans.pop().unwrap();
    let late = Image::of(orphans, config);
    assert_eq!(pusher.push_manifest("app", "late", &late.manifest).unwrap().status, 201);
    waiting.finish();
    let there = Store::new(storage.path()).blobs();
    assert!(there.contains(&late.digest()));
    assert!(!late.blobs.iter().any(|blob| there.contains(&digest(blob))));

    let site = grown();
    let lasting = Lasting::start(&site, &ONLINE[1..]);
    let late = site.gone();
    let mut pusher = site.instance.pusher();
    for blob in &late.blobs {
        let target = format!("/v2/app/blobs/{}", digest(blob));
        assert_status(&mut pusher, ("HEAD", &target), 200);
    }
    assert_eq!(pusher.push_manifest("app", "late", &late.manifest).unwrap().status, 201);
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    assert_eq!(pull(&mut pusher, "app", "late"), Ok(late.digest()));
    site.serves();
}

/// Upstream remembers what it has seen, and never hears of the collection: clients leave out what is gone, and the image is broken.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_was_collected_is_promised_by_upstream_for_ever_and_not_here() {
    let storage = tempfile::tempdir().unwrap();
    let peer = Peer::start(storage.path());
    let image = Image::new(&mut Rng::new(7301), &[3000, 40]);
    let mut pusher = pusher_of(&peer);
    for blob in &image.blobs {
        assert_eq!(pusher.push_blob("app", blob).unwrap().status, 201);
    }
    assert!(Peer::garbage_collect(storage.path(), &[]).status.success());
    assert!(!is_there(storage.path(), &image.blobs[0]));
    let gone = digest(&image.blobs[0]);
    let [blob, mount] = targets(&gone);
    assert_status(&mut pusher, ("HEAD", &blob), 200);
    assert_status(&mut pusher, ("POST", &mount), 201);
    assert_eq!(pusher.push_manifest("app", "broken", &image.manifest).unwrap().status, 201);
    let pulled = pusher_of(&peer).get(&blob);
    assert!(pulled.is_err(), "{pulled:?}");

    let site = grown();
    let image = site.gone();
    let gone = digest(&image.blobs[0]);
    let [blob, mount] = targets(&gone);
    let mut pusher = site.instance.pusher();
    assert_status(&mut pusher, ("HEAD", &blob), 200);
    eventually("the promise ends, and it goes", || {
        let ran = site.run(&ONLINE);
        assert_eq!(ran.exit, 0, "{ran:?}");
        if site.has_garbage_left() { Err(ran) } else { Ok(()) }
    });
    assert_status(&mut pusher, ("HEAD", &blob), 404);
    assert_status(&mut pusher, ("POST", &mount), 202);
    let refused = pusher.push_manifest("app", "whole", &image.manifest).unwrap();
    assert!([400, 404].contains(&refused.status), "{refused:?}");
    image.push(&mut pusher, "app", "whole").unwrap();
    assert_eq!(pull(&mut pusher, "app", "whole"), Ok(image.digest()));
    site.serves();
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn upstreams_registry_on_the_same_storage_ends_a_collection_when_it_is_seen_to_write() {
    let site = grown();
    let storage = site.instance.world.path("var/opt/regctl/storage");
    // One that was given up before this registry began is no sign.
    let old = storage.join(UPLOADS).join("0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5");
    fs::create_dir_all(old.join("hashstates/sha256")).unwrap();
    let past = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(86_400));
    File::open(&old).unwrap().set_times(past).unwrap();
    site.collect(&ONLINE[1..]);
    let peer = Peer::start(&storage);
    let mut pusher = pusher_of(&peer);
    let session = pusher.session("stranger").unwrap();
    let part = pusher.patch(&session, b"the first part of something").unwrap();
    assert_eq!(part.status, 202);
    let mut ours = site.instance.pusher();
    let orphan = b"what nobody needs";
    assert_eq!(ours.post_blob("app", orphan).unwrap().status, 201);
    let ran = site.run(&ONLINE);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stderr.contains("another program's registry writes to this storage"), "{ran:?}");
    assert!(is_there(&storage, orphan));
    site.serves();
}

/// A blob of `app`, and its mount in another repository.
fn targets(digest: &str) -> [String; 2] {
    [format!("/v2/app/blobs/{digest}"), format!("/v2/other/blobs/uploads/?mount={digest}&from=app")]
}
