//! Which process is meant: a pid alone is used again, by another process or after a reboot.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    process,
};

use serde::{Deserialize, Serialize};

/// Longer than anything that the kernel says of one process and is read here.
const BYTES_MAX: u64 = 64 << 10;

/// One process of one boot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// When it started, in the kernel's ticks since the boot.
    pub(crate) start_time: u64,
    /// The boot that it belongs to.
    pub(crate) boot_id: String,
}

impl ProcessId {
    /// Returns this process.
    pub(crate) fn own() -> io::Result<Self> {
        Self::find(process::id())
    }

    fn find(pid: u32) -> io::Result<Self> {
        let stat = read(Path::new(&format!("/proc/{pid}/stat")))?;
        let start_time = start_time(&stat)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))?;
        let boot_id = read(Path::new("/proc/sys/kernel/random/boot_id"))?.trim().to_owned();
        Ok(Self { pid, start_time, boot_id })
    }

    /// Whether the process is still there. One that cannot be seen is not.
    pub(crate) fn is_alive(&self) -> bool {
        Self::find(self.pid).is_ok_and(|found| found == *self)
    }
}

/// Returns the processes that a process has started and that have not ended.
pub(crate) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = read(&thread?.path().join("children"))?;
        children
            .extend(text.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    Ok(children)
}

/// Returns the command line of a process, which a program may change to say what it does.
pub(crate) fn command_line(pid: u32) -> io::Result<String> {
    read(Path::new(&format!("/proc/{pid}/cmdline")))
}

/// Reads the 22nd field; the second, the program's name, stands in brackets and may hold anything.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start_time: own.start_time + 1, ..own.clone() }.is_alive());
        assert!(!ProcessId { boot_id: "another".to_owned(), ..own.clone() }.is_alive());
        assert!(!ProcessId { pid: u32::MAX, ..own }.is_alive());
    }

    #[test]
    fn children_are_listed_until_they_end() {
        let is_listed = |child: u32| children(process::id()).unwrap().contains(&child);
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(is_listed(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_listed(child.id()));
        assert!(command_line(process::id()).unwrap().contains("regctl"));
    }

    #[test]
    fn a_name_may_hold_brackets_and_blanks() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9";
        assert_eq!(start_time(stat), Some(1234));
        assert_eq!(start_time("7 (x) S 1"), None);
    }
}
