//! The machine of a run, in the words that decide whether numbers can be compared.

use std::{fmt, path::Path, thread};

use anyhow::{Context, Result};

use crate::sys::{file, program, terminal};

/// Above this, what else runs on the machine is in the numbers.
const QUIET_LOAD: f64 = 0.5;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) filesystem: String,
    pub(crate) load: f64,
    pub(crate) peer: String,
    pub(crate) date: String,
}

impl Machine {
    /// Describes this machine and the disk that holds `folder`.
    pub(crate) fn describe(folder: &Path) -> Result<Self> {
        let path = folder.display().to_string();
        let load = load(&file::read("/proc/loadavg")?).context("`/proc/loadavg` has no load")?;
        if load > QUIET_LOAD {
            terminal::talk(&format!(
                "the load of this machine is {load}: the numbers will show it"
            ));
        }
        Ok(Self {
            cores: thread::available_parallelism().context("failed to count the cores")?.get(),
            model: model(&file::read("/proc/cpuinfo")?),
            memory_gib: memory_gib(&file::read("/proc/meminfo")?),
            kernel: file::read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            filesystem: last_line(&program::output("df", &["--output=fstype", &path])?),
            load,
            peer: last_line(&program::output("docker-registry", &["--version"])?),
            date: last_line(&program::output("date", &["-u", "+%F"])?),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, model, memory_gib, kernel, filesystem, load, peer, date } = self;
        writeln!(f, "- Machine: {cores} cores of {model}, {memory_gib} GiB of memory")?;
        writeln!(f, "- System: Linux {kernel}, {filesystem}; load before the run {load}")?;
        writeln!(f, "- Peer: `{peer}`")?;
        write!(f, "- Date: {date}")
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().to_owned()
}

fn load(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    // Some architectures name no model.
    name.unwrap_or("an unnamed model").to_owned()
}

fn memory_gib(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 =
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kibibytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_described_from_the_files_of_the_kernel() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz\n"), "Fast CPU @ 2 GHz");
        assert_eq!(model("processor\t: 0\n"), "an unnamed model");
        assert_eq!(memory_gib("MemTotal:       24600000 kB\n"), 24);
        assert_eq!(load("0.25 0.10 0.05 1/100 4242\n"), Some(0.25));
    }
}
