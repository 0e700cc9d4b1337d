//! A collection that lasts until it is let go on: nobody reads what it has to say first.

use std::{
    fs,
    io::{PipeReader, Read as _, Write as _, pipe},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    thread,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::signal::Signal,
};

use super::site::{COLLECT, Site};
use crate::supervise::{processes::Process, send};

/// The command, and the process that does its work and waits for somebody to read its list.
pub(super) struct Lasting {
    command: Child,
    said: PipeReader,
    pub(super) worker: Process,
}

impl Lasting {
    /// Starts a collection; returns when it has found out what is to go, and removed nothing.
    pub(super) fn start(site: &Site, arguments: &[&str]) -> Self {
        let (said, full) = pipe().unwrap();
        fill(&full);
        let mut command = site.instance.world.command(&[&[COLLECT], arguments].concat());
        let mut command = command.stdout(Stdio::from(full)).stderr(Stdio::piped()).spawn().unwrap();
        let mut worker = None;
        while worker.is_none() {
            if let Some(status) = command.try_wait().unwrap() {
                let mut text = String::new();
                command.stderr.take().unwrap().read_to_string(&mut text).unwrap();
                panic!("it ended with {status}: {text}");
            }
            worker = working(site).into_iter().find(writes);
            thread::yield_now();
        }
        Self { command, said, worker: worker.unwrap() }
    }

    pub(super) fn pid(&self) -> i32 {
        self.command.id().try_into().unwrap()
    }

    /// Sends the command alone a signal.
    pub(super) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Whether the process that does the work has ended.
    pub(super) fn is_over(&self, site: &Site) -> bool {
        !working(site).iter().any(|process| process.pid == self.worker.pid)
    }

    /// Reads all it says, and waits for its end; returns the exit code, or 128 and the signal, and all that it said.
    pub(super) fn finish(self) -> (i32, String) {
        let Self { mut command, mut said, worker: _ } = self;
        let reader = thread::spawn(move || {
            let mut listed = Vec::new();
            said.read_to_end(&mut listed).unwrap();
            // What the pipe was filled with stands before it.
            String::from_utf8_lossy(&listed).into_owned()
        });
        let mut text = String::new();
        command.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        let status = command.wait().unwrap();
        text.push_str(&reader.join().unwrap());
        (status.code().unwrap_or_else(|| 128 + status.signal().unwrap()), text)
    }
}

/// The processes that work on the storage of a site.
pub(super) fn working(site: &Site) -> Vec<Process> {
    let mut processes = site.instance.processes();
    processes.retain(|process| process.line.contains("__as-registry") && process.state != 'Z');
    processes
}

/// Whether one of its threads waits in a write to a pipe.
fn writes(process: &Process) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", process.pid)) else { return false };
    let place = |folder: fs::DirEntry| fs::read_to_string(folder.path().join("wchan"));
    let mut places = threads.filter_map(Result::ok).map(place);
    places.any(|place| place.is_ok_and(|place| place.contains("pipe_write")))
}

/// Writes until nothing more fits.
fn fill(mut pipe: &std::io::PipeWriter) {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while pipe.write(b"\n").is_ok() {}
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
}
