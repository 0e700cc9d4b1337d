//! What the kernel says about a running process, and asking one to end. Signals go through the shell's `kill`, so that
//! this crate needs no binding to libc.

use std::{fs, os::unix::fs::MetadataExt};

use anyhow::{Context, Result};

use super::{file, program};

/// The unit of the times in `/proc/PID/stat`: 100 a second on every Linux that Debian builds.
const TICKS_PER_SECOND: f64 = 100.0;
const BYTES_PER_MEGABYTE: f64 = 1_000_000.0;

/// Tells whether this process has root's rights.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0)
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) -> Result<()> {
    program::output("sh", &["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()]).map(|_nothing| ())
}

/// The memory a process holds, in MB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/status");
    parse_memory(&file::read(&path)?).with_context(|| format!("`{path}` has no VmRSS or VmHWM"))
}

/// Returns the seconds of processor time that a process has used, in its own code and in the kernel.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    parse_cpu_seconds(&file::read(&path)?).with_context(|| format!("`{path}` has no times"))
}

/// Returns the children of a process.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>> {
    let text = file::read(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|child| child.parse().ok()).collect())
}

fn parse_memory(status: &str) -> Option<Memory> {
    let megabytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024.0 / BYTES_PER_MEGABYTE)
    };
    Some(Memory { resident: megabytes("VmRSS:")?, peak: megabytes("VmHWM:")? })
}

fn parse_cpu_seconds(stat: &str) -> Option<f64> {
    // The command's name stands in parentheses and may hold spaces; what follows the last one is fields.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_megabytes() {
        let status = "Name:\tregctl\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n";
        assert_eq!(parse_memory(status), Some(Memory { resident: 1.024, peak: 2.048 }));
        assert_eq!(parse_memory("Name:\tregctl\n"), None);
    }

    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_times() {
        let stat = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(parse_cpu_seconds(stat), Some(2.0));
        assert_eq!(parse_cpu_seconds("12 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_has_memory_and_times() {
        let own = std::process::id();
        assert!(memory(own).unwrap().peak >= memory(own).unwrap().resident * 0.5);
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert!(children(own).is_ok());
    }
}
