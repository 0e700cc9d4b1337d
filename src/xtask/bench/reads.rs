//! Small objects read by many connections, with wrk: answers a second, and how long the slowest of a hundred take.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{
    client::{Connection, Request},
    content::Pattern,
    load::SMALL_BYTES,
    pair::Pair,
    push::{self, MANIFEST_TYPE},
    rows,
    run::Bench,
    servers::{Server, Setup},
    stats::{Bar, Series},
    token,
};
use crate::sys::program;

const REPOSITORY: &str = "bench/small";
const TAGS: usize = 10_000;

/// How long an answer may take: a slow peer is slow, and not broken.
const PATIENCE: &str = "30s";

/// What wrk asks for.
#[derive(Debug)]
struct Target {
    path: String,
    digest: Option<String>,
    token: Option<String>,
}

impl Target {
    fn open(path: impl Into<String>, digest: Option<String>) -> Self {
        Self { path: path.into(), digest, token: None }
    }
}

/// What is read, and what that has to reach.
#[derive(Debug, Clone, Copy)]
struct Read<'a> {
    what: &'a str,
    auth: &'a str,
    bar: Bar,
    /// Whether the slowest answers have to keep up too.
    slowest: Option<Bar>,
}

pub(crate) fn manifest(bench: &mut Bench) -> Result<Vec<Series>> {
    let slowest = Some(rows::SLOWEST);
    let read = Read { what: "manifests by tag", auth: "", bar: rows::MANIFEST, slowest };
    asked(bench, read, |server| {
        let digest = push_image(server, None)?;
        Ok(Target::open(format!("/v2/{REPOSITORY}/manifests/latest"), Some(digest)))
    })
}

pub(crate) fn manifest_by_digest(bench: &mut Bench) -> Result<Vec<Series>> {
    let (bar, slowest) = (rows::MANIFEST_BY_DIGEST, Some(rows::SLOWEST));
    asked(bench, Read { what: "manifests by digest", auth: "", bar, slowest }, |server| {
        let digest = push_image(server, None)?;
        Ok(Target::open(format!("/v2/{REPOSITORY}/manifests/{digest}"), Some(digest)))
    })
}

pub(crate) fn manifest_with_token(bench: &mut Bench) -> Result<Vec<Series>> {
    let (config, token) = token::issue(bench.scratch.path(), REPOSITORY)?;
    let what = "manifests by tag, with a token,";
    let read = Read { what, auth: &config, bar: rows::MANIFEST_WITH_TOKEN, slowest: None };
    asked(bench, read, |server| {
        let digest = push_image(server, Some(&token))?;
        let target = Target::open(format!("/v2/{REPOSITORY}/manifests/latest"), Some(digest));
        Ok(Target { token: Some(token.clone()), ..target })
    })
}

pub(crate) fn blob(bench: &mut Bench) -> Result<Vec<Series>> {
    let slowest = Some(rows::SLOWEST);
    let read = Read { what: "4-KiB blobs", auth: "", bar: rows::BLOB, slowest };
    asked(bench, read, |server| {
        let pattern = Pattern::new(SMALL_BYTES);
        let blob = pattern.blob();
        push::monolithic(&mut server.connect()?, REPOSITORY, &blob)?;
        Ok(Target::open(format!("/v2/{REPOSITORY}/blobs/{}", blob.digest), Some(blob.digest)))
    })
}

pub(crate) fn tags(bench: &mut Bench) -> Result<Vec<Series>> {
    let what = format!("lists of {TAGS} tags");
    let read = Read { what: &what, auth: "", bar: rows::TAGS, slowest: None };
    asked(bench, read, |server| {
        let digest = push_image(server, None)?;
        write_tags(&server.storage().join("repositories").join(REPOSITORY), &digest)?;
        let target = Target::open(format!("/v2/{REPOSITORY}/tags/list"), None);
        let (_, body) = server.connect()?.call(Request::new("GET", &target.path), &[], 200)?;
        let list: serde_json::Value = serde_json::from_slice(&body)?;
        let listed = list["tags"].as_array().map_or(0, Vec::len);
        // The one that was pushed is listed too.
        ensure!(listed == TAGS + 1, "{listed} tags are listed");
        Ok(target)
    })
}

/// Writes tags as a registry does: to push them would take minutes.
fn write_tags(repository: &Path, digest: &str) -> Result<()> {
    for number in 0..TAGS {
        let folder = repository.join(format!("_manifests/tags/v{number:05}/current"));
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        // Durability is not what is measured.
        File::create(folder.join("link"))?.write_all(digest.as_bytes())?;
    }
    Ok(())
}

pub(crate) fn ping(bench: &mut Bench) -> Result<Vec<Series>> {
    let read = Read { what: "`/v2/`", auth: "", bar: rows::PING, slowest: None };
    asked(bench, read, |_server| Ok(Target::open("/v2/", None)))
}

