//! A receiver of events on loopback: keeps what it is sent, and answers as it is told.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// Far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver; it ends with the test's process.
pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    status: AtomicU16,
    /// The media type and the event of each request.
    received: Mutex<Vec<(String, Value)>>,
    changed: Condvar,
}

impl Receiver {
    /// Answers with this status.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (received, changed) = Default::default();
        let shared = Arc::new(Shared { status: status.into(), received, changed });
        let kept = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&kept);
                thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(crate) fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::Relaxed);
    }

    /// Waits for so many requests, and takes them: media types and events.
    pub(crate) fn take(&self, count: usize) -> Vec<(String, Value)> {
        let received = self.shared.received.lock().unwrap();
        let is_less = |received: &mut Vec<_>| received.len() < count;
        let (mut received, waited) =
            self.shared.changed.wait_timeout_while(received, PATIENCE, is_less).unwrap();
        assert!(!waited.timed_out(), "only {} of {count} events: {received:#?}", received.len());
        received.drain(..count).collect()
    }

    /// How many have come and were not taken.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.received.lock().unwrap().len()
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut media_type, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
            match line.trim_end().split_once(": ") {
                None if line.trim_end().is_empty() => break,
                None => {}
                Some((name, value)) => match name.to_ascii_lowercase().as_str() {
                    "content-type" => media_type = value.to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                },
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let [event] = body["events"].as_array().unwrap().as_slice() else {
            panic!("one event a request: {body}")
        };
        shared.received.lock().unwrap().push((media_type, event.clone()));
        shared.changed.notify_all();
        let status = shared.status.load(Ordering::Relaxed);
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}
