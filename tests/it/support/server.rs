//! A server in its own process, from its readiness line to its end.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
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
    /// Both are read all the time: a pipe that is full stops whoever writes to it.
    stdout: Option<JoinHandle<String>>,
    rest: Option<JoinHandle<String>>,
    /// What it has said on stderr since it listened.
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a command and waits for a line on stderr that begins with `listening on`.
    pub(crate) fn start(mut command: Command, root: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Some(drain(child.stdout.take().unwrap()));
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
        let said = Arc::new(Mutex::new(String::new()));
        let rest = Some(listen(stderr, Arc::clone(&said)));
        let greeting = greeting.replace(root.to_str().unwrap(), "[ROOT]");
        Self { child: Some(child), root: root.to_owned(), greeting, stdout, rest, said }
    }

    /// Returns what it has said on stderr so far, after its greeting.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop(self, signal: Signal) -> Ran {
        self.signal(signal);
        self.wait()
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Ran {
        let mut child = self.child.take().unwrap();
        let status = child.wait().unwrap();
        let [stdout, stderr] = [self.stdout.take(), self.rest.take()]
            .map(|reader| reader.unwrap().join().unwrap().into_bytes());
        Ran::new(Output { status, stdout, stderr }, &self.root)
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

/// Reads to the end in a thread of its own, and keeps each line where it can be seen at once.
fn listen(mut pipe: impl BufRead + Send + 'static, said: Arc<Mutex<String>>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            said.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        said.lock().unwrap().clone()
    })
}

/// Reads to the end in a thread of its own.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // The process may be killed in the middle of a character.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
