//! Collections one after the other while sixteen clients push, pull, move and delete, with promises that end after a second or two:
//! whatever was acknowledged is there, whole, all the time and in the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{bucket, site::COLLECT};
use crate::{
    faults::{Rng, is_full_run},
    soak::{client::Client, content::Shared, wire::Wire},
    supervise::Instance,
    support::seaweed::Seaweed,
};

const CLIENTS: usize = 16;

fn duration() -> Duration {
    Duration::from_secs(if is_full_run() { 600 } else { 60 })
}

/// Does something that a client does which waits for its answers.
fn act(client: &mut Client) -> Result<(), String> {
    client.acts += 1;
    let done = match client.rng.between(0, 99) {
        0..=34 => client.push(),
        35..=59 => client.pull(),
        60..=69 => client.retag(),
        70..=81 => client.delete_tag(),
        82..=89 => client.delete_manifest(),
        90..=94 => client.list(),
        _ => client.pull_stable(),
    };
    done.map_err(|reason| format!("client {}, act {}: {reason}", client.number, client.acts))
}

/// Collects until it is over; returns how many runs there were, and how many blobs went.
fn collect(instance: &Instance, is_over: &AtomicBool) -> (u64, u64) {
    let (mut runs, mut blobs) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let ran = instance.run(&[COLLECT, "-m", "--online", "--grace", "0s", "--json", "--quiet"]);
        if ran.exit == 1 && ran.stderr.contains("begin in ") {
            continue;
        }
        // A manifest that goes while it is read is a doubt.
        assert!([0, 5].contains(&ran.exit), "{ran:?}");
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["failed"], 0, "{document:#}");
        runs += 1;
        blobs += document["removed"]["blobs"].as_u64().unwrap();
    }
    (runs, blobs)
}

#[test]
#[ignore = "takes a minute: run cargo xtask test"]
fn nothing_that_was_acknowledged_goes_while_clients_work() {
    let (instance, said) = work_and_collect("");
    println!("{said}");
    assert_eq!(instance.store().problems(), [""; 0]);
}

#[test]
#[ignore = "needs weed, and takes a minute: run cargo xtask test"]
fn nothing_that_was_acknowledged_goes_from_a_bucket_while_clients_work() {
    let storage = bucket::storage(&Seaweed::shared().endpoint("http"), "chaos");
    let (instance, said) = work_and_collect(&storage);
    println!("{said}");
    let ran = instance.run(&["verify"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
}

/// Has clients work at a registry with this storage while it is collected again and again; tells what they did.
fn work_and_collect(storage: &str) -> (Instance, String) {
    let seed = u64::from(std::process::id());
    let mut rng = Rng::new(seed);
    let lease = rng.between(1, 2);
    let text = format!("log_level = \"warn\"\nlease = \"{lease}s\"\n{storage}");
    let instance = Instance::serving(&text);
    let wire = Wire::to(instance.address());
    let shared = Arc::new(Shared::put(wire, &mut rng));
    let is_over = AtomicBool::new(false);
    let end = Instant::now() + duration();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|number| Client::new(number, wire, Arc::clone(&shared), rng.fork()))
        .collect();
    let (failed, collected): (Vec<String>, _) = thread::scope(|scope| {
        let collecting = scope.spawn(|| collect(&instance, &is_over));
        let working: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                client.is_slow = true;
                let is_over = &is_over;
                scope.spawn(move || {
                    while Instant::now() < end && !is_over.load(Ordering::Relaxed) {
                        if let Err(reason) = act(client) {
                            is_over.store(true, Ordering::Relaxed);
                            return Some(reason);
                        }
                    }
                    None
                })
            })
            .collect();
        let failed = working.into_iter().filter_map(|client| client.join().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        let (runs, blobs) = collecting.join().unwrap();
        assert!(runs > 1 && blobs > 0, "seed {seed}: {runs} runs removed {blobs} blobs");
        (failed, format!("{runs} runs removed {blobs} blobs"))
    });
    assert!(failed.is_empty(), "seed {seed}:\n{}", failed.join("\n"));
    let acts: usize = clients.iter().map(|client| client.acts).sum();
    let checked = clients.into_iter().map(Client::ledger_is_right).sum::<Result<usize, String>>();
    let checked = checked.unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
    let said = format!(
        "seed {seed}, lease {lease} s: {collected}; {acts} acts; {checked} entries of ledgers are right"
    );
    (instance, said)
}
