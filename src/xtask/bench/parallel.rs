//! Many large blobs at once: what a registry makes of a disk and of processors that everybody wants, and the memory
//! that it takes meanwhile.

use std::{thread, time::Instant};

use anyhow::Result;

use super::{
    content::Pattern,
    pair::Pair,
    push,
    rows::{self, float, megabytes},
    run::Bench,
    servers::{Server, Setup},
    stats::Series,
};

const CLIENTS: usize = 64;
const REPOSITORY: &str = "bench/parallel";

/// One turn takes as long as all those of another row.
const TURNS: u32 = 3;

pub(crate) fn push(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(bench.scale.large_bytes / 16);
    let servers = bench.start_both(Setup::default())?;
    let [rate] = bench.some_turns(TURNS.min(bench.scale.turns), |side| {
        Ok([push_all(servers.of(side), &pattern)?])
    })?;
    let held = bench.retire(servers)?;
    let memory = Pair::make(|side| rows::single(*held.of(side)))?;
    let what = format!("{CLIENTS} pushes of {} MiB at once", pattern.size() >> 20);
    let line = |title, samples, bar| Series { title, samples, bar: Some(bar) };
    Ok(vec![
        line(format!("{what}, MB/s until the last 201"), rate, rows::PUSH_PARALLEL),
        line(format!("{what}, most memory held (RSS), MB"), memory, rows::PUSH_PARALLEL_RSS),
    ])
}

/// Pushes a blob from each client, and returns MB a second of all of them together.
fn push_all(server: &Server, pattern: &Pattern) -> Result<f64> {
    let blobs: Vec<_> = (0..CLIENTS).map(|_| pattern.blob()).collect();
    let began = Instant::now();
    thread::scope(|scope| {
        let push = |blob| push::monolithic(&mut server.connect()?, REPOSITORY, blob);
        let clients: Vec<_> = blobs.iter().map(|blob| scope.spawn(move || push(blob))).collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    let seconds = began.elapsed().as_secs_f64();
    for blob in &blobs {
        server.forget(&blob.digest)?;
    }
    Ok(megabytes(pattern.size()) * float(CLIENTS as u64) / seconds)
}
