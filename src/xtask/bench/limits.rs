//! What this machine can do at all, measured in the same run: a registry that reaches these has nothing left to gain.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    client::discard,
    content::Pattern,
    load::{CLIENTS, SMALL_BYTES},
    rows::{float, megabytes},
    run::Bench,
    stats::{Sample, Series},
};
use crate::sys::{program, terminal};

const BUFFER_BYTES: usize = 256 << 10;

pub(crate) fn measure(bench: &mut Bench) -> Result<Vec<Series>> {
    let scale = bench.scale;
    let folder = bench.scratch.path().join("limits");
    fs::create_dir(&folder).with_context(|| format!("failed to create `{}`", folder.display()))?;
    let pattern = Pattern::new(scale.large_bytes);
    let window = scale.window / 2;
    let mut limits = vec![
        limit(
            "files of 4 KiB created, fsynced and renamed a second, one thread",
            scale.turns,
            || files(&folder, 1, window),
        )?,
        limit("the same, 16 threads", scale.turns, || files(&folder, CLIENTS, window))?,
        limit(&format!("{} written and fsynced, MB/s", scale.large()), scale.turns, || {
            written(&folder, &pattern)
        })?,
        limit("SHA-256 on one core (openssl speed), MB/s", scale.turns, hashed)?,
        limit("one TCP connection over loopback, MB/s", scale.turns, || {
            looped(4 * scale.large_bytes)
        })?,
    ];
    bench.limits.append(&mut limits);
    Ok(Vec::new())
}

fn limit(
    title: &str,
    turns: u32,
    mut once: impl FnMut() -> Result<f64>,
) -> Result<(String, Sample)> {
    let mut values = Vec::new();
    for _ in 0..turns {
        program::output("sync", &[])?;
        values.push(once().with_context(|| format!("failed to measure {title}"))?);
    }
    let sample = Sample::new(values).context("a measurement is no number")?;
    terminal::talk(&format!("  {title}: {sample}"));
    Ok((title.to_owned(), sample))
}

/// Makes durable files, as a push of a small blob has to at the least.
fn files(folder: &Path, threads: u64, window: Duration) -> Result<f64> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let body = vec![0x5a; usize::try_from(SMALL_BYTES).expect("4 KiB fits")];
    let began = Instant::now();
    let worker = || {
        let mut done = 0;
        while began.elapsed() < window {
            let name = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
            durable_file(&folder.join(&name).with_extension("staged"), &folder.join(name), &body)?;
            done += 1;
        }
        Ok::<u64, io::Error>(done)
    };
    let done: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .sum::<Result<u64, _>>()
    })?;
    Ok(float(done) / began.elapsed().as_secs_f64())
}

fn durable_file(staged: &Path, path: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = File::create(staged)?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(staged, path)
}

fn written(folder: &Path, pattern: &Pattern) -> Result<f64> {
    let path = folder.join("large");
    let blob = pattern.blob();
    let began = Instant::now();
    let mut file = File::create(&path)?;
    blob.write(0, blob.size(), &mut file)?;
    file.sync_all()?;
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    Ok(megabytes(blob.size()) / seconds)
}

fn hashed() -> Result<f64> {
    let arguments = ["speed", "-mr", "-seconds", "1", "-bytes", "1048576", "-evp", "sha256"];
    parse_speed(&program::output("openssl", &arguments)?)
}

/// Reads the bytes a second from openssl's lines for machines.
fn parse_speed(text: &str) -> Result<f64> {
    let line = text.lines().find(|line| line.starts_with("+F:"));
    let rate = line.and_then(|line| line.rsplit(':').next()?.parse::<f64>().ok());
    Ok(rate.context("`openssl speed` names no rate")? / 1_000_000.0)
}

/// Sends bytes from one thread to another, which throws them away: what a pull can reach at the most.
pub(crate) fn looped(bytes: u64) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let reader = scope.spawn(move || discard(&receiver, bytes));
        send(&mut sender, bytes)?;
        reader.join().expect("a reader does not panic")
    })?;
    Ok(megabytes(bytes) / began.elapsed().as_secs_f64())
}

fn send(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    let buffer = vec![0; BUFFER_BYTES];
    let mut left = bytes;
    while left > 0 {
        let len = BUFFER_BYTES.min(usize::try_from(left).unwrap_or(BUFFER_BYTES));
        stream.write_all(&buffer[..len])?;
        left -= len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_read_in_megabytes() {
        let text = "+H:1048576\n+F:25:sha256:1863319552.00\n";
        assert_eq!(parse_speed(text).unwrap(), 1863.319552);
        assert!(parse_speed("+H:1048576\n").is_err());
    }

    #[test]
    fn what_goes_over_loopback_arrives() {
        assert!(looped(1 << 20).unwrap() > 0.0);
    }
}
