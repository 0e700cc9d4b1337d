//! What a process says of itself in its lease: what it does with the bucket, and by what it is found.
//!
//! ```text
//! regctl lease 1
//! using writes
//! host node-1
//! pid 4711
//! since 1795424400
//! boot 1e7b1a8f-3f0c-4b0a-9f0e-7f1f5a2d9c11
//! processes pid:[4026531836]
//! started 184467
//! ```
//!
//! The last three tell a process from all others on its machine, so that who runs there too sees at once that it is
//! gone. Elsewhere only its lease's age says so.

use std::{
    fmt::{self, Write as _},
    fs, process,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
    system::uname,
};

const MAGIC: &str = "regctl lease 1";

/// More than any lease takes.
pub(super) const LEASE_BYTES: usize = 4096;

/// What a process does with a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Using {
    /// It serves it, and may write.
    Writes,
    /// It serves it, and nothing is written.
    Reads,
    /// It removes what nothing needs, and nobody may write meanwhile.
    Collects,
    /// It removes from it, and nobody else may even serve it.
    Alone,
    /// It copies a registry into it, and nobody else may even serve it.
    Fills,
    /// It serves it, and removes what nothing needs beside what it writes itself; nobody else may write.
    Sweeps,
}

impl Using {
    const ALL: [Self; 6] =
        [Self::Writes, Self::Reads, Self::Collects, Self::Alone, Self::Fills, Self::Sweeps];

    fn as_str(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Reads => "reads",
            Self::Collects => "collects",
            Self::Alone => "alone",
            Self::Fills => "fills",
            Self::Sweeps => "sweeps",
        }
    }

    /// Whether who does this deletes what somebody may push again.
    pub(super) fn deletes(self) -> bool {
        matches!(self, Self::Collects | Self::Alone | Self::Sweeps)
    }

    /// Whether who does this has to keep away while somebody else does that.
    pub(super) fn yields_to(self, other: Self) -> bool {
        match self {
            Self::Writes => {
                matches!(other, Self::Collects | Self::Alone | Self::Fills | Self::Sweeps)
            }
            Self::Reads => false,
            Self::Collects | Self::Sweeps => other != Self::Reads,
            Self::Alone | Self::Fills => true,
        }
    }
}

/// A process that uses a bucket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Holder {
    pub(super) using: Using,
    host: String,
    pid: i32,
    /// Seconds since 1970, by its own clock.
    since: u64,
    here: Here,
}

/// By what a process is found on its machine. Empty where the machine does not say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Here {
    boot: String,
    processes: String,
    started: String,
}

impl Holder {
    /// This process.
    pub(super) fn this(using: Using) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let name = uname();
        let host = name.nodename().to_string_lossy();
        let host = host.chars().filter(|it| it.is_ascii_graphic()).collect();
        let pid = i32::try_from(process::id()).unwrap_or_default();
        Self { using, host, pid, since, here: Here::of_this_process() }
    }

    /// One of which nothing is known: it is taken to do anything.
    pub(super) fn unknown() -> Self {
        Self { using: Using::Writes, host: "?".to_owned(), pid: 0, since: 0, here: Here::default() }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let Self { using, host, pid, since, here: Here { boot, processes, started } } = self;
        let mut lines = format!("{MAGIC}\nusing {}\n", using.as_str());
        // A text takes whatever is written to it.
        let _ = write!(
            lines,
            "host {host}\npid {pid}\nsince {since}\nboot {boot}\nprocesses {processes}\nstarted {started}\n"
        );
        lines.into()
    }

    /// Reads a lease; none if the bytes are no such thing.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let using = value("using")?;
        let using = Using::ALL.into_iter().find(|known| known.as_str() == using)?;
        let host = value("host")?.to_owned();
        let pid = value("pid")?.parse().ok()?;
        let since = value("since")?.parse().ok()?;
        let mut value = |name| value(name).map(str::to_owned);
        let (boot, processes, started) = (value("boot")?, value("processes")?, value("started")?);
        Some(Self { using, host, pid, since, here: Here { boot, processes, started } })
    }

    /// Whether it ran on this machine, and does no more. That it is gone elsewhere nobody can see.
    pub(super) fn is_gone(&self) -> bool {
        let ours = Here::of_this_process();
        let is_here = !ours.boot.is_empty()
            && !ours.processes.is_empty()
            && self.here.boot == ours.boot
            && self.here.processes == ours.processes;
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| is_here) else { return false };
        match test_kill_process(pid) {
            Err(Errno::SRCH) => true,
            // Another one may have its number by now.
            _ => started(&format!("/proc/{}/stat", self.pid))
                .is_some_and(|started| started != self.here.started),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { using, host, pid, since, .. } = self;
        let what = match using {
            Using::Writes => "a registry serves it",
            Using::Reads => "a read-only registry serves it",
            Using::Collects => "a collection of a read-only registry is at work",
            Using::Alone => "a collection or another change is at work",
            Using::Fills => "a registry is copied into it",
            Using::Sweeps => "a registry that serves it is being collected",
        };
        let since = i64::try_from(*since).unwrap_or_default();
        let since = DateTime::from_secs(since).fmt(DateTimeFormat::DateTime).unwrap_or_default();
        write!(f, "{what}: host `{host}`, pid {pid}, since {since}")
    }
}

