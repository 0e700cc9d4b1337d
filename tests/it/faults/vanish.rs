//! Clients that disappear in the middle of a request, and come back.
//!
//! By FIN and RST the registry learns of it, a little later; of a silent one it does not. In all three
//! cases the client that comes back asks how far the session is and goes on from there.

use std::fs;

use super::{Image, Registry, Rng, eventually, image::pull};
use crate::support::pusher::{Pusher, Session, Vanish, Vanished, digest};

const ALL: [Vanish; 3] = [Vanish::Fin, Vanish::Reset, Vanish::Silent];

/// More than one batch of the registry's writer, and not a multiple of one.
const SENT: usize = 1_300_000;
const TOTAL: usize = 2_000_000;

/// Asks until the registry has what it will ever have of an interrupted body.
///
/// Before that a chunk at the reported offset takes the session over while it still grows, and is
/// told so by 416.
fn come_back(pusher: &mut Pusher, session: &Session, content: &[u8]) -> Session {
    eventually("a chunk at the reported offset is taken", || {
        let session = pusher.look(session).unwrap().ok_or_else(|| "no session".to_owned())?;
        assert!(session.offset <= SENT, "no more than was sent: {session:?}");
        let end = content.len() - 1000;
        let answer = pusher.patch(&session, &content[session.offset..end]).unwrap();
        match answer.status {
            202 => Ok(answer.session()),
            416 => Err(format!("{} {:?}", answer.text(), answer.session())),
            _ => panic!("{answer:?}"),
        }
    })
}

fn vanish_in_patch(how: Vanish) -> (Registry, Session, Vec<u8>, Vanished) {
    let registry = Registry::start();
    let content = Rng::new(11).bytes(TOTAL);
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let sent = (&content[..SENT], TOTAL);
    let vanished = pusher.vanish(how, ("PATCH", &session.location), sent).unwrap();
    (registry, session, content, vanished)
}

#[test]
fn a_client_that_vanished_in_a_chunk_goes_on_where_it_is_told() {
    for how in ALL {
        println!("{how:?}");
        let (registry, session, content, _vanished) = vanish_in_patch(how);
        let mut pusher = registry.pusher();
        let session = come_back(&mut pusher, &session, &content);
        let answer = pusher.commit(&session, &content).unwrap();
        assert_eq!(answer.status, 201, "{how:?}: {answer:?}");
        assert_eq!(registry.store().blobs(), [digest(&content)]);
        assert_eq!(registry.store().problems(), [""; 0]);
    }
}

