//! A Redis that speaks TLS: the registry tells it what is deleted, and goes on without it where it must not be believed.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Server, World,
    certificate::{Authority, Certified},
    free_port,
    http::{Client, Request, sha256},
};

const PASSWORD: &str = "hunter2 of Redis";

/// A descriptor as Distribution caches it.
const KEY: &str = "blobs::sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `redis-server` with a certificate for `localhost`; killed when dropped.
struct Redis {
    child: Child,
    folder: TempDir,
    /// Without TLS, for the test itself.
    plain: u16,
    tls: u16,
    authority: Authority,
}

impl Redis {
    /// `clients`: whether it wants certificates of its authority.
    fn start(clients: &str) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        write_pair(&folder, "server", &authority.issue("localhost"));
        fs::write(folder.path().join("ca.crt"), &authority.certificate).unwrap();
        let (plain, tls, path) = (free_port(), free_port(), folder.path().display());
        let config = format!(
            "bind 127.0.0.1\nport {plain}\ntls-port {tls}\ndir {path}\nsave \"\"\nrequirepass \"{PASSWORD}\"\n\
             tls-cert-file {path}/server.crt\ntls-key-file {path}/server.key\n\
             tls-ca-cert-file {path}/ca.crt\ntls-auth-clients {clients}\n"
        );
        fs::write(folder.path().join("redis.conf"), config).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(folder.path().join("redis.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let redis = Self { child, folder, plain, tls, authority };
        until("redis-server answers", || redis.ask("PING").as_deref() == Some("+PONG"));
        redis
    }

    /// Sends a command without TLS; none if there is no answer of one line.
    fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.plain)).ok()?;
        write!(stream, "AUTH \"{PASSWORD}\"\r\n{command}\r\n").ok()?;
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next()?.ok()?, "+OK");
        lines.next()?.ok()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What a registry says of it, in the form of 2.8 or of 3.
    fn section(&self, form: &str, tls: &Value) -> Value {
        let address = json!(format!("localhost:{}", self.tls));
        let address = if form == "addrs" { json!([address]) } else { address };
        json!({ form: address, "password": PASSWORD, "tls": tls })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_pair(folder: &TempDir, name: &str, pair: &Certified) {
    for (end, text) in [("crt", &pair.certificate), ("key", &pair.key)] {
        fs::write(folder.path().join(format!("{name}.{end}")), text).unwrap();
    }
}

/// Looks until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        // The processors are for what is waited for.
        thread::sleep(Duration::from_millis(5));
    }
}

/// A registry that caches there, and its port.
fn registry(world: &World, redis: &Value) -> (Server, u16) {
    let config = json!({
        "version": 0.1,
        "storage": {
            "filesystem": { "rootdirectory": world.path("data") },
            "delete": { "enabled": true },
            "cache": { "blobdescriptor": "redis" },
        },
        "http": { "addr": "127.0.0.1:0", "secret": "of this registry" },
        "redis": redis,
    });
    let path = world.path("config.yml");
    // JSON is YAML.
    fs::write(&path, config.to_string()).unwrap();
    let server = world.serve(&["registry", "serve", path.to_str().unwrap()]);
    let port = server.greeting.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    (server, port)
}

/// Whether a registry with this section takes out of Redis what stands there.
#[track_caller]
fn is_told(redis: &Redis, section: &Value) {
    assert_eq!(redis.ask(&format!("HSET {KEY} digest x")).as_deref(), Some(":1"));
    let world = World::new();
    let (server, _) = registry(&world, section);
    until("what was cached is gone", || {
        redis.ask(&format!("EXISTS {KEY}")).as_deref() == Some(":0")
    });
    let ran = server.stop(Signal::SIGTERM);
    assert_eq!((ran.exit, ran.stderr.contains("cannot be told")), (0, false), "{}", ran.stderr);
}

#[test]
#[ignore = "needs redis-server: run cargo xtask test"]
fn redis_is_told_over_tls_in_the_form_of_2_8_and_of_3() {
    let redis = Redis::start("no");
    let ca = redis.path("ca.crt");
    is_told(&redis, &redis.section("addr", &json!({ "enabled": true, "rootcas": [ca] })));
    is_told(&redis, &redis.section("addr", &json!({ "enabled": true, "clientcas": [ca] })));
    is_told(&redis, &redis.section("addrs", &json!({ "rootcas": [ca] })));
}

