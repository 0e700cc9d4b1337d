//! Read-only there and back, under load: no pull fails, no push is half done, and what is refused is refused for that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use nix::sys::signal::Signal;

use crate::{
    faults::{Image, Registry, Rng, Store, eventually, pull},
    support::{World, http::Answer, pusher::Pusher},
};

const SWITCHES: u64 = 50;

/// Of each kind.
const CLIENTS: u64 = 16;

const MANIFEST: &str = "/v2/app/manifests/v1";

/// What the clients know of the switches: the number of the state, which is one of these modulo four.
const WRITABLE: u64 = 0;
const READ_ONLY: u64 = 2;
const OVER: u64 = u64::MAX;

/// Switches by HUP, and returns when the registry says so.
fn switch(registry: &Registry, read_only: bool) {
    let (from, to) = (!read_only, read_only);
    let setting = |enabled: bool| format!("maintenance: {{readonly: {{enabled: {enabled}}}}}");
    registry.rewrite(|text| text.replace(&setting(from), &setting(to)));
    registry.signal(Signal::SIGHUP);
    eventually("it is switched", || {
        let answer = registry.pusher().send("OPTIONS", MANIFEST, &[], &[]).unwrap();
        let allow = answer.header("allow").unwrap().to_owned();
        if allow.contains("PUT") == read_only { Err(allow) } else { Ok(()) }
    });
}

/// Whether a write was taken; it was refused for the right reason, and only when it should be.
fn is_taken(answer: &Answer, before: u64, after: u64) -> bool {
    match (answer.status, before % 4) {
        (201, READ_ONLY) if before == after => panic!("taken in state {before}: {answer:?}"),
        (405, WRITABLE) if before == after => panic!("refused in state {before}: {answer:?}"),
        (201, _) => true,
        (405, _) => {
            let message = &answer.errors("message")[0];
            assert_eq!(answer.codes(), ["UNSUPPORTED"]);
            assert!(message.as_str().unwrap().ends_with("the registry is read-only"), "{message}");
            assert!(!answer.header("allow").unwrap().contains('P'), "{answer:?}");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

/// Sends a write until it is taken; no: it is over before.
fn insist(state: &AtomicU64, mut write: impl FnMut() -> Answer) -> bool {
    loop {
        let before = state.load(Ordering::SeqCst);
        if before == OVER {
            return false;
        }
        if is_taken(&write(), before, state.load(Ordering::SeqCst)) {
            return true;
        }
        thread::yield_now();
    }
}

/// Pushes images until it is over; returns the tags whose push was acknowledged.
fn push(pusher: &mut Pusher, number: u64, state: &AtomicU64) -> Vec<(String, String)> {
    let mut rng = Rng::new(9000 + number);
    let mut pushed = Vec::new();
    for round in 0.. {
        let image = Image::new(&mut rng, &[3000]);
        let tag = format!("v{number}-{round}");
        for blob in &image.blobs {
            if !insist(state, || pusher.post_blob("app", blob).unwrap()) {
                return pushed;
            }
        }
        if !insist(state, || pusher.push_manifest("app", &tag, &image.manifest).unwrap()) {
            return pushed;
        }
        pushed.push((tag, image.digest()));
    }
    pushed
}

/// Switches fifty times while clients push and pull, and checks what they saw and what is on disk afterwards.
pub(crate) fn fifty_under_load(
    connect: impl Fn() -> Pusher,
    store: &Store,
    mut switch: impl FnMut(bool),
) {
    let base = Image::new(&mut Rng::new(8999), &[200_000, 10_000]);
    base.push(&mut connect(), "app", "v1").unwrap();
    let state = Arc::new(AtomicU64::new(WRITABLE));
    let pullers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (mut pusher, state, wanted) = (connect(), Arc::clone(&state), base.digest());
            thread::spawn(move || {
                let mut pulls = 0;
                while pulls == 0 || state.load(Ordering::SeqCst) != OVER {
                    assert_eq!(pull(&mut pusher, "app", "v1"), Ok(wanted.clone()));
                    pulls += 1;
                }
                pulls
            })
        })
        .collect();
    let pushers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (mut pusher, state) = (connect(), Arc::clone(&state));
            thread::spawn(move || push(&mut pusher, number, &state))
        })
        .collect();
    for _ in 0..SWITCHES / 2 {
        state.fetch_add(1, Ordering::SeqCst);
        switch(true);
        state.fetch_add(1, Ordering::SeqCst);
        let refused = connect().push_manifest("app", "v1", &base.manifest).unwrap();
        assert_eq!(refused.status, 405);
        state.fetch_add(1, Ordering::SeqCst);
        switch(false);
        state.fetch_add(1, Ordering::SeqCst);
        let taken = connect().push_manifest("app", "v1", &base.manifest).unwrap();
        assert_eq!(taken.status, 201);
    }
    state.store(OVER, Ordering::SeqCst);
    let pulls: usize = pullers.into_iter().map(|thread| thread.join().unwrap()).sum();
    let pushed: Vec<_> = pushers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(pulls >= 16 && !pushed.is_empty(), "{pulls} pulls, {} pushes", pushed.len());
    let mut pusher = connect();
    for (tag, wanted) in pushed {
        assert_eq!(pull(&mut pusher, "app", &tag), Ok(wanted), "{tag}");
    }
    assert_eq!(store.problems(), [""; 0]);
    assert!(store.half_tags().is_empty());
    assert!(store.sessions().is_empty());
    assert!(store.staged().is_empty());
}

#[test]
fn fifty_switches_under_load_fail_no_pull_and_leave_no_half_push() {
    let world = World::new();
    let storage = world.path("storage");
    let mut registry = Registry::prepared(world, storage);
    registry.rewrite(|text| {
        text.replace("log: {", "log: {level: error, ")
            .replace("  delete:", "  maintenance: {readonly: {enabled: false}}\n  delete:")
    });
    registry.start_again();
    fifty_under_load(
        || registry.pusher(),
        &registry.store(),
        |read_only| switch(&registry, read_only),
    );
    assert_eq!(registry.stop(Signal::SIGTERM).exit, 0);
}