/// A client asks once and believes the answer. What a silent connection has delivered must be in it,
/// also when it is less than the registry writes at once.
#[test]
fn the_offset_told_while_a_silent_client_hangs_is_where_the_next_chunk_is_taken() {
    let registry = Registry::start();
    let content = Rng::new(18).bytes(600_000);
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let sent = (&content[..300_000], content.len());
    let _vanished = pusher.vanish(Vanish::Silent, ("PATCH", &session.location), sent).unwrap();
    let told = eventually("the registry has all that arrived", || {
        let told = pusher.look(&session).unwrap().unwrap();
        if told.offset == 300_000 { Ok(told) } else { Err(told.offset) }
    });
    let answer = pusher.patch(&told, &content[told.offset..]).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[test]
fn a_client_that_vanished_in_the_last_body_commits_again() {
    for how in ALL {
        println!("{how:?}");
        let registry = Registry::start();
        let content = Rng::new(12).bytes(TOTAL);
        let mut pusher = registry.pusher();
        let session = pusher.session("app").unwrap();
        let target = format!("{}&digest={}", session.location, digest(&content));
        let sent = (&content[..SENT], TOTAL);
        let _vanished = pusher.vanish(how, ("PUT", &target), sent).unwrap();

        let session = come_back(&mut pusher, &session, &content);
        let answer = pusher.commit(&session, &content).unwrap();
        assert_eq!(answer.status, 201, "{how:?}: {answer:?}");
        assert_eq!(registry.store().blobs(), [digest(&content)]);
    }
}

/// It was never told where its session is; so nothing of it may stay, but for a silent one.
#[test]
fn a_client_that_vanished_in_a_single_post_leaves_nothing_and_pushes_again() {
    for how in ALL {
        println!("{how:?}");
        let registry = Registry::start();
        let content = Rng::new(13).bytes(TOTAL);
        let mut pusher = registry.pusher();
        let target = format!("/v2/app/blobs/uploads/?digest={}", digest(&content));
        let sent = (&content[..SENT], TOTAL);
        let vanished = pusher.vanish(how, ("POST", &target), sent).unwrap();
        assert_eq!(pusher.post_blob("app", &content).unwrap().status, 201, "{how:?}");
        drop(vanished);
        eventually("no session is left", || match registry.store().sessions() {
            sessions if sessions.is_empty() => Ok(()),
            sessions => Err(sessions),
        });
        assert_eq!(registry.store().problems(), [""; 0]);
    }
}

#[test]
fn a_manifest_that_arrived_in_part_is_no_manifest() {
    for how in ALL {
        println!("{how:?}");
        let registry = Registry::start();
        let image = Image::new(&mut Rng::new(14), &[1024]);
        let mut pusher = registry.pusher();
        image.push(&mut pusher, "app", "other").unwrap();
        let sent = (&image.manifest[..100], image.manifest.len());
        let target = ("PUT", "/v2/app/manifests/v1");
        let _vanished = pusher.vanish(how, target, sent).unwrap();

        assert_eq!(pusher.get("/v2/app/manifests/v1").unwrap().status, 404, "{how:?}");
        image.push(&mut pusher, "app", "v1").unwrap();
        assert_eq!(pull(&mut pusher, "app", "v1"), Ok(image.digest()), "{how:?}");
        assert_eq!(registry.store().problems(), [""; 0]);
    }
}

#[test]
fn what_was_sent_completely_is_stored_although_nobody_waits_for_the_answer() {
    for how in [Vanish::Fin, Vanish::Silent] {
        println!("{how:?}");
        let registry = Registry::start();
        let content = Rng::new(15).bytes(TOTAL);
        let mut pusher = registry.pusher();
        let session = pusher.session("app").unwrap();
        let target = ("PATCH", session.location.as_str());
        let _first = pusher.vanish(how, target, (&content[..SENT], SENT)).unwrap();
        let session = eventually("the chunk is whole", || {
            let session = pusher.look(&session).unwrap().unwrap();
            if session.offset == SENT { Ok(session) } else { Err(session.offset) }
        });

        let target = format!("{}&digest={}", session.location, digest(&content));
        let rest = &content[SENT..];
        let _second = pusher.vanish(how, ("PUT", &target), (rest, rest.len())).unwrap();
        let blob = format!("/v2/app/blobs/{}", digest(&content));
        eventually("the blob is there", || match pusher.get(&blob).unwrap().status {
            200 => Ok(()),
            status => Err(status),
        });
        assert_eq!(registry.store().problems(), [""; 0]);
    }
}

#[test]
fn a_session_that_a_silent_client_holds_can_be_given_up() {
    let (registry, session, _, _vanished) = vanish_in_patch(Vanish::Silent);
    let mut pusher = registry.pusher();
    assert_eq!(pusher.delete(&session.location).unwrap().status, 204);
    assert!(pusher.look(&session).unwrap().is_none());
    assert!(registry.store().sessions().is_empty());
}

/// The number of open descriptors, and the memory in use in KiB.
fn footprint(registry: &Registry) -> (usize, usize) {
    let descriptors = fs::read_dir(registry.proc().join("fd")).unwrap().count();
    let status = fs::read_to_string(registry.proc().join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (descriptors, line.trim_end_matches("kB").trim().parse().unwrap())
}

/// `count` clients begin an upload each and go away in the middle of it.
fn vanish_often(registry: &Registry, rng: &mut Rng, count: usize) {
    let content = rng.bytes(600_000);
    for number in 0..count {
        let how = if number % 2 == 0 { Vanish::Fin } else { Vanish::Reset };
        let mut pusher = registry.pusher();
        let session = pusher.session("app").unwrap();
        let sent = &content[..rng.between(0, content.len())];
        let target = ("PATCH", session.location.as_str());
        let _ = pusher.vanish(how, target, (sent, content.len())).unwrap();
    }
}

fn eventually_few_descriptors(registry: &Registry, before: usize) {
    eventually("the descriptors are closed", || match footprint(registry).0 {
        // The idle workers of the runtime keep none; the one more is this test's own look.
        open if open <= before + 1 => Ok(()),
        open => Err(format!("{open} open, {before} before")),
    });
}

#[test]
fn vanished_clients_leave_no_descriptors_and_no_memory() {
    let registry = Registry::start();
    let mut rng = Rng::new(16);
    vanish_often(&registry, &mut rng, 100);
    eventually_few_descriptors(&registry, 32);
    let (descriptors, memory) = footprint(&registry);
    vanish_often(&registry, &mut rng, 200);
    eventually_few_descriptors(&registry, descriptors);
    let (_, grown) = footprint(&registry);
    assert!(grown < memory + 16 * 1024, "{memory} KiB became {grown} KiB");
}

/// The silent ones' sockets stay open on their side: only the registry can close its own.
#[test]
fn the_connection_of_a_silent_client_is_closed_when_its_session_is_taken_over() {
    let registry = Registry::start();
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let (before, _) = footprint(&registry);
    let mut silent = Vec::new();
    for _ in 0..50 {
        // Each of them has the session before the next one comes.
        let target = ("PATCH", session.location.as_str());
        silent.push(registry.pusher().vanish(Vanish::Silent, target, (&[], 1000)).unwrap());
    }
    let content = Rng::new(17).bytes(1000);
    let answer = pusher.commit(&session, &content).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    eventually_few_descriptors(&registry, before);
    drop(silent);
}

/// A client on a bad network tries again and again. Its last request is the one that counts; those
/// before it, which still wait for their turn, must not get one.
#[test]
fn the_newest_of_many_requests_for_a_session_gets_it() {
    let registry = Registry::start();
    let mut pusher = registry.pusher();
    let session = pusher.session("app").unwrap();
    let mut clients: Vec<_> = (0..50).map(|_| registry.pusher()).collect();
    // Connected before, so that they come in one burst.
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/v2/").unwrap().status, 200));
    let silent = clients
        .iter_mut()
        .map(|client| client.begin("PATCH", &session.location, &[], 1000).unwrap())
        .collect::<Vec<_>>();
    let content = Rng::new(19).bytes(1000);
    // Some of the burst may be seen after the first attempt; one of the next ones is the newest.
    eventually("the newest request has the session", || {
        let session = pusher.look(&session).unwrap().unwrap();
        let answer = pusher.commit(&session, &content).unwrap();
        if answer.status == 201 { Ok(()) } else { Err(answer.text()) }
    });
    drop(silent);
}
