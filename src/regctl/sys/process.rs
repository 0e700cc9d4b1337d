//! Which process is meant: a pid alone is used again, by another process or after a reboot.

use std::{fs::File, io, io::Read as _, path::Path, process};

use serde::{Deserialize, Serialize};

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

/// Reads the 22nd field; the second, the program's name, stands in brackets and may hold anything.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(4096).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
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
    fn a_name_may_hold_brackets_and_blanks() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9";
        assert_eq!(start_time(stat), Some(1234));
        assert_eq!(start_time("7 (x) S 1"), None);
    }
}
