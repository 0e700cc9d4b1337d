//! A client that pushes, over one connection at a time, and that can fail as clients fail: in the
//! middle of a body, by FIN, by RST, or by saying nothing more.
//!
//! It writes to bare sockets because every HTTP library mends, retries or buffers what is to be broken
//! here. A method returns an error only when the connection fails: what the registry answers is for
//! the caller to judge.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use oci::{Algorithm, Digest};

use super::http::Answer;

/// A registry that says nothing for so long has failed the test. A slow disk that many tests sync to keeps it waiting
/// for half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// The client. Its connection is kept until an error, or an answer that is one.
pub(crate) struct Pusher {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// An upload session as the registry described it last.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Path and query of the location.
    pub(crate) location: String,
    /// How many bytes it holds. Nothing and one byte look the same: `Range: 0-0`.
    pub(crate) offset: usize,
}

/// A request whose head is sent, and part of its body.
pub(crate) struct Sending {
    connection: BufReader<TcpStream>,
    /// Whether its answer has no body, whatever length is named.
    is_head: bool,
}

/// How a client goes away in the middle of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Vanish {
    /// The process ends: the kernel sends FIN.
    Fin,
    /// The process ends with unread bytes: the kernel sends RST.
    Reset,
    /// The cable is cut: nothing arrives any more.
    Silent,
}

/// Keeps a silent client's socket open until dropped.
#[must_use]
pub(crate) struct Vanished {
    _silent: Option<Sending>,
}

/// The digest of content, as text.
pub(crate) fn digest(content: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, content).to_string()
}

impl Pusher {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut sending = self.begin(method, target, headers, body.len())?;
        // An early answer may cut the body short; it says why.
        let sent = sending.write(body);
        sending.answer(self).map_err(|error| sent.err().unwrap_or(error))
    }

    pub(crate) fn get(&mut self, target: &str) -> io::Result<Answer> {
        self.send("GET", target, &[], &[])
    }

    pub(crate) fn delete(&mut self, target: &str) -> io::Result<Answer> {
        self.send("DELETE", target, &[], &[])
    }

    /// Sends the head of a request whose body has `length` bytes.
    pub(crate) fn begin(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> io::Result<Sending> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address)?,
        };
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address).into_bytes();
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        write!(head, "Content-Length: {length}\r\n\r\n")?;
        connection.get_mut().write_all(&head)?;
        Ok(Sending { connection, is_head: method == "HEAD" })
    }

    /// Sends a request whose body should have `length` bytes, but goes away after `sent`.
    ///
    /// The registry has begun to read the body by then: it asks for it first.
    pub(crate) fn vanish(
        &mut self,
        how: Vanish,
        (method, target): (&str, &str),
        (sent, length): (&[u8], usize),
    ) -> io::Result<Vanished> {
        let mut sending = self.begin(method, target, &[("Expect", "100-continue")], length)?;
        sending.wait_for_interim_answer()?;
        if how == Vanish::Fin {
            // What a socket has unread when it is closed makes its FIN a RST.
            read_line(&mut sending.connection)?;
            read_line(&mut sending.connection)?;
        }
        sending.write(sent)?;
        Ok(Vanished { _silent: (how == Vanish::Silent).then_some(sending) })
    }

    /// Begins an upload session.
    pub(crate) fn session(&mut self, repository: &str) -> io::Result<Session> {
        let answer = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], &[])?;
        assert_eq!(answer.status, 202, "{answer:?}");
        Ok(answer.session())
    }

    /// Asks how far a session is; none if there is no such session.
    pub(crate) fn look(&mut self, session: &Session) -> io::Result<Option<Session>> {
        let answer = self.get(&session.location)?;
        match answer.status {
            204 => Ok(Some(answer.session())),
            404 => Ok(None),
            _ => panic!("{answer:?}"),
        }
    }

    /// Appends a chunk where the session ends, and says so.
    pub(crate) fn patch(&mut self, session: &Session, chunk: &[u8]) -> io::Result<Answer> {
        let range = content_range(session.offset, chunk);
        self.send("PATCH", &session.location, &[("Content-Range", &range)], chunk)
    }

    /// Appends the rest of `content`, which may be nothing, and commits.
    pub(crate) fn commit(&mut self, session: &Session, content: &[u8]) -> io::Result<Answer> {
        let rest = &content[session.offset..];
        let target = format!("{}&digest={}", session.location, digest(content));
        if rest.is_empty() {
            return self.send("PUT", &target, &[], &[]);
        }
        let range = content_range(session.offset, rest);
        self.send("PUT", &target, &[("Content-Range", &range)], rest)
    }

    /// Pushes a blob in two requests.
    pub(crate) fn push_blob(&mut self, repository: &str, content: &[u8]) -> io::Result<Answer> {
        let session = self.session(repository)?;
        self.commit(&session, content)
    }

    /// Pushes a blob in one request.
    pub(crate) fn post_blob(&mut self, repository: &str, content: &[u8]) -> io::Result<Answer> {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(content));
        self.send("POST", &target, &[], content)
    }

    /// Pushes a manifest under a tag or digest.
    pub(crate) fn push_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: &[u8],
    ) -> io::Result<Answer> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let kind = [("Content-Type", "application/vnd.oci.image.manifest.v1+json")];
        self.send("PUT", &target, &kind, manifest)
    }
}

impl Sending {
    /// Sends part of the body.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.get_mut().write_all(bytes)
    }

    /// Returns when the registry has asked for the body, which it does if the head expects it. What it said stays unread.
    pub(crate) fn wait_for_interim_answer(&mut self) -> io::Result<()> {
        self.connection.get_mut().peek(&mut [0]).map(drop)
    }

    /// Reads no more than this of what comes back.
    pub(crate) fn read_some(&mut self, bytes: usize) -> io::Result<u64> {
        let limit = bytes.try_into().map_err(io::Error::other)?;
        io::copy(&mut self.connection.by_ref().take(limit), &mut io::sink())
    }

    /// Reads the answer, and gives the connection back if it can be used again.
    pub(crate) fn answer(mut self, pusher: &mut Pusher) -> io::Result<Answer> {
        let answer = read_answer(&mut self.connection, self.is_head)?;
        if answer.status < 400 && answer.header("connection") != Some("close") {
            pusher.connection = Some(self.connection);
        }
        Ok(answer)
    }
}

impl Answer {
    /// The session that an answer describes.
    pub(crate) fn session(&self) -> Session {
        let last = self.header("range").and_then(|range| range.strip_prefix("0-"));
        let last: usize = last.map_or(0, |last| last.parse().unwrap());
        let offset = if last == 0 { 0 } else { last + 1 };
        Session { location: self.location(), offset }
    }
}

/// What `Content-Range` says of a chunk, as the specification has it.
pub(crate) fn content_range(start: usize, chunk: &[u8]) -> String {
    format!("{start}-{}", start + chunk.len() - 1)
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// Reads an answer with a known length; interim ones are skipped.
fn read_answer(connection: &mut BufReader<TcpStream>, is_head: bool) -> io::Result<Answer> {
    loop {
        let line = read_line(connection)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other(format!("no status: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(connection)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), is_whole: true };
        if status >= 200 {
            let named = answer.header("content-length").filter(|_| !is_head);
            let length = named.map_or(0, |value| value.parse().unwrap());
            answer.body = vec![0; length];
            connection.read_exact(&mut answer.body)?;
            return Ok(answer);
        }
    }
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    match connection.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
