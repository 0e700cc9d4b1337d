//! A raw HTTP/1.1 client on one connection, of TCP or of a unix socket.

use std::{io, path::Path, time::Duration};

use serde_json::Value;
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufStream,
    },
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// A server that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection.
pub(crate) struct Client {
    stream: BufStream<Box<dyn Stream>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Client {
    pub(crate) async fn tcp(address: &str) -> Self {
        Self::on(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::on(UnixStream::connect(path).await?))
    }

    pub(crate) fn on(stream: impl Stream + 'static) -> Self {
        Self { stream: BufStream::new(Box::new(stream)) }
    }

    /// Sends a request with a body, and reads the answer.
    pub(crate) async fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        self.begin(method, target, body.len()).await;
        self.send(body.as_bytes()).await;
        self.answer_to(method).await.unwrap()
    }

    /// Asks for something, with these lines in the head.
    pub(crate) async fn get(&mut self, target: &str, lines: &str) -> Answer {
        let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n");
        self.send(head.as_bytes()).await;
        self.answer().await.unwrap()
    }

    /// The same with headers.
    pub(crate) async fn ask_with(
        &mut self,
        (method, target): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.send(&[head.as_bytes(), body.as_bytes()].concat()).await;
        self.answer_to(method).await.unwrap()
    }

    /// Sends the head of a request.
    pub(crate) async fn begin(&mut self, method: &str, target: &str, length: usize) {
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        self.send(head.as_bytes()).await;
    }

    /// Sends the head of a request, and waits until the server wants its body.
    pub(crate) async fn begin_when_wanted(&mut self, method: &str, target: &str, length: usize) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        self.send(head.as_bytes()).await;
        assert!(self.line().await.unwrap().contains(" 100 "));
        assert_eq!(self.line().await.unwrap(), "");
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A server that has heard enough may stop listening: its answer tells more.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Reads an answer; none if the connection ends instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await.unwrap();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), is_whole: true };
        let has_body = method != "HEAD" && !matches!(status, 204 | 304);
        if has_body && answer.header("transfer-encoding") == Some("chunked") {
            answer.is_whole = self.chunks(&mut answer.body).await.is_some();
            return Some(answer);
        }
        let length = answer.header("content-length").filter(|_| has_body);
        let length = length.map_or(0, |length| length.parse().unwrap());
        answer.body = self.bytes(length).await;
        answer.is_whole = answer.body.len() == length;
        Some(answer)
    }

    /// A body of unknown length; none if the connection ends before it.
    async fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let length = usize::from_str_radix(&self.line().await?, 16).unwrap();
            body.extend(self.bytes(length).await);
            self.line().await?;
            if length == 0 {
                return Some(());
            }
        }
    }

    /// So many bytes, or those that came before the end of the connection.
    async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            match timeout(PATIENCE, self.stream.read(&mut bytes[read..])).await.unwrap() {
                Ok(more @ 1..) => read += more,
                Ok(0) | Err(_) => break,
            }
        }
        bytes.truncate(read);
        bytes
    }

    /// Reads the head of an answer, and the first bytes of its body.
    pub(crate) async fn first_bytes(&mut self, count: usize) -> Vec<u8> {
        while !self.line().await.unwrap().is_empty() {}
        self.bytes(count).await
    }

    /// Reads more of a body.
    pub(crate) async fn more_bytes(&mut self, count: usize) -> Vec<u8> {
        self.bytes(count).await
    }

    /// Waits until the server ends the connection, and says whether it said nothing more.
    pub(crate) async fn ends(&mut self) -> bool {
        self.line().await.is_none()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await.unwrap();
        match read {
            Ok(0) => None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            read => read.map(|_| line.trim_end().to_owned()).ok(),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The code of the first error in the body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{:?} {}",
            self.headers,
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `Location` as path and query.
    pub(crate) fn location(&self) -> String {
        self.header("location").unwrap().trim_start_matches("http://test").to_owned()
    }
}
