//! A raw HTTP/1.1 client: it sends any bytes, and shows answers as they came.
//!
//! A finished client library would repair, refuse or follow what a test is about. A [`Connection`]
//! is one TCP connection with nothing between; a [`Client`] keeps one open and knows the steps of a
//! push.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpStream},
    time::Duration,
};

use oci::{Algorithm, Digest};
use serde_json::Value;

/// What requests say they were sent to, so that locations in answers are known.
pub(crate) const HOST: &str = "registry.test";

/// A server that says nothing for so long hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A request, before it is bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a body; its length is sent with it, unless a header says otherwise.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !self.has("host") {
            head.push(format!("Host: {HOST}"));
        }
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let body = self.body.as_deref().unwrap_or_default();
        let framed = self.has("content-length") || self.has("transfer-encoding");
        if self.body.is_some() && !framed {
            head.push(format!("Content-Length: {}", body.len()));
        }
        [head.join("\r\n").as_bytes(), b"\r\n\r\n", body].concat()
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Answer {
    /// The first header of this name, in whatever case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The codes of the errors in the body; none if it is no error document.
    pub(crate) fn codes(&self) -> Vec<String> {
        self.errors("code").iter().map(|code| code.as_str().unwrap().to_owned()).collect()
    }

    /// One field of each error in the body.
    pub(crate) fn errors(&self, field: &str) -> Vec<Value> {
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        errors.into_iter().map(|error| error[field].clone()).collect()
    }

    /// `Location` as path and query.
    pub(crate) fn location(&self) -> String {
        let location = self.header("location").unwrap_or_else(|| panic!("no location: {self:?}"));
        match location.split_once("://") {
            Some((_, rest)) => rest[rest.find('/').unwrap()..].to_owned(),
            None => location.to_owned(),
        }
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes. A server that has heard enough may stop listening: its answer tells more.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.get_mut().shutdown(Shutdown::Write);
    }

    /// Reads an answer to a request with this method; none if the connection ends instead.
    pub(crate) fn answer(&mut self, method: &str) -> Option<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line().expect("headers end with an empty line");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header has a colon");
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), is_whole: true };
        if method != "HEAD" && status >= 200 && status != 204 && status != 304 {
            self.read_body(&mut answer);
        }
        Some(answer)
    }

    /// Whether the server ends the connection without another byte.
    pub(crate) fn is_over(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(rest) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    fn read_body(&mut self, answer: &mut Answer) {
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks();
            return;
        }
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        let limit = length.unwrap_or(u64::MAX);
        self.stream.by_ref().take(limit).read_to_end(&mut answer.body).unwrap();
        answer.is_whole = length.is_none_or(|length| answer.body.len() as u64 == length);
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().unwrap(), 16).unwrap();
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..]).unwrap();
            assert_eq!(self.line().unwrap(), "", "a chunk ends with an empty line");
            if size == 0 {
                return body;
            }
        }
    }

    /// One line without its end; none at the end of the connection.
    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            result => result.unwrap(),
        };
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A well-behaved client of one registry, on one connection as long as it lasts.
#[derive(Debug)]
pub(crate) struct Client {
    port: u16,
    connection: Option<Connection>,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, connection: None }
    }

    /// Sends a request and reads the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.port),
        };
        connection.send(&request.bytes());
        let answer = connection.answer(&request.method);
        let answer = answer.unwrap_or_else(|| panic!("no answer to {request:?}"));
        assert!(answer.is_whole, "{answer:?}");
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        answer
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(&Request::get(target))
    }

    /// Begins an upload; returns its location.
    pub(crate) fn begin_upload(&mut self, name: &str) -> String {
        let target = format!("/v2/{name}/blobs/uploads/");
        self.ask(&Request::new("POST", target).body("")).expect(202).location()
    }

    /// Appends bytes to an upload; returns its next location.
    pub(crate) fn append(&mut self, location: &str, bytes: &[u8]) -> String {
        self.ask(&Request::new("PATCH", location).body(bytes)).expect(202).location()
    }

    /// Ends an upload with its last bytes.
    pub(crate) fn commit(&mut self, location: &str, digest: &Digest, bytes: &[u8]) -> Answer {
        self.ask(&Request::new("PUT", format!("{location}&digest={digest}")).body(bytes))
    }

    pub(crate) fn push_blob(&mut self, name: &str, bytes: &[u8]) -> Digest {
        let digest = sha256(bytes);
        let location = self.begin_upload(name);
        self.commit(&location, &digest, bytes).expect(201);
        digest
    }

    pub(crate) fn put_manifest(
        &mut self,
        name: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Answer {
        let target = format!("/v2/{name}/manifests/{reference}");
        self.ask(&Request::new("PUT", target).header("Content-Type", media_type).body(bytes))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}
