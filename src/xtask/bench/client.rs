//! An HTTP/1.1 client that stays out of the way: one blocking connection, kept alive, that writes requests and reads
//! answers with as few copies and system calls as std allows. Sizes of heads and small bodies are bounded.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};

/// What is thrown away at a time.
const DISCARD_BYTES: usize = 1 << 20;
const READ_BUFFER_BYTES: usize = 256 << 10;
const MAX_LINE_BYTES: u64 = 16 << 10;
const MAX_HEADERS: usize = 100;
const MAX_SMALL_BODY_BYTES: usize = 1 << 20;
/// Longer than any answer takes, so that a hanging server ends the run.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to a registry.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// The headers of every request.
    common: String,
}

/// The first line of an answer and its headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
}

/// What is sent: all of it but the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body_bytes: u64,
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: &'a str, target: &'a str) -> Self {
        Self { method, target, headers: &[], body_bytes: 0 }
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let open = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok::<_, io::Error>(stream)
        };
        let stream = open().with_context(|| format!("failed to connect to `{address}`"))?;
        let stream = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
        Ok(Self { stream, common: format!("Host: {address}\r\n") })
    }

    /// Has every request say who asks.
    pub(crate) fn authorized(mut self, token: Option<&str>) -> Self {
        if let Some(token) = token {
            self.common.extend(["Authorization: Bearer ", token, "\r\n"]);
        }
        self
    }

    /// Sends a request whose body `write` writes, and reads the head of the answer.
    pub(crate) fn send(
        &mut self,
        request: Request<'_>,
        write: impl FnOnce(&mut Outgoing<'_>) -> io::Result<()>,
    ) -> Result<Head> {
        let what = || format!("{} {}", request.method, request.target);
        let mut out = Outgoing { stream: self.stream.get_mut(), head: head(request, &self.common) };
        // A server that refuses may answer before it has read everything: then the answer says more than the error.
        let written = write(&mut out).and_then(|()| out.finish());
        let answer = read_answer(&mut self.stream).with_context(what);
        match (written, answer) {
            (Ok(()), answer) => answer,
            (Err(_), Ok(answer)) => bail!("`{}` was answered early with {}", what(), answer.status),
            (Err(error), Err(_)) => {
                Err(error).with_context(|| format!("failed to send `{}`", what()))
            }
        }
    }

    /// Hands the body of an answer to `take`, and returns its length.
    pub(crate) fn body(&mut self, head: &Head, take: impl FnMut(&[u8])) -> Result<u64> {
        read_body(&mut self.stream, head, take)
    }

    /// Has the kernel throw the body of an answer away, so that receiving it costs next to nothing; returns its length.
    pub(crate) fn discard(&mut self, head: &Head) -> Result<u64> {
        let length = content_length(head)?;
        let here = self.stream.buffer().len();
        let here = here.min(usize::try_from(length).unwrap_or(usize::MAX));
        self.stream.consume(here);
        discard(self.stream.get_ref(), length - here as u64)?;
        Ok(length)
    }

    /// Sends a request and expects a status; the body of the answer is small and is returned.
    pub(crate) fn call(
        &mut self,
        request: Request<'_>,
        body: &[u8],
        expected: u16,
    ) -> Result<(Head, Vec<u8>)> {
        let head = self.send(request, |out| out.write_all(body))?;
        let body = self
            .expect(&head, expected)
            .with_context(|| format!("{} {}", request.method, request.target))?;
        Ok((head, body))
    }

    /// Reads the small body of an answer and compares its status.
    pub(crate) fn expect(&mut self, head: &Head, expected: u16) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut overflow = false;
        self.body(head, |part| {
            overflow |= body.len() + part.len() > MAX_SMALL_BODY_BYTES;
            if !overflow {
                body.extend_from_slice(part);
            }
        })?;
        ensure!(!overflow, "the body is over {MAX_SMALL_BODY_BYTES} bytes");
        if head.status != expected {
            let text = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
            bail!("answered {} instead of {expected}: {text}", head.status);
        }
        Ok(body)
    }
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has_no_body(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
    }
}

/// The body of a request on its way: what is written first travels with the head, in one system call.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    stream: &'a mut TcpStream,
    head: Vec<u8>,
}

impl Outgoing<'_> {
    fn finish(&mut self) -> io::Result<()> {
        let head = std::mem::take(&mut self.head);
        self.stream.write_all(&head)
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.stream.write(part);
        }
        self.head.extend_from_slice(part);
        self.finish()?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Throws away the next bytes of a stream without copying them.
pub(crate) fn discard(stream: &TcpStream, bytes: u64) -> Result<()> {
    let mut room = vec![0; DISCARD_BYTES];
    let mut left = bytes;
    while left > 0 {
        let wanted = DISCARD_BYTES.min(usize::try_from(left).unwrap_or(DISCARD_BYTES));
        let (_, len) = match recv(stream, &mut room[..wanted], RecvFlags::TRUNC) {
            Err(Errno::INTR) => continue,
            received => received.context("failed to read a body")?,
        };
        ensure!(len > 0, "a body of {bytes} bytes ends {left} bytes early");
        left -= len as u64;
    }
    Ok(())
}

