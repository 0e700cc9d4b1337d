//! Large blobs, one at a time: how fast they go in and out, and what the server's processors spend on it.

use std::time::Instant;

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{
    client::Connection,
    content::{self, Blob, Pattern},
    limits,
    pair::Pair,
    push,
    rows::{self, megabytes},
    run::Bench,
    servers::{Server, Setup},
    stats::{Bar, Instead, Sample, Series},
};
use crate::sys::process;

const REPOSITORY: &str = "bench/large";

type Push = fn(&mut Connection, &str, &Blob<'_>) -> Result<()>;

pub(crate) fn push(bench: &mut Bench) -> Result<Vec<Series>> {
    let [rate, cpu] = pushes(bench, push::monolithic)?;
    let what = format!("{} push, one PUT", bench.scale.large());
    Ok(series(&what, "until 201", rate, cpu, Some(rows::PUSH)))
}

pub(crate) fn push_chunked(bench: &mut Bench) -> Result<Vec<Series>> {
    let [rate, cpu] = pushes(bench, push::chunked)?;
    let what = format!("{} push, 5-MiB chunks", bench.scale.large());
    Ok(series(&what, "until 201", rate, cpu, Some(rows::PUSH_CHUNKED)))
}

pub(crate) fn pull(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(bench.scale.large_bytes);
    let servers = bench.start_both(Setup::default())?;
    let digests = Pair::make(|side| {
        let blob = pattern.blob();
        let server = servers.of(side);
        push::monolithic(&mut server.connect()?, REPOSITORY, &blob)?;
        check_bytes(server, &blob.digest)?;
        Ok::<_, anyhow::Error>(blob.digest)
    })?;
    let [rate, cpu, loopback] = bench.turns(|side| {
        let digest = digests.of(side);
        let [rate, cpu] = measured(servers.of(side), pattern.size(), |connection| {
            discarded(connection, &target(digest), digest, pattern.size())
        })?;
        Ok([rate, cpu, limits::looped(pattern.size())?])
    })?;
    bench.retire(servers)?;
    let what = format!("{} pull", bench.scale.large());
    let ratio = rate.ours.median() / loopback.ours.median();
    let instead = Instead { of: "loopback", ratio, limit: rows::PULL_OF_LOOPBACK };
    let bar = Bar::AtLeastOr(rows::PULL, instead);
    let mut lines =
        series(&what, "from the page cache, thrown away by the client", rate, cpu, Some(bar));
    lines.iter_mut().skip(1).for_each(|cpu| cpu.bar = Some(rows::PULL_CPU));
    Ok(lines)
}

/// Pulls a blob that nobody keeps.
pub(crate) fn discarded(
    connection: &mut Connection,
    target: &str,
    digest: &str,
    size: u64,
) -> Result<()> {
    let head = push::ask(connection, target, digest)?;
    let bytes = connection.discard(&head)?;
    ensure!(bytes == size, "a blob came with {bytes} bytes");
    Ok(())
}

fn pushes(bench: &mut Bench, push: Push) -> Result<[Pair<Sample>; 2]> {
    let pattern = Pattern::new(bench.scale.large_bytes);
    let servers = bench.start_both(Setup::default())?;
    let samples = bench.turns(|side| {
        let blob = pattern.blob();
        let server = servers.of(side);
        let sample =
            measured(server, blob.size(), |connection| push(connection, REPOSITORY, &blob))?;
        server.forget(&blob.digest)?;
        Ok(sample)
    })?;
    bench.retire(servers)?;
    Ok(samples)
}

/// Times one transfer: MB a second, and the server's seconds of processor time.
fn measured(
    server: &Server,
    bytes: u64,
    transfer: impl FnOnce(&mut Connection) -> Result<()>,
) -> Result<[f64; 2]> {
    let mut connection = server.connect()?;
    let cpu = process::cpu_seconds(server.pid())?;
    let began = Instant::now();
    transfer(&mut connection)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok([megabytes(bytes) / seconds, process::cpu_seconds(server.pid())? - cpu])
}

/// Reads a blob once and hashes it: later reads are only counted.
fn check_bytes(server: &Server, digest: &str) -> Result<()> {
    let mut hasher = Sha256::new();
    push::pull(&mut server.connect()?, &target(digest), digest, |part| hasher.update(part))?;
    let actual = content::digest(hasher);
    ensure!(actual == digest, "blob `{digest}` comes back as `{actual}`");
    Ok(())
}

fn target(digest: &str) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

fn series(
    what: &str,
    how: &str,
    rate: Pair<Sample>,
    cpu: Pair<Sample>,
    bar: Option<Bar>,
) -> Vec<Series> {
    vec![
        Series { title: format!("{what}, MB/s {how}"), samples: rate, bar },
        Series { title: format!("{what}, CPU seconds of the server"), samples: cpu, bar: None },
    ]
}
