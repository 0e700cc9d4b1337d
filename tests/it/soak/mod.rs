//! A registry in use for a while: 64 clients push, pull, move and delete through a supervised nginx, go away in the middle
//! of requests, and an administrator changes settings. Nobody is told 5xx, nothing grows, and whatever was acknowledged
//! is so in the end.
//!
//! A run is drawn from a seed, which a failure names; `REGCTL_SOAK_SEED` repeats it, as far as 64 threads can.

mod act;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod ledger;
mod site;
mod upload;
mod vanish;
mod watch;
pub(crate) mod wire;

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use client::Client;
use content::Shared;
use site::Site;
use watch::{Curve, Watch};
use wire::Wire;

use crate::faults::{Rng, eventually, is_full_run};

const CLIENTS: usize = 64;

/// When the settings change, in hundredths of the time: by a restart of the registry, and live.
const RESTART: u32 = 10;
const RELOAD: u32 = 50;

/// What the registry may have open when everybody has gone, more than before anybody came.
const SPARE_DESCRIPTORS: usize = 4;

fn duration() -> Duration {
    Duration::from_secs(if is_full_run() { 600 } else { 60 })
}

fn seed() -> u64 {
    let given = env::var("REGCTL_SOAK_SEED").ok();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    given.map_or_else(now, |text| text.parse().unwrap())
}

/// The clients, from the first request to the last.
struct Crowd {
    threads: Vec<thread::JoinHandle<Client>>,
    is_over: Arc<AtomicBool>,
    failed: Arc<Mutex<Vec<String>>>,
}

impl Crowd {
    fn start(wire: Wire, shared: &Arc<Shared>, rng: &mut Rng) -> Self {
        let (is_over, failed) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let threads = (0..CLIENTS).map(|number| {
            let mut client = Client::new(number, wire, Arc::clone(shared), rng.fork());
            let (is_over, failed) = (Arc::clone(&is_over), Arc::<Mutex<Vec<_>>>::clone(&failed));
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if let Err(reason) = client.act() {
                        failed.lock().unwrap().push(reason);
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
                client
            })
        });
        let threads = threads.collect();
        Self { threads, is_over, failed }
    }

    /// Waits until a share of the time is over, or somebody has failed.
    fn wait(&self, began: Instant, hundredths: u32) {
        let end = began + duration() * hundredths / 100;
        while Instant::now() < end && !self.is_over.load(Ordering::Relaxed) {
            // What is waited for is time itself.
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Lets everybody finish; returns them if nobody has failed.
    fn end(self, seed: u64) -> Vec<Client> {
        self.is_over.store(true, Ordering::Relaxed);
        let clients = self.threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "seed {seed}:\n{}", failed.join("\n"));
        clients
    }
}

/// Looks at everything that anybody was told.
fn check_ledgers(clients: Vec<Client>, seed: u64) -> usize {
    let checks: Vec<_> =
        clients.into_iter().map(|client| thread::spawn(move || client.ledger_is_right())).collect();
    let checked = checks.into_iter().map(|check| check.join().unwrap());
    let checked: Result<Vec<usize>, String> = checked.collect();
    checked.unwrap_or_else(|reason| panic!("seed {seed}: {reason}")).iter().sum()
}

#[test]
#[ignore = "needs nginx, and a minute: run cargo xtask test"]
fn a_registry_in_use_keeps_its_word_and_does_not_grow() {
    let seed = seed();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let site = Site::start();
    let wire = Wire::to(site.address());
    let shared = Arc::new(Shared::put(wire, &mut rng));
    let (_, _, idle) = watch::look(&site);

    let watch = Watch::start(&site);
    let (began, crowd) = (Instant::now(), Crowd::start(wire, &shared, &mut rng));
    crowd.wait(began, RESTART);
    let restarted = site.change("maxthreads = 100", "maxthreads = 120");
    assert!(restarted.contains("restarted registry"), "seed {seed}: {restarted}");
    crowd.wait(began, RELOAD);
    let reloaded = site.change("log_level = \"info\"", "log_level = \"warn\"");
    assert!(reloaded.contains("reloaded registry"), "seed {seed}: {reloaded}");
    crowd.wait(began, 100);
    let clients = crowd.end(seed);
    let curve = watch.end();

    let acts: usize = clients.iter().map(|client| client.acts).sum();
    println!("{acts} acts in {:?}\n{curve}", began.elapsed());
    let checked = check_ledgers(clients, seed);
    println!("{checked} entries of ledgers are right");
    eventually("the registry closes what nobody needs", || match watch::look(&site) {
        (_, _, open) if open <= idle + SPARE_DESCRIPTORS => Ok(()),
        (_, _, open) => Err(format!("{open} descriptors, {idle} at the start; seed {seed}")),
    });
    check_curve(&curve, seed);
    site.stop_and_check(seed);
}

fn check_curve(curve: &Curve, seed: u64) {
    let [memory, descriptors] = [curve.memory(), curve.descriptors()];
    let (before, after) = memory;
    let limit = before * 11 / 10;
    assert!(after <= limit, "seed {seed}: {before} KiB became {after} KiB:\n{curve}");
    // As many requests are under way at the end as before, give or take those that happen to be.
    let (before, after) = descriptors;
    let limit = before + CLIENTS / 2;
    assert!(after <= limit, "seed {seed}: {before} open files became {after}:\n{curve}");
}