fn head(request: Request<'_>, common: &str) -> Vec<u8> {
    let Request { method, target, headers, body_bytes } = request;
    let mut text = format!("{method} {target} HTTP/1.1\r\n{common}");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if body_bytes > 0 || method != "GET" {
        text.extend(["Content-Length: ", &body_bytes.to_string(), "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Reads the head of the final answer, past interim ones.
fn read_answer(reader: &mut impl BufRead) -> Result<Head> {
    loop {
        let head = read_head(reader)?;
        if !(100..200).contains(&head.status) {
            return Ok(head);
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> Result<Head> {
    let first = read_line(reader)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.with_context(|| format!("`{first}` is not the first line of an answer"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(Head { status, headers });
        }
        ensure!(headers.len() < MAX_HEADERS, "an answer has over {MAX_HEADERS} headers");
        let header = line.split_once(':').with_context(|| format!("`{line}` is not a header"))?;
        headers.push((header.0.to_ascii_lowercase(), header.1.trim().to_owned()));
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(MAX_LINE_BYTES).read_line(&mut line).context("failed to read an answer")?;
    let line = line.strip_suffix('\n').context("an answer ends within a line")?;
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn read_body(reader: &mut impl BufRead, head: &Head, mut take: impl FnMut(&[u8])) -> Result<u64> {
    if head.has_no_body() {
        return Ok(0);
    }
    let chunked = head.header("transfer-encoding").is_some_and(|value| value.ends_with("chunked"));
    if chunked {
        return read_chunks(reader, take);
    }
    let length = content_length(head)?;
    copy(reader, length, &mut take)?;
    Ok(length)
}

fn content_length(head: &Head) -> Result<u64> {
    let length = head.header("content-length").context("an answer has no length")?;
    length.parse().with_context(|| format!("Content-Length `{length}` is not a number"))
}

fn read_chunks(reader: &mut impl BufRead, mut take: impl FnMut(&[u8])) -> Result<u64> {
    let mut total = 0_u64;
    loop {
        let line = read_line(reader)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16)
            .with_context(|| format!("`{line}` is not the size of a chunk"))?;
        if size == 0 {
            while !read_line(reader)?.is_empty() {}
            return Ok(total);
        }
        copy(reader, size, &mut take)?;
        ensure!(read_line(reader)?.is_empty(), "a chunk is longer than its size");
        total = total.checked_add(size).context("the chunks of an answer do not add up")?;
    }
}

fn copy(reader: &mut impl BufRead, length: u64, take: &mut impl FnMut(&[u8])) -> Result<()> {
    let mut left = length;
    while left > 0 {
        let part = reader.fill_buf().context("failed to read a body")?;
        ensure!(!part.is_empty(), "a body of {length} bytes ends {left} bytes early");
        let len = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        take(&part[..len]);
        reader.consume(len);
        left -= len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Head, Vec<u8>)> {
        let mut reader = text.as_bytes();
        let head = read_answer(&mut reader)?;
        let mut body = Vec::new();
        read_body(&mut reader, &head, |part| body.extend_from_slice(part))?;
        Ok((head, body))
    }

    #[test]
    fn a_body_is_as_long_as_its_content_length() {
        let (head, body) = parse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef").unwrap();
        assert_eq!((head.status, body.as_slice()), (200, b"abc".as_slice()));
        assert_eq!(head.header("content-length"), Some("3"));
    }

    #[test]
    fn chunks_are_joined_and_trailers_passed_over() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n";
        assert_eq!(parse(text).unwrap().1, b"abc0123456789");
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(parse(text).unwrap().0.status, 204);
    }

    #[test]
    fn broken_answers_are_errors() {
        let cases = [
            ("", "an answer ends within a line"),
            ("SSH-2.0\r\n\r\n", "`SSH-2.0` is not the first line of an answer"),
            ("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "`nonsense` is not a header"),
            ("HTTP/1.1 200 OK\r\n\r\n", "an answer has no length"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
                "a body of 9 bytes ends 7 bytes early",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "Content-Length `x` is not a number"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "`zz` is not the size of a chunk",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let text = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(20 << 10));
        assert_eq!(parse(&text).unwrap_err().to_string(), "an answer ends within a line");
    }

    #[test]
    fn a_request_without_body_says_so_unless_it_is_a_get() {
        let common = "Host: 127.0.0.1:5000\r\n";
        let post = head(Request::new("POST", "/v2/a/blobs/uploads/"), common);
        let post = String::from_utf8(post).unwrap();
        assert_eq!(
            post,
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nContent-Length: 0\r\n\r\n"
        );
        let get = String::from_utf8(head(Request::new("GET", "/v2/"), common)).unwrap();
        assert_eq!(get, "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n\r\n");
    }
}