fn asked(
    bench: &mut Bench,
    read: Read<'_>,
    prepare: impl Fn(&Server) -> Result<Target>,
) -> Result<Vec<Series>> {
    let servers = bench.start_both(Setup { auth: read.auth, ..Setup::default() })?;
    let targets = Pair::make(|side| prepare(servers.of(side)))?;
    let [rate, slowest] = bench.turns(|side| {
        let (server, target) = (servers.of(side), targets.of(side));
        if let Some(digest) = &target.digest {
            let mut connection = server.connect()?.authorized(target.token.as_deref());
            push::pull(&mut connection, &target.path, digest, |_part| ())?;
        }
        let answered = wrk(server, target, bench.scale.window)?;
        Ok([answered.rate, answered.slowest])
    })?;
    bench.retire(servers)?;
    let title = format!("{} read a second, 64 connections", read.what);
    let mut lines = vec![Series { title, samples: rate, bar: Some(read.bar) }];
    if let Some(bar) = read.slowest {
        let title = format!("{}, 99 of 100 within, ms", read.what);
        lines.push(Series { title, samples: slowest, bar: Some(bar) });
    }
    Ok(lines)
}

/// Pushes the smallest image under the tag `latest`, and returns its manifest's digest.
fn push_image(server: &Server, token: Option<&str>) -> Result<String> {
    let mut connection = server.connect()?.authorized(token);
    push_image_to(&mut connection, REPOSITORY, &Pattern::new(SMALL_BYTES))
}

/// Pushes an image of one small layer as `latest`, and returns its digest.
pub(super) fn push_image_to(
    connection: &mut Connection,
    repository: &str,
    pattern: &Pattern,
) -> Result<String> {
    let (config, layer) = (pattern.blob(), pattern.blob());
    for blob in [&config, &layer] {
        push::monolithic(connection, repository, blob)?;
    }
    let descriptor = |media_type: &str, digest: &str| json!({ "mediaType": media_type, "size": SMALL_BYTES, "digest": digest });
    let config_type = "application/vnd.docker.container.image.v1+json";
    let layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(config_type, &config.digest),
        "layers": [descriptor(layer_type, &layer.digest)],
    });
    push::manifest(connection, repository, "latest", manifest.to_string().as_bytes())
}

/// What wrk says of one window.
#[derive(Debug, PartialEq)]
struct Answered {
    /// Answers a second.
    rate: f64,
    /// The milliseconds that 99 answers of 100 take at the most.
    slowest: f64,
}

fn wrk(server: &Server, target: &Target, window: Duration) -> Result<Answered> {
    let url = format!("http://{}{}", server.address, target.path);
    let duration = format!("-d{}s", window.as_secs());
    let accept = format!("Accept: {MANIFEST_TYPE}");
    let mut arguments =
        vec!["-t2", "-c64", "--latency", "--timeout", PATIENCE, &duration, "-H", &accept];
    let token = target.token.as_ref().map(|token| format!("Authorization: Bearer {token}"));
    arguments.extend(token.iter().flat_map(|header| ["-H", header]));
    arguments.push(&url);
    parse_wrk(&program::output("wrk", &arguments)?)
}

fn parse_wrk(text: &str) -> Result<Answered> {
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
    let slowest = line("99%").and_then(milliseconds).context("`wrk` names no latencies")?;
    Ok(Answered { rate, slowest })
}

/// Reads a time as wrk writes it: `730.00us`, `1.25ms`, `1.02s`, `1.20m`.
fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

fn total(text: &str) -> &str {
    text.lines().find_map(|line| line.split_once(" requests in ")).map_or("all", |(n, _)| n.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 1s test @ http://127.0.0.1:1/v2/\n  2 threads and 64 connections\n\
        \x20 Latency Distribution\n     50%    1.00ms\n     99%  730.00us\n\
        \x20 9000 requests in 1.00s, 2.00MB read\nRequests/sec:   9000.50\nTransfer/sec:      2.00MB\n";

    #[test]
    fn rate_and_latency_are_read_from_wrk() {
        assert_eq!(parse_wrk(GOOD).unwrap(), Answered { rate: 9000.5, slowest: 0.73 });
    }

    #[test]
    fn a_run_with_errors_has_no_rate() {
        let refused = GOOD.replace("Requests/sec", "  Non-2xx or 3xx responses: 12\nRequests/sec");
        let error = parse_wrk(&refused).unwrap_err().to_string();
        assert_eq!(error, "12 answers of 9000 were errors");
        let broken = format!("  Socket errors: connect 0, read 3, write 0, timeout 0\n{GOOD}");
        assert!(parse_wrk(&broken).unwrap_err().to_string().contains("read 3"));
        let silent = GOOD.replace("99%", "98%");
        assert_eq!(parse_wrk(&silent).unwrap_err().to_string(), "`wrk` names no latencies");
        assert!(parse_wrk("").is_err());
        assert!(parse_wrk("Requests/sec:      0.00\n").is_err());
    }

    #[test]
    fn times_are_read_in_every_unit() {
        for (text, expected) in [
            ("  2.50us", Some(0.0025)),
            ("1.25ms", Some(1.25)),
            ("1.02s", Some(1020.0)),
            ("1.5m", Some(90_000.0)),
            ("1.5", None),
            ("1h", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
