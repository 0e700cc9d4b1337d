//! A server in its own process, from its readiness line to its end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Ran;

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Option<Child>,
    root: PathBuf,
    /// What it said until it listened.
    pub(crate) greeting: String,
    rest: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts a command and waits for a line on stderr that begins with `listening on`.
    pub(crate) fn start(mut command: Command, root: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut greeting = String::new();
        loop {
            let start = greeting.len();
            if stderr.read_line(&mut greeting).unwrap() == 0 {
                let _ = child.wait();
                panic!("the server ended before it listened:\n{greeting}");
            }
            if greeting[start..].starts_with("listening on") {
                break;
            }
        }
        let rest = thread::spawn(move || {
            let mut rest = String::new();
            // The process may be killed in the middle of a character.
            let _ = stderr.read_to_string(&mut rest);
            rest
        });
        let greeting = greeting.replace(root.to_str().unwrap(), "[ROOT]");
        Self { child: Some(child), root: root.to_owned(), greeting, rest: Some(rest) }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop(mut self, signal: Signal) -> Ran {
        let child = self.child.take().unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let Output { status, stdout, .. } = child.wait_with_output().unwrap();
        let rest = self.rest.take().unwrap().join().unwrap();
        Ran::new(Output { status, stdout, stderr: rest.into_bytes() }, &self.root)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
