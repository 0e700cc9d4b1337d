//! Asking the supervisor.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _},
    os::unix::net::UnixStream,
    sync::mpsc,
    thread,
};

use super::control::{self, Overview, Reply, Request};
use crate::{state::Layout, sys::socket};

/// Why the supervisor did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("nothing is running")]
    NotRunning,
    #[error("the supervisor's socket cannot be used")]
    Socket(#[source] io::Error),
    #[error("the supervisor does not answer within {} s", control::PATIENCE.as_secs())]
    Silent,
    #[error("the supervisor's answer cannot be read: {0}")]
    Answer(String),
    #[error("{0}")]
    Refused(String),
}

/// Asks once.
pub(crate) fn ask(layout: &Layout, request: &Request) -> Result<Overview, AskError> {
    let stream = connect(layout)?;
    let line = exchange(&stream, request).map_err(silent)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Is(overview)) => Ok(overview),
        Ok(Reply::Refused(reason)) => Err(AskError::Refused(reason)),
        Err(error) => Err(AskError::Answer(error.to_string())),
    }
}

/// Connects, and does not wait for ever: the queue of a supervisor that hangs may be full.
fn connect(layout: &Layout) -> Result<UnixStream, AskError> {
    let path = layout.supervisor_socket();
    let (sender, receiver) = mpsc::sync_channel(1);
    // A connection that comes too late is dropped with the channel.
    thread::spawn(move || {
        let _ = sender.send(socket::connect(&path));
    });
    match receiver.recv_timeout(control::PATIENCE) {
        Ok(connected) => connected.map_err(unreachable),
        Err(_) => Err(AskError::Silent),
    }
}

/// A socket that is not there, or that nobody listens on, means that there is no supervisor.
fn unreachable(error: io::Error) -> AskError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AskError::NotRunning,
        _ => AskError::Socket(error),
    }
}

/// One that hangs is told from one that hangs up.
fn silent(error: io::Error) -> AskError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => AskError::Silent,
        _ => AskError::Socket(error),
    }
}

fn exchange(stream: &UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(control::PATIENCE))?;
    stream.set_write_timeout(Some(control::PATIENCE))?;
    control::send(stream, request)?;
    let mut line = String::new();
    BufReader::new(stream.take(control::LINE_BYTES_MAX)).read_line(&mut line)?;
    match line.is_empty() {
        // A supervisor that ends, or that turns this user away, closes the connection.
        true => Err(ErrorKind::UnexpectedEof.into()),
        false => Ok(line),
    }
}
