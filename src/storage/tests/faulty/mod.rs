//! A way to a store on which things go wrong: it stands between a driver and the store, and spoils every other request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The answer takes its time.
    Late,
    /// The connection breaks in the middle of the request, of which the store sees nothing.
    CutRequest,
    /// The connection breaks in the middle of the answer.
    CutAnswer,
    /// The answer ends early, as if that was all.
    ShortAnswer,
    /// The store has no time.
    SlowDown,
    /// The store does it, and nobody hears of it.
    LostAnswer,
    /// A list is that of some time ago.
    OldList,
    /// The store takes nothing more: every write is refused.
    Full,
}

/// The way, open as long as the runtime runs.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    shared: Arc<Shared>,
    endpoint: String,
}

#[derive(Debug)]
struct Shared {
    store: String,
    fault: Fault,
    is_on: AtomicBool,
    /// Whether every request is spoiled, and not every other.
    is_every: AtomicBool,
    asked: AtomicU64,
    spoiled: AtomicU64,
    /// The lists that were answered first, by what was asked.
    lists: Mutex<HashMap<String, Vec<u8>>>,
}

impl Faulty {
    /// A way to the store at `http://HOST:PORT`.
    pub(crate) async fn to(store: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            store: store.strip_prefix("http://").unwrap().to_owned(),
            fault,
            is_on: AtomicBool::new(true),
            is_every: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            spoiled: AtomicU64::new(0),
            lists: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // Whoever goes away goes away.
                tokio::spawn(async move { drop(shared.pass(client).await) });
            }
        });
        Self { shared, endpoint }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on nothing goes wrong.
    pub(crate) fn mend(&self) {
        self.shared.is_on.store(false, Ordering::SeqCst);
    }

    /// From now on everything goes wrong that can.
    pub(crate) fn worsen(&self) {
        self.shared.is_on.store(true, Ordering::SeqCst);
        self.shared.is_every.store(true, Ordering::SeqCst);
    }

    /// How many requests were spoiled.
    pub(crate) fn spoiled(&self) -> u64 {
        self.shared.spoiled.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Passes one request on, and its answer back.
    async fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((head, mut body)) = read_head(&mut client).await? else { return Ok(()) };
        let line = head.lines().next().unwrap_or_default().to_owned();
        let length = content_length(&head);
        let is_list = line.starts_with("GET ") && line.contains("list-type=2");
        let is_write = ["PUT ", "POST "].iter().any(|method| line.starts_with(method));
        let fault = self.fault_of(is_list, is_write);
        if fault == Some(Fault::CutRequest) && length > 0 {
            while body.len() < length / 2 {
                client.read_buf(&mut body).await?;
            }
            return cut(&client);
        }
        while body.len() < length {
            if client.read_buf(&mut body).await? == 0 {
                return Ok(());
            }
        }
        match fault {
            Some(Fault::CutRequest) => return cut(&client),
            Some(Fault::Late) => sleep(Duration::from_millis(300)).await,
            Some(fault @ (Fault::SlowDown | Fault::Full)) => {
                let (status, code) = match fault {
                    Fault::Full => ("507 Insufficient Storage", "QuotaExceeded"),
                    _ => ("503 Slow Down", "SlowDown"),
                };
                let said = format!("<Error><Code>{code}</Code><Message>Later.</Message></Error>");
                let said = if line.starts_with("HEAD ") { "" } else { &said };
                let length = said.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{said}"
                );
                client.write_all(answer.as_bytes()).await?;
                return client.shutdown().await;
            }
            _ => {}
        }
        let answer = self.ask(&head, &body).await?;
        let answer = if is_list { self.list(&line, answer, fault) } else { answer };
        let part = match fault {
            Some(Fault::LostAnswer) => return cut(&client),
            Some(Fault::CutAnswer | Fault::ShortAnswer) => answer.len() / 2,
            _ => answer.len(),
        };
        client.write_all(&answer[..part]).await?;
        client.flush().await?;
        if fault == Some(Fault::CutAnswer) {
            return cut(&client);
        }
        client.shutdown().await
    }

    /// What goes wrong with the next request.
    fn fault_of(&self, is_list: bool, is_write: bool) -> Option<Fault> {
        let is_due = self.is_on.load(Ordering::SeqCst)
            && (self.fault != Fault::OldList || is_list)
            && (self.fault != Fault::Full || is_write)
            && (self.asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2)
                || self.is_every.load(Ordering::SeqCst));
        is_due.then(|| {
            self.spoiled.fetch_add(1, Ordering::SeqCst);
            self.fault
        })
    }

    /// The list as it is, or as it was.
    fn list(&self, line: &str, answer: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
        let mut lists = self.lists.lock().unwrap();
        let first = lists.entry(line.to_owned()).or_insert_with(|| answer.clone());
        if fault == Some(Fault::OldList) { first.clone() } else { answer }
    }

    /// The whole answer of the store.
    async fn ask(&self, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut store = TcpStream::connect(&self.store).await?;
        let (line, headers) = head.split_once("\r\n").unwrap();
        let headers = headers.split("\r\n").filter(|header| {
            let name = header.split(':').next().unwrap_or_default();
            !["connection", "expect"].contains(&name.to_ascii_lowercase().as_str())
        });
        let headers: Vec<&str> = headers.collect();
        let head = format!("{line}\r\nConnection: close\r\n{}\r\n\r\n", headers.join("\r\n"));
        store.write_all(head.as_bytes()).await?;
        store.write_all(body).await?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// A request up to its empty line, and what was read beyond.
async fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            read.truncate(end);
            let head = String::from_utf8(read).unwrap();
            if head.to_ascii_lowercase().contains("expect: 100-continue") {
                client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            return Ok(Some((head, body)));
        }
        if client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    value.unwrap_or(0)
}

/// Breaks a connection, so that the other end sees that it broke.
fn cut(client: &TcpStream) -> std::io::Result<()> {
    client.set_zero_linger()
}