impl Here {
    fn of_this_process() -> Self {
        let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let processes = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            boot: String::from_utf8_lossy(&boot).trim().to_owned(),
            processes: processes.to_string_lossy().into_owned(),
            started: started("/proc/self/stat").unwrap_or_default(),
        }
    }
}

/// When a process was started, in the kernel's own count.
fn started(stat: &str) -> Option<String> {
    let stat = String::from_utf8_lossy(&fs::read(stat).ok()?).into_owned();
    // The name of the program stands in parentheses, and may hold any others.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for using in Using::ALL {
            let holder = Holder::this(using);
            assert_eq!(Holder::parse(&holder.to_bytes()), Some(holder));
        }
        let bytes = Holder::this(Using::Alone).to_bytes();
        let text = str::from_utf8(&bytes).unwrap();
        for broken in [
            String::new(),
            text.replace("regctl lease 1", "regctl lease 2"),
            text.replace("alone", "something"),
            text.lines().take(5).collect::<Vec<_>>().join("\n"),
        ] {
            assert_eq!(Holder::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn only_a_process_of_this_machine_is_known_to_be_gone() {
        let this = Holder::this(Using::Writes);
        assert!(!this.is_gone());
        let mut child = process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert!(Holder { pid, ..this.clone() }.is_gone());
        let here = Here { started: "0".to_owned(), ..this.here.clone() };
        assert!(Holder { here, ..this.clone() }.is_gone());
        let here = Here { boot: "another".to_owned(), ..this.here.clone() };
        assert!(!Holder { here, pid, ..this }.is_gone());
        assert!(!Holder::unknown().is_gone());
    }

    #[test]
    fn who_may_write_and_who_may_collect_keep_away_from_each_other() {
        use Using::{Alone, Collects, Fills, Reads, Sweeps, Writes};
        for (one, other) in [
            (Writes, Collects),
            (Writes, Alone),
            (Collects, Alone),
            (Alone, Alone),
            (Collects, Collects),
            (Sweeps, Writes),
            (Sweeps, Collects),
            (Sweeps, Alone),
            (Sweeps, Fills),
            (Sweeps, Sweeps),
        ] {
            assert!(one.yields_to(other) && other.yields_to(one), "{one:?} {other:?}");
        }
        assert!(!Writes.yields_to(Writes) && !Writes.yields_to(Reads) && !Reads.yields_to(Alone));
        assert!(!Collects.yields_to(Reads) && Alone.yields_to(Reads));
        assert!(!Sweeps.yields_to(Reads) && !Reads.yields_to(Sweeps));
        assert!(Sweeps.deletes() && !Writes.deletes());
    }
}
