//! `kill -9` of the registry while clients push: they see a connection break, try again, and lose nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use nix::sys::signal::Signal;

use super::{Instance, pid, send};
use crate::{
    faults::{Image, Rng, pull},
    support::pusher::{Pusher, digest},
};

const CLIENTS: u64 = 8;
const ROUNDS: usize = 5;

/// Acknowledged manifests before each kill.
const PUSHES: usize = 12;

/// Clients that push until they are told that it is over.
pub(super) struct Pushers {
    acknowledged: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<(String, String)>>>,
}

impl Pushers {
    pub(super) fn start(instance: &Instance) -> Self {
        let (acknowledged, is_over) = (Arc::default(), Arc::default());
        let client = |number| Client {
            number,
            pusher: instance.pusher(),
            acknowledged: Arc::clone(&acknowledged),
            is_over: Arc::clone(&is_over),
        };
        let clients = (0..CLIENTS).map(client);
        let clients = clients.map(|client| thread::spawn(|| client.push_until_over())).collect();
        Self { acknowledged, is_over, clients }
    }

    /// Waits until the clients have pushed so many images more.
    pub(super) fn until_pushed(&self, instance: &Instance, more: usize) {
        let wanted = self.acknowledged.load(Ordering::SeqCst) + more;
        instance.until("they push", || self.acknowledged.load(Ordering::SeqCst) >= wanted);
    }

    /// Ends the clients; returns what was acknowledged to them: tags and digests.
    pub(super) fn finish(self) -> Vec<(String, String)> {
        self.is_over.store(true, Ordering::SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

struct Client {
    number: u64,
    pusher: Pusher,
    acknowledged: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Client {
    fn push_until_over(mut self) -> Vec<(String, String)> {
        let mut rng = Rng::new(4000 + self.number);
        let mut pushed = Vec::new();
        for round in 0.. {
            let sizes = [rng.size(10, 17), rng.size(10, 14)];
            let image = Image::new(&mut rng, &sizes);
            let tag = format!("v{}-{round}", self.number);
            if self.push(&image, &tag) {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                pushed.push((tag, image.digest()));
            }
            if self.is_over.load(Ordering::SeqCst) {
                return pushed;
            }
        }
        pushed
    }

    /// Pushes an image, trying again what a broken connection has interrupted; no: it was over before.
    fn push(&mut self, image: &Image, tag: &str) -> bool {
        let blobs = image.blobs.iter().enumerate();
        blobs.into_iter().all(|(number, blob)| {
            self.insist(|pusher| match number % 2 {
                0 => pusher.push_blob("app", blob),
                _ => pusher.post_blob("app", blob),
            })
        }) && self.insist(|pusher| pusher.push_manifest("app", tag, &image.manifest))
    }

    fn insist(
        &mut self,
        mut push: impl FnMut(&mut Pusher) -> std::io::Result<crate::support::http::Answer>,
    ) -> bool {
        loop {
            match push(&mut self.pusher) {
                Ok(answer) => {
                    assert_eq!(answer.status, 201, "{answer:?}");
                    return true;
                }
                Err(_) if self.is_over.load(Ordering::SeqCst) => return false,
                Err(_) => thread::yield_now(),
            }
        }
    }
}

/// Every tag that got 201 is there, whole, and so is everything on disk.
pub(super) fn check(instance: &Instance, pushed: &[(String, String)]) {
    let mut pusher = instance.pusher();
    for (tag, wanted) in pushed {
        assert_eq!(pull(&mut pusher, "app", tag).as_ref(), Ok(wanted), "{tag}");
    }
    assert_eq!(instance.store().problems(), [""; 0]);
    let content = b"pushed after everything";
    let answer = pusher.post_blob("app", content).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let blob = pusher.get(&format!("/v2/app/blobs/{}", digest(content))).unwrap();
    assert_eq!(blob.body, content);
}

#[test]
fn a_registry_that_is_killed_during_pushes_comes_back_and_no_acknowledged_push_is_lost() {
    let instance = Instance::serving("log_level = \"error\"\n");
    let pushers = Pushers::start(&instance);
    for round in 1..=ROUNDS {
        pushers.until_pushed(&instance, PUSHES);
        let killed = pid(&instance.registry());
        send(killed, Signal::SIGKILL);
        // Nobody asks for it.
        instance.until("it is back", || {
            instance.registry()["pid"].as_i64().is_some_and(|pid| pid != i64::from(killed))
        });
        let status = instance.registry();
        assert_eq!(status["restarts"], round, "{status:#}");
        assert_eq!(status["last_end"]["how"], "signal KILL", "{status:#}");
        let shown = instance.run(&["status", "registry"]).stdout;
        assert!(shown.contains(&format!("\n  restarts: {round}\n  last end: signal KILL, ")));
        pushers.until_pushed(&instance, 1);
        // The next kill is a first crash again, with a short pause after it; and a restart under load loses nothing.
        assert_eq!(instance.run(&["restart"]).exit, 0);
    }
    let pushed = pushers.finish();
    check(&instance, &pushed);
    assert_eq!(instance.registry()["starts"], 1 + 2 * ROUNDS);
}
