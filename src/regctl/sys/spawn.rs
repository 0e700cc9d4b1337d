//! Child processes: made with the descriptors, the group and the signals that a service is meant to have, and
//! reaped by whoever made them.
//!
//! A child is this program again, under a hidden command, so that what must happen between fork and exec
//! happens after exec instead, in safe code.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::{self, PipeReader, PipeWriter},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use command_fds::{CommandFdExt as _, FdMapping};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// The first descriptor that is passed on, as systemd counts them.
const FIRST_DESCRIPTOR: i32 = 3;

/// Where a child's output goes.
#[derive(Debug)]
pub(crate) enum Output {
    /// Both streams.
    Pipe(PipeWriter),
    /// What it answers; what it says beside that goes where this process says such things.
    Answer(PipeWriter),
    /// Where this process writes.
    Inherited,
}

/// A process in the making.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<String, String>,
    /// None: nothing to read.
    pub(crate) input: Option<PipeReader>,
    pub(crate) output: Output,
    /// Passed on as `LISTEN_FDS`.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Exit(i32),
    Signal(Signal),
}

/// Returns the path of this program, as it was when the process started: an upgrade replaces the file.
fn program() -> io::Result<PathBuf> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if PROGRAM.get().is_none() {
        let _ = PROGRAM.set(env::current_exe()?);
    }
    Ok(PROGRAM.get().expect("it was set above").clone())
}

/// Starts this program once more, in a process group of its own, and returns its pid.
pub(crate) fn spawn(child: Child) -> io::Result<u32> {
    let Child { arguments, environment, input, output, descriptors } = child;
    let mut command = Command::new(program()?);
    command.args(arguments).envs(environment).process_group(0);
    command.env_remove("LISTEN_PID").env_remove("LISTEN_FDS");
    command.stdin(input.map_or_else(Stdio::null, Stdio::from));
    match output {
        Output::Pipe(pipe) => {
            command.stdout(pipe.try_clone()?).stderr(pipe);
        }
        Output::Answer(pipe) => {
            command.stdout(pipe);
        }
        Output::Inherited => {}
    }
    if !descriptors.is_empty() {
        command.env("LISTEN_FDS", descriptors.len().to_string());
        let mappings = (FIRST_DESCRIPTOR..).zip(descriptors);
        let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
    }
    // The handle is not needed: all children are waited for in one place.
    Ok(command.spawn()?.id())
}

/// Makes the program's path known while it is still the right one.
pub(crate) fn remember_program() -> io::Result<()> {
    program().map(drop)
}

/// Returns a child that has ended since the last call.
pub(crate) fn reap() -> Option<(u32, End)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((number(pid), End::Exit(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((number(pid), End::Signal(signal)));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            // Stops and continues are not asked for; an interrupted wait is begun again.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Sends a signal to a process. One that has ended by itself is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let _ = kill(raw(pid), signal);
}

/// Sends a signal to a process and all that it has started in its group.
pub(crate) fn signal_group(pid: u32, signal: Signal) {
    let _ = killpg(raw(pid), signal);
}

fn number(pid: Pid) -> u32 {
    u32::try_from(pid.as_raw()).unwrap_or_default()
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("the kernel's pids are below 2^22"))
}
