//! Uploads that go on: after the registry was killed in the middle of them, in another process, or at the
//! wrong place.

use std::{fs, io::Write as _};

use nix::sys::signal::Signal;

use super::{Registry, Rng, eventually};
use crate::support::{
    http::Answer,
    peer::Peer,
    pusher::{Pusher, Session, digest},
};

const TOTAL: usize = 3_000_000;

/// Sends most of a chunk, and stops the registry once some of it has reached the disk.
fn interrupted(registry: &mut Registry, content: &[u8], signal: Signal) -> Session {
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let headers = [("Content-Type", "application/octet-stream")];
    let mut sending = pusher.begin("PATCH", &session.location, &headers, content.len()).unwrap();
    sending.write(&content[..content.len() - 1000]).unwrap();
    eventually("bytes arrive", || match pusher.look(&session).unwrap().unwrap().offset {
        0 => Err(0),
        _ => Ok(()),
    });
    let ran = registry.stop(signal);
    // A client in the middle of a body does not keep a process from ending as it should.
    assert_eq!(ran.exit, if signal == Signal::SIGTERM { 0 } else { 137 }, "{}", ran.stderr);
    session
}

fn finish(registry: &Registry, session: &Session, content: &[u8]) {
    let mut pusher = registry.pusher();
    let session = pusher.look(session).unwrap().expect("the session outlives the process");
    assert!(session.offset < content.len());
    let answer = pusher.commit(&session, content).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = pusher.get(&format!("/v2/app/blobs/{}", digest(content))).unwrap();
    assert!(answer.status == 200 && answer.body == content);
    assert_eq!(registry.store().problems(), [""; 0]);
    assert!(registry.store().sessions().is_empty());
}

#[test]
fn a_chunk_that_a_kill_or_a_stop_broke_off_goes_on_in_the_next_process() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        println!("{signal}");
        let mut registry = Registry::start();
        let content = Rng::new(21).bytes(TOTAL);
        let session = interrupted(&mut registry, &content, signal);
        registry.start_again();
        finish(&registry, &session, &content);
    }
}

/// The data file of the only session on disk.
fn data_file(registry: &Registry) -> fs::File {
    let sessions = registry.store().sessions();
    assert_eq!(sessions.len(), 1);
    fs::OpenOptions::new().append(true).open(sessions[0].join("data")).unwrap()
}

/// As after a kill between a write and its answer: what is on disk counts, told or not.
#[test]
fn bytes_that_the_client_was_never_told_of_are_part_of_the_session() {
    let mut registry = Registry::start();
    let content = Rng::new(22).bytes(TOTAL);
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let session = pusher.patch(&session, &content[..1_000_000]).unwrap().session();
    for restart in [false, true] {
        if restart {
            registry.kill();
        }
        data_file(&registry).write_all(&content[1_000_000..][..5000]).unwrap();
        if restart {
            registry.start_again();
            break;
        }
        // The running process has a hash of the first million bytes; it must notice that they grew.
        let told = pusher.look(&session).unwrap().unwrap();
        assert_eq!(told.offset, 1_005_000);
        data_file(&registry).set_len(1_000_000).unwrap();
    }
    let told = registry.pusher().look(&session).unwrap().unwrap();
    assert_eq!(told.offset, 1_005_000);
    finish(&registry, &session, &content);
}

#[test]
fn a_hash_kept_in_memory_does_not_speak_for_bytes_it_has_not_seen() {
    let registry = Registry::start();
    let content = Rng::new(23).bytes(TOTAL);
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let session = pusher.patch(&session, &content[..1_000_000]).unwrap().session();
    data_file(&registry).write_all(&content[1_000_000..][..5000]).unwrap();
    finish(&registry, &session, &content);
}

#[test]
fn the_process_may_change_between_any_two_chunks() {
    let mut registry = Registry::start();
    let mut rng = Rng::new(24);
    let content = rng.bytes(1_000_000);
    let mut session = registry.pusher().session("app").unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL, Signal::SIGTERM] {
        let chunk = &content[session.offset..][..rng.between(1000, 200_000)];
        let answer = registry.pusher().patch(&session, chunk).unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        session = answer.session();
        registry.stop(signal);
        registry.start_again();
        let told = registry.pusher().look(&session).unwrap().unwrap();
        assert_eq!(told.offset, session.offset, "an acknowledged chunk is kept by a kill");
    }
    finish(&registry, &session, &content);
}

