//! A registry that does as it is told: cuts, hangs, lies, refuses. Each connection has one request, and a second one that
//! gets no answer where it was kept.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
}

/// What is answered.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What is said of the length, if not the truth.
    length: Option<usize>,
    /// Waits for a word before the body from here on.
    gate: Option<(usize, Arc<Notify>)>,
    is_silent: bool,
    is_chunked: bool,
    is_kept: bool,
}

/// The faulty registry; it ends when dropped.
pub(crate) struct Upstream {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn body(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), ..Self::default() }
    }

    pub(crate) fn part(body: &[u8]) -> Self {
        Self { status: 206, ..Self::body(body) }
    }

    pub(crate) fn silence() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Says that the body is longer or shorter than it is.
    pub(crate) fn of_length(self, length: usize) -> Self {
        Self { length: Some(length), ..self }
    }

    /// Does not say how long the body is.
    pub(crate) fn chunked(self) -> Self {
        Self { is_chunked: true, ..self }
    }

    /// Keeps the connection, and ends it when the next request comes.
    pub(crate) fn kept(self) -> Self {
        Self { is_kept: true, ..self }
    }

    /// Sends so much of the body, and the rest when told.
    pub(crate) fn until(self, bytes: usize, gate: &Arc<Notify>) -> Self {
        Self { gate: Some((bytes, Arc::clone(gate))), ..self }
    }

    async fn send(self, stream: &mut TcpStream, is_head: bool) {
        let length = self.length.unwrap_or(self.body.len());
        let length = match self.is_chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {length}"),
        };
        let connection = if self.is_kept { "keep-alive" } else { "close" };
        let mut head =
            format!("HTTP/1.1 {} x\r\n{length}\r\nConnection: {connection}\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        // Whoever asked may be gone.
        let _ = stream.write_all(head.as_bytes()).await;
        if is_head {
            return;
        }
        if self.is_chunked {
            let chunk = format!("{:x}\r\n", self.body.len());
            let chunk = [chunk.as_bytes(), &self.body, b"\r\n0\r\n\r\n"].concat();
            let _ = stream.write_all(&chunk).await;
            return;
        }
        let held = self.gate.as_ref().map_or(self.body.len(), |(bytes, _)| *bytes);
        let _ = stream.write_all(&self.body[..held]).await;
        if let Some((_, gate)) = self.gate {
            gate.notified().await;
            let _ = stream.write_all(&self.body[held..]).await;
        }
    }
}

impl Upstream {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { address, asked, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests with this method so far, whose targets end so.
    pub(crate) fn asked(&self, method: &str, end: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        let is_meant = |asked: &&Asked| asked.method == method && asked.target.ends_with(end);
        asked.iter().filter(is_meant).cloned().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    stream: TcpStream,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<impl Fn(&Asked) -> Reply>,
) {
    let mut stream = BufReader::new(stream);
    let Some(lines) = head(&mut stream).await else { return };
    let mut words = lines[0].split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let header = |name: &str| {
        let line = lines.iter().find(|line| line.to_ascii_lowercase().starts_with(name));
        line.map(|line| line.split_once(": ").unwrap().1.to_owned())
    };
    let (authorization, range) = (header("authorization:"), header("range:"));
    let asked = Asked { method, target, authorization, range };
    let reply = answer(&asked);
    let is_head = asked.method == "HEAD";
    log.lock().unwrap().push(asked);
    if reply.is_silent {
        // Until the other side has had enough.
        let _ = stream.read_line(&mut String::new()).await;
        return;
    }
    let is_kept = reply.is_kept;
    reply.send(stream.get_mut(), is_head).await;
    if is_kept {
        head(&mut stream).await;
    }
}

/// The lines of a request's head; none if the connection ends before it.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_owned()),
        }
    }
}
