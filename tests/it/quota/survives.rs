//! What counts survives the process, however it ends: never less than what was acknowledged.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nix::sys::signal::Signal;

use super::{LIMIT, blob, limit, registry, used};

#[test]
fn a_restart_and_a_kill_change_nothing() {
    let mut registry = registry(&limit("**", LIMIT));
    let mut pusher = registry.pusher();
    assert_eq!(pusher.post_blob("a", &blob(1, 3000)).unwrap().status, 201);
    assert_eq!(used(&mut pusher, "a"), 3000);
    registry.stop(Signal::SIGTERM);
    registry.start_again();
    let mut pusher = registry.pusher();
    assert_eq!(pusher.post_blob("b", &blob(1, 3000)).unwrap().status, 201);
    assert_eq!(used(&mut pusher, "a"), 3000);
    assert_eq!(pusher.post_blob("a", &blob(2, 3000)).unwrap().status, 201);
    registry.kill();
    registry.start_again();
    assert_eq!(used(&mut registry.pusher(), "a"), 6000);
}

#[test]
fn who_is_killed_among_pushes_has_written_down_what_was_acknowledged() {
    const BYTES: usize = 40;
    let mut registry = registry(&limit("**", 9 * LIMIT));
    let (next, acknowledged) = (AtomicUsize::new(0), Mutex::new(0_u64));
    for round in 1..=3_u64 {
        thread::scope(|scope| {
            for _ in 0..4 {
                let mut pusher = registry.pusher();
                let (next, acknowledged) = (&next, &acknowledged);
                // Until the connection breaks.
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Ok(answer) = pusher.post_blob("a", &blob(number, BYTES)) else { break };
                        assert_eq!(answer.status, 201, "{answer:?}");
                        *acknowledged.lock().unwrap() += BYTES as u64;
                    }
                });
            }
            while *acknowledged.lock().unwrap() < round * 20 * BYTES as u64 {
                thread::yield_now();
            }
            registry.signal(Signal::SIGKILL);
        });
        registry.wait();
        registry.start_again();
        let (used, acknowledged) =
            (used(&mut registry.pusher(), "a"), *acknowledged.lock().unwrap());
        // Of each client one may be written down and not acknowledged.
        let most = acknowledged + round * 4 * BYTES as u64;
        assert!((acknowledged..=most).contains(&used), "{acknowledged} {used} {most}");
    }
}
