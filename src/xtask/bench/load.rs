//! Small objects, many at a time: pushes by sixteen clients of ours, reads by wrk.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    content::Pattern,
    pair::{Pair, Side},
    push::{self, MANIFEST_TYPE},
    rows::float,
    run::Bench,
    servers::Server,
    stats::Series,
};
use crate::sys::program;

pub(crate) const SMALL_BYTES: u64 = 4 << 10;
pub(crate) const CLIENTS: u64 = 16;
const REPOSITORY: &str = "bench/small";

pub(crate) fn push_small(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(SMALL_BYTES);
    let servers = bench.start_both()?;
    let [samples] = bench.turns(|side| {
        let began = Instant::now();
        let enough = |_pushed| began.elapsed() >= bench.scale.window;
        let pushed = push_from(servers.of(side), &pattern, CLIENTS, enough)?;
        Ok([float(pushed) / began.elapsed().as_secs_f64()])
    })?;
    bench.retire(servers)?;
    let title = format!("4-KiB blobs pushed a second, {CLIENTS} clients");
    Ok(vec![Series { title, samples, bar: None }])
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

pub(crate) fn manifest(bench: &mut Bench) -> Result<Vec<Series>> {
    asked(bench, "manifests by tag", |server| {
        let digest = push_image(server)?;
        Ok(Target { path: format!("/v2/{REPOSITORY}/manifests/latest"), digest: Some(digest) })
    })
}

pub(crate) fn blob(bench: &mut Bench) -> Result<Vec<Series>> {
    asked(bench, "4-KiB blobs", |server| {
        let pattern = Pattern::new(SMALL_BYTES);
        let digest = pattern.blob().digest;
        // A fresh pattern counts from the start, so that its first blob is the one named.
        push::monolithic(&mut server.connect()?, REPOSITORY, &Pattern::new(SMALL_BYTES).blob())?;
        Ok(Target { path: format!("/v2/{REPOSITORY}/blobs/{digest}"), digest: Some(digest) })
    })
}

pub(crate) fn ping(bench: &mut Bench) -> Result<Vec<Series>> {
    asked(bench, "`/v2/`", |_server| Ok(Target { path: "/v2/".to_owned(), digest: None }))
}

/// What wrk asks for.
#[derive(Debug)]
struct Target {
    path: String,
    digest: Option<String>,
}

fn asked(
    bench: &mut Bench,
    what: &str,
    prepare: impl Fn(&Server) -> Result<Target>,
) -> Result<Vec<Series>> {
    let servers = bench.start_both()?;
    let targets = Pair::make(|side| prepare(servers.of(side)))?;
    let [samples] = bench.turns(|side: Side| {
        let (server, target) = (servers.of(side), targets.of(side));
        if let Some(digest) = &target.digest {
            push::pull(&mut server.connect()?, &target.path, digest, |_part| ())?;
        }
        Ok([wrk(server, &target.path, bench.scale.window)?])
    })?;
    bench.retire(servers)?;
    let title = format!("{what} read a second, 64 connections");
    Ok(vec![Series { title, samples, bar: None }])
}

/// Pushes the smallest image under the tag `latest`, and returns its manifest's digest.
fn push_image(server: &Server) -> Result<String> {
    let mut connection = server.connect()?;
    let pattern = Pattern::new(SMALL_BYTES);
    let (config, layer) = (pattern.blob(), pattern.blob());
    for blob in [&config, &layer] {
        push::monolithic(&mut connection, REPOSITORY, blob)?;
    }
    let descriptor = |media_type: &str, digest: &str| serde_json::json!({ "mediaType": media_type, "size": SMALL_BYTES, "digest": digest });
    let config_type = "application/vnd.docker.container.image.v1+json";
    let layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(config_type, &config.digest),
        "layers": [descriptor(layer_type, &layer.digest)],
    });
    push::manifest(&mut connection, REPOSITORY, "latest", manifest.to_string().as_bytes())
}

fn wrk(server: &Server, path: &str, window: Duration) -> Result<f64> {
    let url = format!("http://{}{path}", server.address);
    let duration = format!("-d{}s", window.as_secs());
    let accept = format!("Accept: {MANIFEST_TYPE}");
    let text = program::output("wrk", &["-t2", "-c64", &duration, "-H", &accept, &url])?;
    parse_wrk(&text)
}

fn parse_wrk(text: &str) -> Result<f64> {
    let line = |name| text.lines().find_map(|line| line.trim().strip_prefix(name));
    if let Some(refused) = line("Non-2xx or 3xx responses:") {
        anyhow::bail!("{} answers of {} were errors", refused.trim(), total(text));
    }
    if let Some(errors) = line("Socket errors:") {
        anyhow::bail!("connections failed: {}", errors.trim());
    }
    let rate = line("Requests/sec:").context("`wrk` names no rate")?;
    let rate: f64 = rate.trim().parse().context("`wrk` names no rate")?;
    ensure!(rate > 0.0, "no request was answered");
    Ok(rate)
}

fn total(text: &str) -> &str {
    text.lines().find_map(|line| line.split_once(" requests in ")).map_or("all", |(n, _)| n.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 1s test @ http://127.0.0.1:1/v2/\n  2 threads and 64 connections\n\
        \x20 9000 requests in 1.00s, 2.00MB read\nRequests/sec:   9000.50\nTransfer/sec:      2.00MB\n";

    #[test]
    fn the_rate_is_read_from_wrk() {
        assert_eq!(parse_wrk(GOOD).unwrap(), 9000.5);
    }

    #[test]
    fn a_run_with_errors_has_no_rate() {
        let refused = GOOD.replace("Requests/sec", "  Non-2xx or 3xx responses: 12\nRequests/sec");
        let error = parse_wrk(&refused).unwrap_err().to_string();
        assert_eq!(error, "12 answers of 9000 were errors");
        let broken = format!("  Socket errors: connect 0, read 3, write 0, timeout 0\n{GOOD}");
        assert!(parse_wrk(&broken).unwrap_err().to_string().contains("read 3"));
        assert!(parse_wrk("").is_err());
        assert!(parse_wrk("Requests/sec:      0.00\n").is_err());
    }
}
