//! A daemon that is not ours: from the line of its log that says it is ready to its end, with its mounts gone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::program;

/// How long a daemon may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(30);

/// How long a daemon may say nothing while it starts.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon that keeps all it has in one folder; stopped, and the folder unmounted, when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Option<Child>,
    folder: PathBuf,
}

impl Daemon {
    /// Starts a daemon and returns when its log on stderr says `ready`.
    pub(crate) fn start(command: &mut Command, folder: &Path, ready: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::follow(child.stderr.take().unwrap());
        // From here on a panic stops the daemon.
        let daemon = Self { child: Some(child), folder: folder.to_owned() };
        log.wait_for(ready);
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            stop(child);
        }
        for mount in mounts_below(&self.folder) {
            // It may have been unmounted with the one above it.
            let _ = program::program("umount", &["--lazy"]).arg(mount).output();
        }
    }
}

/// Asks the daemon to end, and ends it if it does not.
fn stop(mut child: Child) {
    let Ok(raw) = child.id().try_into() else { return };
    let pid = Pid::from_raw(raw);
    let _ = kill(pid, Signal::SIGTERM);
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let _ = child.wait();
        // Nobody listens any more if the grace is over.
        let _ = ended.send(());
    });
    if end.recv_timeout(GRACE).is_err() {
        let _ = kill(pid, Signal::SIGKILL);
    }
    let _ = waiter.join();
}

/// What a daemon says, read all the time, so that it never waits for a reader.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Receiver<String>,
}

impl Log {
    /// Reads a pipe to its end in a thread of its own.
    pub(crate) fn follow(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                // Nobody listens any more once the daemon is ready.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        });
        Self { lines }
    }

    /// Returns the next line that has these words.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        let mut seen = String::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no `{words}`: {error}:\n{seen}"));
            if line.contains(words) {
                return line;
            }
            seen.push_str(&line);
        }
    }
}

/// Returns what is mounted in a folder, the innermost first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut mounts: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|mount| mount.starts_with(folder))
        .collect();
    mounts.sort();
    mounts.reverse();
    mounts
}