/// What the registry still does with a large chunk after its answer does not keep the next one out.
#[test]
fn the_next_request_after_a_large_chunk_is_taken_at_once() {
    let registry = Registry::start();
    let content = Rng::new(30).bytes(100 << 20);
    let mut pusher = registry.pusher();
    let mut session = pusher.session("app").unwrap();
    for chunk in content[..80 << 20].chunks(40 << 20) {
        let answer = pusher.patch(&session, chunk).unwrap();
        assert_eq!(answer.status, 202, "{answer:?} {}", answer.text());
        session = answer.session();
    }
    let answer = pusher.commit(&session, &content).unwrap();
    assert_eq!(answer.status, 201, "{answer:?} {}", answer.text());
}

/// A session that holds `content[..1000]`, a URL from before these bytes, and the latest one.
fn session_with_a_stale_url(pusher: &mut Pusher, content: &[u8]) -> (Session, Session) {
    let stale = pusher.session("app").unwrap();
    let answer = pusher.patch(&stale, &content[..1000]).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    (stale, answer.session())
}

/// 416, and where to go on.
fn assert_refused(answer: &Answer, offset: usize) {
    assert_eq!(answer.status, 416, "{answer:?}");
    assert!(answer.text().contains("RANGE_INVALID"), "{}", answer.text());
    assert_eq!(answer.session().offset, offset);
}

#[test]
fn a_chunk_at_a_wrong_offset_is_refused_and_told_the_right_one() {
    let registry = Registry::start();
    let content = Rng::new(25).bytes(5000);
    let mut pusher = registry.pusher();
    let (_, session) = session_with_a_stale_url(&mut pusher, &content);
    for wrong in [0, 999, 1001, 4000] {
        let range = format!("{wrong}-{}", wrong + 499);
        let headers = [("Content-Range", range.as_str())];
        let chunk = &content[wrong..][..500];
        let answer = pusher.send("PATCH", &session.location, &headers, chunk).unwrap();
        assert_refused(&answer, 1000);
        let target = format!("{}&digest={}", session.location, digest(&content));
        let answer = pusher.send("PUT", &target, &headers, chunk).unwrap();
        assert_refused(&answer, 1000);
        assert_eq!(data_file(&registry).metadata().unwrap().len(), 1000, "nothing is written");
    }
    finish(&registry, &session, &content);
}

/// Appending would store the same bytes twice.
#[test]
fn a_chunk_without_a_range_goes_where_its_url_says_or_nowhere() {
    let registry = Registry::start();
    let content = Rng::new(26).bytes(5000);
    let mut pusher = registry.pusher();
    let (stale, session) = session_with_a_stale_url(&mut pusher, &content);
    let answer = pusher.send("PATCH", &stale.location, &[], &content[..1000]).unwrap();
    assert_refused(&answer, 1000);
    let target = format!("{}&digest={}", stale.location, digest(&content));
    let answer = pusher.send("PUT", &target, &[], &content[1000..]).unwrap();
    assert_refused(&answer, 1000);
    assert_eq!(data_file(&registry).metadata().unwrap().len(), 1000, "nothing is written");
    // With the fresh URL the same chunk needs no range.
    let answer = pusher.send("PATCH", &session.location, &[], &content[1000..2000]).unwrap();
    assert_eq!((answer.status, answer.session().offset), (202, 2000), "{answer:?}");
    finish(&registry, &answer.session(), &content);
}

/// Why the tests above matter: the peer ignores where a chunk says that it belongs.
#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_appends_a_chunk_that_says_it_belongs_elsewhere() {
    let storage = tempfile::tempdir().unwrap();
    let peer = Peer::start(storage.path());
    let content = Rng::new(27).bytes(5000);
    let mut pusher = Pusher::new(([127, 0, 0, 1], peer.port()).into());
    let (_, session) = session_with_a_stale_url(&mut pusher, &content);
    // The client sends its first chunk again, because it never saw the answer.
    let headers = [("Content-Range", "0-999")];
    let answer = pusher.send("PATCH", &session.location, &headers, &content[..1000]).unwrap();
    assert_eq!((answer.status, answer.session().offset), (202, 2000), "{answer:?}");
    let twice = [&content[..1000], &content[..1000]].concat();
    let target = format!("{}&digest={}", answer.session().location, digest(&twice));
    assert_eq!(pusher.send("PUT", &target, &[], &[]).unwrap().status, 201);
}
