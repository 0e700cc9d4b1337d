//! TERM while clients are at it.

use nix::sys::signal::Signal;

use crate::{
    faults::{Registry, Rng, eventually},
    support::{
        World,
        pusher::{Pusher, digest},
    },
};

/// A registry that runs, with a drain that is longer than the test.
fn draining_for_long() -> Registry {
    let world = World::new();
    let storage = world.path("storage");
    let mut registry = Registry::prepared(world, storage);
    registry.rewrite(|text| text.replace("http: {", "http: {draintimeout: 60s, "));
    registry.start_again();
    registry
}

/// Waits until nobody listens; a client that has a connection may be answered on it once more.
fn wait_for_silence(pusher: &mut Pusher) {
    eventually("nobody listens", || match pusher.get("/v2/") {
        Err(error) => Ok(error),
        Ok(answer) => Err(answer.status),
    });
}

#[test]
fn a_chunk_that_is_under_way_at_term_is_taken_and_the_upload_goes_on_after_the_restart() {
    let mut registry = draining_for_long();
    let mut pusher = registry.pusher();
    let mut idle = registry.pusher();
    idle.get("/v2/").unwrap();
    let content = Rng::new(77).bytes(3_000_000);
    let chunk = &content[..2_000_000];
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, chunk.len()).unwrap();
    sending.wait_for_interim_answer().unwrap();
    sending.write(&chunk[..1_000_000]).unwrap();
    registry.signal(Signal::SIGTERM);
    wait_for_silence(&mut registry.pusher());
    wait_for_silence(&mut idle);
    sending.write(&chunk[1_000_000..]).unwrap();
    let answer = sending.answer(&mut pusher).unwrap();
    assert_eq!((answer.status, answer.header("connection")), (202, Some("close")));
    assert_eq!(registry.wait().exit, 0);
    registry.start_again();
    let mut pusher = registry.pusher();
    let told = pusher.look(&answer.session()).unwrap().unwrap();
    assert_eq!(told.offset, chunk.len());
    assert_eq!(pusher.commit(&told, &content).unwrap().status, 201);
    let blob = pusher.get(&format!("/v2/app/blobs/{}", digest(&content))).unwrap();
    assert!(blob.body == content);
    assert_eq!(registry.store().problems(), [""; 0]);
}

/// `http.draintimeout` is 0 when unset: nothing is waited for, and still nothing that came is lost.
#[test]
fn what_a_chunk_has_brought_by_a_term_without_a_drain_is_there_after_the_restart() {
    let mut registry = Registry::start();
    let mut pusher = registry.pusher();
    let content = Rng::new(78).bytes(1_000_000);
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, content.len()).unwrap();
    sending.wait_for_interim_answer().unwrap();
    sending.write(&content[..900_000]).unwrap();
    assert_eq!(registry.stop(Signal::SIGTERM).exit, 0);
    registry.start_again();
    let mut pusher = registry.pusher();
    let told = pusher.look(&session).unwrap().unwrap();
    assert!(told.offset <= 900_000);
    assert_eq!(pusher.commit(&told, &content).unwrap().status, 201);
}

#[test]
fn a_second_term_ends_a_drain() {
    let mut registry = draining_for_long();
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 10).unwrap();
    sending.wait_for_interim_answer().unwrap();
    registry.signal(Signal::SIGTERM);
    wait_for_silence(&mut registry.pusher());
    let ran = registry.stop(Signal::SIGTERM);
    assert_eq!(ran.exit, 0);
    let answer = sending.answer(&mut pusher);
    assert!(answer.is_err(), "{answer:?} {}", ran.stderr);
}