#[test]
#[ignore = "needs redis-server: run cargo xtask test"]
fn a_redis_that_wants_certificates_is_shown_one() {
    let redis = Redis::start("yes");
    write_pair(&redis.folder, "client", &redis.authority.issue("registry.example.com"));
    let tls = json!({
        "rootcas": [redis.path("ca.crt")],
        "certificate": redis.path("client.crt"), "key": redis.path("client.key"),
    });
    for form in ["addr", "addrs"] {
        is_told(&redis, &redis.section(form, &tls));
    }
}

/// The registry serves and deletes, says why Redis is not told, and says no password.
#[track_caller]
fn goes_on_without(section: &Value, reason: &str) {
    let world = World::new();
    let (server, port) = registry(&world, section);
    let said =
        || server.said().lines().find(|line| line.contains("cannot be told")).map(str::to_owned);
    until("the log says so", || said().is_some());
    let line = said().unwrap();
    assert!(line.contains("level=warning") && line.contains(reason), "{line}\nlacks {reason}");
    let mut client = Client::new(port);
    let digest = client.push_blob("app", b"hello");
    assert_eq!(client.get(&format!("/v2/app/blobs/{digest}")).expect(200).body, b"hello");
    let target = format!("/v2/app/blobs/{}", sha256(b"hello"));
    client.ask(&Request::new("DELETE", &*target)).expect(202);
    client.get(&target).expect(404);
    let ran = server.stop(Signal::SIGTERM);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    // It is said once, however often it is tried.
    assert_eq!(ran.stderr.matches("cannot be told").count(), 1, "{}", ran.stderr);
}

#[test]
#[ignore = "needs redis-server: run cargo xtask test"]
fn a_redis_that_proves_nothing_is_not_told_and_the_registry_goes_on() {
    let (redis, picky) = (Redis::start("no"), Redis::start("yes"));
    let stranger = redis.path("stranger.crt");
    fs::write(&stranger, Authority::new().certificate).unwrap();
    for form in ["addr", "addrs"] {
        let section = redis.section(form, &json!({ "rootcas": [stranger] }));
        goes_on_without(&section, "invalid peer certificate");
    }
    // The system trusts nobody who would say that this is localhost.
    let system = redis.section("addr", &json!({ "enabled": true }));
    goes_on_without(&system, "invalid peer certificate");
    let tls = json!({ "rootcas": [redis.path("ca.crt")] });
    let mut other_name = redis.section("addr", &tls);
    other_name["addr"] = json!(format!("127.0.0.1:{}", redis.tls));
    goes_on_without(&other_name, "certificate not valid for name");
    let mut no_tls = redis.section("addr", &tls);
    no_tls["addr"] = json!(format!("localhost:{}", redis.plain));
    // It waits for the end of a line, which may stand in the middle of a handshake or not.
    goes_on_without(&no_tls, "error=");
    let unshown = picky.section("addr", &json!({ "rootcas": [picky.path("ca.crt")] }));
    // Whether its reason arrives before its end is chance.
    goes_on_without(&unshown, "the connection broke: ");
    assert_eq!(redis.ask("DBSIZE").as_deref(), Some(":0"));
}

#[test]
fn an_authority_that_cannot_be_read_is_refused_at_the_start() {
    let world = World::new();
    let config = json!({
        "version": 0.1,
        "storage": {
            "filesystem": { "rootdirectory": world.path("data") },
            "cache": { "blobdescriptor": "redis" },
        },
        "http": { "addr": "127.0.0.1:0", "secret": "of this registry" },
        "redis": {
            "addr": "localhost:6379", "password": PASSWORD,
            "tls": { "rootcas": [world.path("ca.crt")] },
        },
    });
    let path = world.path("config.yml");
    fs::write(&path, config.to_string()).unwrap();
    for (text, reason) in
        [(None, "No such file"), (Some("nothing\n"), "holds no certificates in PEM")]
    {
        if let Some(text) = text {
            fs::write(world.path("ca.crt"), text).unwrap();
        }
        let ran = world.run(&["registry", "serve", path.to_str().unwrap()]);
        assert_ne!(ran.exit, 0);
        let said = ran.stderr;
        assert!(said.contains("redis.tls") && said.contains("`[ROOT]/ca.crt`"), "{said}");
        assert!(said.contains(reason) && !said.contains("hunter2"), "{said}");
    }
}
