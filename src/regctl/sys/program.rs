//! Other programs, run for their answer: found once, bounded in time and output.

use std::{
    env,
    ffi::OsStr,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Where system programs are, for users whose PATH has only the others.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// What a program says beyond this is dropped.
const SAID_BYTES_MAX: u64 = 64 << 10;

/// Longer than any program here takes to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a program answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) success: bool,
    /// Its stderr.
    pub(crate) said: String,
}

/// Returns where a program is, if it is installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|file| {
        file.metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// Returns the program that this process runs.
pub(crate) fn own() -> io::Result<PathBuf> {
    env::current_exe()
}

/// Runs a program that reads nothing, and returns what it says on stderr.
pub(crate) fn ask(program: &Path, arguments: &[&OsStr]) -> io::Result<Answer> {
    ask_within(program, arguments, PATIENCE)
}

/// Does the same with a program that may take longer.
pub(crate) fn ask_within(
    program: &Path,
    arguments: &[&OsStr],
    patience: Duration,
) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().expect("stderr was asked for");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = stderr.take(SAID_BYTES_MAX).read_to_end(&mut said);
        let _ = sender.send(read.map(|_| said));
    });
    let Ok(said) = receiver.recv_timeout(patience) else {
        // It may have ended by itself in this moment.
        let _ = child.kill();
        let _ = child.wait();
        let reason = format!("no answer within {} s", patience.as_secs());
        return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
    };
    let said = String::from_utf8_lossy(&said?).into_owned();
    Ok(Answer { success: child.wait()?.success(), said })
}
