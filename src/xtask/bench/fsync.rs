//! How often a registry waits for the disk, counted by strace. What a server calls at its start and end is counted in a
//! run without pushes and taken off.

use anyhow::{Context, Result};

use super::{
    content::Pattern,
    load::{CLIENTS, SMALL_BYTES, push_from},
    pair::{Pair, Side},
    rows::{float, single},
    run::Bench,
    servers::Setup,
    stats::Series,
};
use crate::sys::{file, process, terminal};

const CALLS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "syncfs"];
const SMALL_PUSHES: u64 = 160;

/// Pushes of one size from some clients.
#[derive(Debug, Clone, Copy)]
struct Load {
    bytes: u64,
    clients: u64,
    pushes: u64,
}

pub(crate) fn calls(bench: &mut Bench) -> Result<Vec<Series>> {
    let large = bench.scale.large();
    let small = Load { bytes: SMALL_BYTES, clients: 1, pushes: SMALL_PUSHES };
    let loads = [
        ("4-KiB push, one client".to_owned(), small),
        (format!("4-KiB push, {CLIENTS} clients"), Load { clients: CLIENTS, ..small }),
        (format!("{large} push"), Load { bytes: bench.scale.large_bytes, clients: 1, pushes: 1 }),
    ];
    let idle = Pair::make(|side| count(bench, side, None))?;
    let mut series = Vec::new();
    for (what, load) in loads {
        let samples = Pair::make(|side| {
            let calls = count(bench, side, Some(load))?.saturating_sub(*idle.of(side));
            single(float(calls) / float(load.pushes))
        })?;
        let title = format!("fsync calls for a {what}");
        terminal::talk(&format!("  {title}: ours {}, peer {}", samples.ours, samples.peer));
        series.push(Series { title, samples, bar: None });
    }
    Ok(series)
}

fn count(bench: &Bench, side: Side, load: Option<Load>) -> Result<u64> {
    let summary = bench.scratch.path().join("strace");
    let path = summary.display().to_string();
    let trace = format!("trace={}", CALLS.join(","));
    // With a filter in the kernel, only the counted calls are stopped at.
    let wrapper = ["strace", "-f", "--seccomp-bpf", "-qq", "-c", "-e", &trace, "-o", &path];
    let server = bench.start(side, Setup { wrapper: &wrapper, ..Setup::default() })?;
    if let Some(Load { bytes, clients, pushes }) = load {
        push_from(&server, &Pattern::new(bytes), clients, |begun| begun >= pushes)?;
    }
    let traced = process::children(server.pid())?.first().copied();
    server.stop(traced.context("`strace` has no child")?)?;
    parse(&file::read(&summary)?)
}

/// Adds up the calls in strace's summary.
fn parse(summary: &str) -> Result<u64> {
    let mut calls = 0;
    for line in summary.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, count, .., name] = words.as_slice() else { continue };
        if CALLS.contains(name) {
            let count: u64 = count.parse().with_context(|| format!("`{line}` has no count"))?;
            calls += count;
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_all_kinds_are_added_and_the_total_is_not() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 70.00    0.000200          20        10           fsync
 30.00    0.000100          25         4         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.000300          21        14         1 total
";
        assert_eq!(parse(summary).unwrap(), 14);
        assert_eq!(parse("").unwrap(), 0);
    }
}
