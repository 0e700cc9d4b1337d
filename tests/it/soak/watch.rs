//! What the registry's process takes, seen all the time: its memory, and what it has open.

use std::{
    fmt, fs,
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::site::{self, Site};

const INTERVAL: Duration = Duration::from_millis(200);

/// The windows whose medians are compared, in hundredths of a process's time: what comes before is its warming up, in which what
/// is remembered of leases, uploads and folders comes near its bounds and every thread has got its memory.
const EARLY: (usize, usize) = (50, 75);
const LATE: (usize, usize) = (75, 100);

/// How many lines a curve is shown in.
const LINES: usize = 24;

/// One look: which process, its memory in KiB, its open files.
type Look = (u64, usize, usize);

/// The looks at the last process of a run.
pub(super) struct Curve {
    looks: Vec<(Duration, Look)>,
}

/// Looks until told to end.
pub(super) struct Watch {
    thread: JoinHandle<Vec<(Duration, Look)>>,
    end: Sender<()>,
}

impl Watch {
    pub(super) fn start(site: &Site) -> Self {
        let (end, is_over) = mpsc::channel();
        let (supervisor, began) = (site.supervisor(), Instant::now());
        let thread = thread::spawn(move || {
            let mut looks = Vec::new();
            while is_over.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // Between two processes there is none to look at.
                looks.extend(look_at(&supervisor).map(|look| (began.elapsed(), look)));
            }
            looks
        });
        Self { thread, end }
    }

    pub(super) fn end(self) -> Curve {
        drop(self.end);
        let looks = self.thread.join().unwrap();
        let last = looks.last().map(|(_, (pid, ..))| *pid);
        Curve { looks: looks.into_iter().filter(|(_, (pid, ..))| Some(*pid) == last).collect() }
    }
}

impl Curve {
    /// The medians of memory early and late.
    pub(super) fn memory(&self) -> (usize, usize) {
        self.medians(|(_, memory, _)| *memory)
    }

    /// The medians of open files early and late.
    pub(super) fn descriptors(&self) -> (usize, usize) {
        self.medians(|(_, _, open)| *open)
    }

    fn medians(&self, value: impl Fn(&Look) -> usize) -> (usize, usize) {
        let median = |(from, to): (usize, usize)| {
            let count = self.looks.len();
            let window = &self.looks[count * from / 100..count * to / 100];
            let mut values: Vec<usize> = window.iter().map(|(_, look)| value(look)).collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        (median(EARLY), median(LATE))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.looks.len().div_ceil(LINES).max(1);
        for (elapsed, (pid, memory, open)) in self.looks.iter().step_by(step) {
            writeln!(f, "{:4} s  pid {pid}  {memory:7} KiB  {open:4} open", elapsed.as_secs())?;
        }
        let ((early, late), (few, many)) = (self.memory(), self.descriptors());
        write!(f, "medians: {early} KiB, then {late} KiB; {few} open, then {many} open")
    }
}

/// Looks once at a registry that runs.
pub(super) fn look(site: &Site) -> Look {
    look_at(&site.supervisor()).unwrap()
}

fn look_at(supervisor: &PathBuf) -> Option<Look> {
    let pid = site::pid(supervisor, "registry")?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some((pid, line.trim_end_matches("kB").trim().parse().ok()?, open))
}
