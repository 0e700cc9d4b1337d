//! A receiver of events that does as it is told: takes them, refuses them, hangs, or is not there.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What it does with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    /// Answers with this status.
    Answers(u16),
    /// Answers with this redirect, and takes events where it leads to.
    Moves(u16),
    /// Reads it, and says nothing until the mood changes.
    Hangs,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) events: Vec<Value>,
}

/// A receiver that runs until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    mood: watch::Sender<Mood>,
    received: Arc<Mutex<Vec<Received>>>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(mood: Mood) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), mood).await
    }

    pub(crate) async fn at(address: SocketAddr, mood: Mood) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = watch::Sender::new(mood);
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (moods, list) = (mood.clone(), Arc::clone(&received));
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, moods.subscribe(), Arc::clone(&list)));
            }
        });
        Self { address, mood, received, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?token=hunter2", self.address)
    }

    pub(crate) fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// All requests, those that were refused included.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// All events, in the order of their requests.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.requests().into_iter().flat_map(|request| request.events).collect()
    }

    /// Ends it, with its connections.
    pub(crate) async fn end(mut self) -> SocketAddr {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        self.address
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    mut mood: watch::Receiver<Mood>,
    list: Arc<Mutex<Vec<Received>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut headers = Vec::new();
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let is_moved = line == "POST /moved HTTP/1.1\r\n";
        assert!(is_moved || line == "POST /hook?token=hunter2 HTTP/1.1\r\n", "{line}");
        loop {
            line.clear();
            stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.unwrap().1.parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let events = std::mem::take(body["events"].as_array_mut().unwrap());
        list.lock().unwrap().push(Received { headers, events });
        let status = loop {
            let now = *mood.borrow_and_update();
            match now {
                Mood::Answers(status) => break status,
                Mood::Moves(_) if is_moved => break 200,
                Mood::Moves(status) => break status,
                Mood::Hangs => mood.changed().await.ok()?,
            }
        };
        let location = if status / 100 == 3 { "Location: /moved\r\n" } else { "" };
        let answer = format!("HTTP/1.1 {status} x\r\n{location}Content-Length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
