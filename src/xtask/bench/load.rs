//! Small objects pushed by many clients: how often a second a registry makes something durable.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use anyhow::Result;

use super::{
    content::Pattern,
    push,
    rows::{self, float},
    run::Bench,
    servers::{Server, Setup},
    stats::Series,
};

pub(crate) const SMALL_BYTES: u64 = 4 << 10;
pub(crate) const CLIENTS: u64 = 16;
const REPOSITORY: &str = "bench/small";

pub(crate) fn push_small(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(SMALL_BYTES);
    let servers = bench.start_both(Setup::default())?;
    let [samples] = bench.turns(|side| {
        let began = Instant::now();
        let enough = |_pushed| began.elapsed() >= bench.scale.window;
        let pushed = push_from(servers.of(side), &pattern, CLIENTS, enough)?;
        Ok([float(pushed) / began.elapsed().as_secs_f64()])
    })?;
    bench.retire(servers)?;
    let title = format!("4-KiB blobs pushed a second, {CLIENTS} clients");
    Ok(vec![Series { title, samples, bar: Some(rows::PUSH_SMALL) }])
}

/// Pushes new blobs from several clients until `enough`, asked with the number of pushes begun; returns those done.
pub(crate) fn push_from(
    server: &Server,
    pattern: &Pattern,
    clients: u64,
    enough: impl Fn(u64) -> bool + Sync,
) -> Result<u64> {
    let begun = AtomicU64::new(0);
    let client = || {
        let mut connection = server.connect()?;
        let mut done = 0;
        while !enough(begun.fetch_add(1, Ordering::Relaxed)) {
            push::monolithic(&mut connection, REPOSITORY, &pattern.blob())?;
            done += 1;
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).sum()
    })
}
