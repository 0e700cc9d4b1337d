//! One upload session in several hands: two clients, a client and its older self, two processes. One of
//! them writes at a time, and what becomes a blob is what its digest says.

use std::{fs, thread};

use super::{Registry, Rng, Store, eventually};
use crate::support::{
    World,
    peer::Peer,
    pusher::{Pusher, Vanish, digest},
};

/// Two processes serve one folder, as while one drains: a session is written to by one of them.
#[test]
fn a_session_that_another_process_writes_to_is_busy_and_goes_on_when_it_is_free() {
    let first = Registry::start();
    let mut second = Registry::start_on(World::new(), first.storage().to_owned());
    let content = Rng::new(35).bytes(3_000_000);
    let session = first.pusher().session("app").unwrap();
    let sent = (&content[..2_000_000], content.len());
    let target = ("PATCH", session.location.as_str());
    let writing = first.pusher().vanish(Vanish::Silent, target, sent).unwrap();
    let mut pusher = second.pusher();
    let told = eventually("all that was sent arrives", || {
        let told = pusher.look(&session).unwrap().unwrap();
        if told.offset == 2_000_000 { Ok(told) } else { Err(told) }
    });
    let answer = pusher.patch(&told, &content[told.offset..][..1000]).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    drop(writing);
    eventually("the session is free", || {
        let told = pusher.look(&session).unwrap().unwrap();
        let answer = pusher.commit(&told, &content).unwrap();
        if answer.status == 201 { Ok(()) } else { Err(answer) }
    });
    assert_eq!(first.store().blobs(), [digest(&content)]);
    second.kill();
    assert_eq!(first.pusher().push_blob("app", b"more").unwrap().status, 201);
}

/// A chunk is open when another client commits by the same URL; then the chunk's bytes arrive. Returns
/// the answer to the commit, and the blob.
fn commit_under_an_open_chunk(client: impl Fn() -> Pusher) -> (u16, Vec<u8>) {
    let content = Rng::new(29).bytes(10_000);
    let (mut slow, mut quick) = (client(), client());
    let session = slow.session("app").unwrap();
    // The interim answer says that the session is open; no byte of the body is sent yet.
    let expect = [("Expect", "100-continue")];
    let mut sending = slow.begin("PATCH", &session.location, &expect, content.len()).unwrap();
    sending.wait_for_interim_answer().unwrap();
    let committed = quick.commit(&session, &content).unwrap().status;
    // The connection of the one that was overtaken may be gone by now.
    let _ = sending.write(&vec![b'x'; content.len()]);
    let _ = sending.answer(&mut slow);
    let blob = quick.get(&format!("/v2/app/blobs/{}", digest(&content))).unwrap();
    (committed, blob.body)
}

#[test]
fn a_chunk_that_was_open_during_the_commit_does_not_reach_the_blob() {
    let registry = Registry::start();
    let (committed, blob) = commit_under_an_open_chunk(|| registry.pusher());
    assert_eq!((committed, blob), (201, Rng::new(29).bytes(10_000)));
    assert_eq!(registry.store().problems(), [""; 0]);
}

/// The peer's chunk still has the file open when it becomes the blob.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_answers_201_and_the_blob_gets_the_bytes_of_the_open_chunk() {
    let storage = tempfile::tempdir().unwrap();
    let peer = Peer::start(storage.path());
    let client = || Pusher::new(([127, 0, 0, 1], peer.port()).into());
    let (committed, blob) = commit_under_an_open_chunk(client);
    assert_eq!((committed, blob), (201, vec![b'x'; 10_000]));
    assert_eq!(Store::new(storage.path()).problems().len(), 1);
}

/// Either chunk may come first, and then the other one is refused: their bytes never mix.
#[test]
fn two_clients_on_one_session_never_mix_their_bytes() {
    let registry = Registry::start();
    let mut rng = Rng::new(28);
    for _ in 0..10 {
        let contents = [rng.bytes(700_000), rng.bytes(700_000)];
        let session = registry.pusher().session("app").unwrap();
        let clients = contents.clone().map(|content| {
            let (mut pusher, session) = (registry.pusher(), session.clone());
            thread::spawn(move || {
                // The connection of the one that is overtaken may break under its body.
                pusher.patch(&session, &content).map_or(0, |answer| answer.status)
            })
        });
        let statuses = clients.map(|client| client.join().unwrap());
        let mut pusher = registry.pusher();
        let told = pusher.look(&session).unwrap().unwrap();
        // What is there is the beginning of one of them; that one can finish.
        let data = fs::read(registry.store().sessions()[0].join("data")).unwrap();
        let owner = contents.iter().find(|content| content.starts_with(&data));
        let owner = owner.unwrap_or_else(|| panic!("mixed: {statuses:?}, {} bytes", data.len()));
        assert_eq!(told.offset, data.len());
        let other = contents.iter().find(|content| *content != owner).unwrap();
        if !data.is_empty() {
            let target = format!("{}&digest={}", told.location, digest(other));
            let answer = pusher.send("PUT", &target, &[], &other[data.len()..]).unwrap();
            assert_eq!(answer.status, 400, "the digest protects: {answer:?}");
        }
        let told = pusher.look(&session).unwrap().unwrap();
        let answer = pusher.delete(&told.location).unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(registry.store().problems(), [""; 0]);
}
