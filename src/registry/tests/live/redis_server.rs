//! A real Redis, which may go away and come back with what it had.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const PASSWORD: &str = "short, and: odd";

/// How long it may take to listen.
const BOUND: Duration = Duration::from_secs(20);

/// A `redis-server` with a password; killed when dropped.
pub(crate) struct RedisServer {
    folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody may take it meanwhile; then Redis does not start, and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(&folder, port);
        let server = Self { folder, port, child };
        server.wait();
        server
    }

    /// The sections of a registry that caches in it, in database 3.
    pub(crate) fn sections(&self) -> String {
        format!("  cache: {{blobdescriptor: redis}}\n{}", self.section("addr", ""))
    }

    pub(crate) fn section(&self, form: &str, more: &str) -> String {
        let address = format!("'127.0.0.1:{}'", self.port);
        let address = if form == "addrs" { format!("[{address}]") } else { address };
        format!("redis: {{{form}: {address}, password: '{PASSWORD}', db: 3{more}}}")
    }

    /// Kills it; what it had is on its disk.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn come_back(&mut self) {
        self.child = spawn(&self.folder, self.port);
        self.wait();
    }

    /// Sends a command, and returns the lines of the answer, with those of items.
    pub(crate) fn ask(&self, words: &[&str]) -> Vec<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        ask(stream, words)
    }

    /// Puts there what Distribution keeps of a blob in a repository.
    pub(crate) fn seed(&self, name: &str, digest: &str) {
        let set = format!("repository::{name}::blobs");
        let (here, anywhere) = (format!("{set}::{digest}"), format!("blobs::{digest}"));
        let media = "application/octet-stream";
        assert_eq!(self.ask(&["SADD", &set, digest]), [":1"]);
        assert_eq!(
            self.ask(&["HSET", &anywhere, "digest", digest, "size", "5", "mediatype", media]),
            [":3"]
        );
        assert_eq!(self.ask(&["HSET", &here, "mediatype", media]), [":1"]);
    }

    /// Whether anything is left of that.
    pub(crate) fn remembers(&self, name: &str, digest: &str) -> bool {
        let set = format!("repository::{name}::blobs");
        let (here, anywhere) = (format!("{set}::{digest}"), format!("blobs::{digest}"));
        self.ask(&["SISMEMBER", &set, digest]) != [":0"]
            || self.ask(&["EXISTS", &here, &anywhere]) != [":0"]
    }

    fn wait(&self) {
        let end = Instant::now() + BOUND;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err()
            || self.ask(&["PING"]) != ["+PONG"]
        {
            assert!(Instant::now() < end, "redis-server does not answer");
            thread::yield_now();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let path = folder.path().to_str().unwrap();
    let config = format!(
        "port {port}\nbind 127.0.0.1\ndir {path}\nsave \"\"\nappendonly yes\nappendfsync always\n\
         requirepass \"{PASSWORD}\"\n"
    );
    fs::write(folder.path().join("redis.conf"), config).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(folder.path().join("redis.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed (cargo xtask test does that)")
}

fn ask(mut stream: TcpStream, words: &[&str]) -> Vec<String> {
    let mut sent = Vec::new();
    for command in [&["AUTH", PASSWORD][..], &["SELECT", "3"], words] {
        write!(sent, "*{}\r\n", command.len()).unwrap();
        for word in command {
            write!(sent, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
    }
    if stream.write_all(&sent).is_err() {
        return vec!["-gone".to_owned()];
    }
    let mut stream = BufReader::new(stream);
    let greeting = [answer(&mut stream), answer(&mut stream)].concat();
    let answer = answer(&mut stream);
    if greeting == ["+OK", "+OK"] { answer } else { greeting }
}

fn answer(stream: &mut impl BufRead) -> Vec<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).is_err() {
        return vec!["-gone".to_owned()];
    }
    let line = line.trim_end();
    let length = |text: &str| text.parse::<usize>().unwrap();
    match line.split_at_checked(1) {
        Some(("*", count)) => (0..length(count)).flat_map(|_| answer(stream)).collect(),
        Some(("$", "-1")) => vec![String::new()],
        Some(("$", count)) => {
            let mut bytes = vec![0; length(count) + 2];
            stream.read_exact(&mut bytes).unwrap();
            bytes.truncate(length(count));
            vec![String::from_utf8(bytes).unwrap()]
        }
        _ => vec![line.to_owned()],
    }
}
