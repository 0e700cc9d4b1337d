//! The rows of a run by name, in the order in which they are measured, and the bars of those that have one.

use std::fs;

use anyhow::{Context, Result};

use super::{
    bare, collect, far, fsync, limits, load, migrate, nginx, online,
    pair::Pair,
    parallel, reads,
    run::Bench,
    startup,
    stats::{Bar, Sample, Series},
    transfer,
};

/// Something that can be measured by itself; it may fill several lines of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&mut Bench) -> Result<Vec<Series>>,
}

pub(crate) const ALL: &[Row] = &[
    Row { name: "start", measure: startup::start },
    Row { name: "idle-rss", measure: startup::idle },
    Row { name: "push", measure: transfer::push },
    Row { name: "push-bare", measure: bare::push },
    Row { name: "push-chunked", measure: transfer::push_chunked },
    Row { name: "push-parallel", measure: parallel::push },
    Row { name: "pull", measure: transfer::pull },
    Row { name: BY_OTHERS, measure: nginx::pull },
    Row { name: "push-small", measure: load::push_small },
    Row { name: "manifest", measure: reads::manifest },
    Row { name: "manifest-digest", measure: reads::manifest_by_digest },
    Row { name: "manifest-token", measure: reads::manifest_with_token },
    Row { name: "blob", measure: reads::blob },
    Row { name: "tags", measure: reads::tags },
    Row { name: "ping", measure: reads::ping },
    Row { name: "gc-dry", measure: collect::dry },
    Row { name: "gc-dry-again", measure: collect::dry_again },
    Row { name: "gc", measure: collect::sweep },
    Row { name: "gc-wide", measure: collect::wide },
    Row { name: "gc-beside", measure: online::beside },
    Row { name: "gc-curve", measure: collect::curve },
    Row { name: "gc-bucket", measure: far::dry },
    Row { name: "migrate", measure: migrate::copy },
    Row { name: "fsync", measure: fsync::calls },
    Row { name: "size", measure: size },
    Row { name: "limits", measure: limits::measure },
];

/// The row in which a web server serves the files of a run, and as root does so as another user.
pub(crate) const BY_OTHERS: &str = "pull-nginx";

/// The rows that need a store that speaks S3, and a program that copies files there.
pub(crate) const WITH_BUCKET: [&str; 2] = ["gc-bucket", "migrate"];

pub(crate) const START: Bar = Bar::AtMost(0.5);
pub(crate) const IDLE_RSS: Bar = Bar::AtMost(0.6);
pub(crate) const PUSH: Bar = Bar::AtLeast(1.5);
pub(crate) const PUSH_BARE: Bar = Bar::AtLeast(0.9);
pub(crate) const PUSH_CHUNKED: Bar = Bar::AtLeast(1.7);
pub(crate) const PUSH_PARALLEL: Bar = Bar::AtLeast(1.5);
pub(crate) const PUSH_PARALLEL_RSS: Bar = Bar::OursAtMost(128.0);
pub(crate) const PULL: f64 = 1.1;
pub(crate) const PULL_OF_LOOPBACK: f64 = 0.95;
pub(crate) const PULL_CPU: Bar = Bar::AtMost(0.5);
pub(crate) const PULL_NGINX: Bar = Bar::AtLeast(0.95);
pub(crate) const PUSH_SMALL: Bar = Bar::AtLeast(4.0);
pub(crate) const MANIFEST: Bar = Bar::AtLeast(12.0);
pub(crate) const MANIFEST_BY_DIGEST: Bar = Bar::AtLeast(14.0);
pub(crate) const MANIFEST_WITH_TOKEN: Bar = Bar::AtLeast(10.0);
pub(crate) const BLOB: Bar = Bar::AtLeast(20.0);
pub(crate) const TAGS: Bar = Bar::AtLeast(10.0);
pub(crate) const PING: Bar = Bar::AtLeast(30.0);
pub(crate) const GC_DRY: Bar = Bar::AtLeast(40.0);
pub(crate) const GC_DRY_AGAIN: Bar = Bar::AtLeast(100.0);
/// Beside the peer, or else beside the bare removal of the same files.
pub(crate) const GC: (f64, f64) = (25.0, 0.77);
pub(crate) const GC_WIDE: Bar = Bar::AtLeast(100.0);
/// 50 times as fast.
pub(crate) const GC_FAR: Bar = Bar::AtMost(0.02);
/// Pushers beside a collection, and the same without one.
pub(crate) const GC_BESIDE: Bar = Bar::AtLeast(0.8);
pub(crate) const GC_BESIDE_SLOWEST: Bar = Bar::AtMost(2.0);
pub(crate) const GC_RSS: Bar = Bar::AtMost(0.25);
/// 1.3 times as fast as the peer.
pub(crate) const MIGRATE: Bar = Bar::AtMost(0.77);
pub(crate) const SLOWEST: Bar = Bar::AtMost(0.25);
pub(crate) const PEAK_RSS: Bar = Bar::AtMost(0.5);

pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|row| row.name).collect()
}

/// The size of the two programs on disk, as they are installed.
fn size(bench: &mut Bench) -> Result<Vec<Series>> {
    let samples = Pair::make(|side| {
        let path = &bench.programs.of(side).file;
        let file = fs::metadata(path);
        let bytes = file.with_context(|| format!("failed to read `{}`", path.display()))?.len();
        single(megabytes(bytes))
    })?;
    Ok(vec![Series { title: "size of the program, MB".to_owned(), samples, bar: None }])
}

/// Makes the sample of a value that is measured once.
pub(crate) fn single(value: f64) -> Result<Sample> {
    Sample::new(vec![value]).context("a measurement is no number")
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts here are far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    float(bytes) / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let distinct: BTreeSet<_> = names().into_iter().collect();
        assert_eq!(distinct.len(), ALL.len());
        assert!(distinct.iter().all(|name| !name.starts_with('-')));
    }

    #[test]
    fn a_megabyte_is_a_million_bytes() {
        assert_eq!(megabytes(1_500_000), 1.5);
    }
}
