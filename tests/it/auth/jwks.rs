//! Keys that an issuer publishes under a URL: asked for, asked for again, and missed.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, Header};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};

use super::{
    fixture::{Registry, bearing, token},
    token::numbers,
};
use crate::support::{
    World,
    certificate::{Authority, Certified},
    http::Request,
    issuer::{Issuer, claims},
};

/// Twice as long as the pause between two questions.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where keys are published; it ends with the test's process.
struct Publisher {
    port: u16,
    tls: Option<Arc<ServerConfig>>,
    /// What is answered; none: each connection is ended without an answer.
    keys: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Publisher {
    fn start(keys: &[(&str, &Issuer)]) -> Arc<Self> {
        Self::start_with(None, keys)
    }

    fn start_with(pair: Option<&Certified>, keys: &[(&str, &Issuer)]) -> Arc<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let publisher = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            tls: pair.map(server),
            keys: Mutex::new(Some(set(keys))),
            asked: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&publisher);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that has gone, or does not believe a certificate, is no reason to end.
                let _ = serving.serve(stream.unwrap());
            }
        });
        publisher
    }

    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}/keys?of=registry", self.port)
    }

    fn publish(&self, keys: &[(&str, &Issuer)]) {
        *self.keys.lock().unwrap() = Some(set(keys));
    }

    fn leave(&self) {
        *self.keys.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        match &self.tls {
            None => self.answer(stream),
            Some(tls) => {
                let connection = ServerConnection::new(Arc::clone(tls));
                let connection = connection.map_err(std::io::Error::other)?;
                self.answer(StreamOwned::new(connection, stream))
            }
        }
    }

    fn answer(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        assert!(head.starts_with("GET /keys?of=registry HTTP/1.1\r\n"), "{head}");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let Some(keys) = self.keys.lock().unwrap().clone() else { return Ok(()) };
        let length = keys.len();
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{keys}"
        )?;
        stream.get_mut().flush()
    }
}

fn server(pair: &Certified) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// A document with the issuers' keys under these names.
fn set(keys: &[(&str, &Issuer)]) -> String {
    let key = |(kid, issuer): &(&str, &Issuer)| {
        let (n, e) = numbers(&issuer.public_key());
        json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n, "e": e })
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() }).to_string()
}

/// Trusts what is published, and nothing else.
fn published(world: &World, url: &str) -> Value {
    let mut auth = token(world, &Issuer::new());
    auth["token"].as_object_mut().unwrap().remove("rootcertbundle");
    auth["token"]["jwks"] = json!(url);
    auth
}

/// What a token that names its key in this way gets.
fn status(registry: &Registry, kid: &str, issuer: &Issuer) -> u16 {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    let token = issuer.sign_with(&header, &claims(&[]));
    registry.ask(&bearing(Request::get("/v2/"), &token)).status
}

/// Looks until something is so, as a client would that tries again.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        // The processors are for what is waited for.
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn keys_are_asked_for_with_the_first_token_and_once() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let publisher = Publisher::start(&[("one", &issuer)]);
    let registry = Registry::start(|world| published(world, &publisher.url()));
    registry.ask(&Request::get("/v2/")).expect(401);
    assert_eq!(publisher.asked(), 0);
    for _ in 0..3 {
        assert_eq!(status(&registry, "one", &issuer), 200);
        assert_eq!(status(&registry, "one", &stranger), 401);
        assert_eq!(status(&registry, "other", &stranger), 401);
    }
    // Strangers do not have the issuer asked for each of their tokens.
    assert_eq!(publisher.asked(), 1);
}

#[test]
fn a_new_key_is_found_and_the_old_one_is_refused_from_then_on() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let publisher = Publisher::start(&[("old", &old)]);
    let registry = Registry::start(|world| published(world, &publisher.url()));
    assert_eq!([status(&registry, "old", &old), status(&registry, "new", &new)], [200, 401]);
    publisher.publish(&[("new", &new)]);
    until("the new key counts", || status(&registry, "new", &new) == 200);
    assert_eq!(publisher.asked(), 2);
    // Under its own name, and under that of the other.
    assert_eq!([status(&registry, "old", &old), status(&registry, "new", &old)], [401, 401]);
    // Nobody there: those known last go on.
    publisher.leave();
    let asked = publisher.asked();
    until("it is asked in vain", || {
        assert_eq!(status(&registry, "old", &old), 401);
        publisher.asked() > asked
    });
    assert_eq!(status(&registry, "new", &new), 200);
    let log = registry.stop().stderr;
    let lost: Vec<_> = log.lines().filter(|line| line.contains("keys cannot be had")).collect();
    assert!(
        matches!(lost[..], [line] if line.contains("/keys") && line.contains("error=")),
        "{log}"
    );
    assert!(!log.contains("of=registry"), "a query may be a secret: {log}");
}

#[test]
fn nobody_gets_in_while_no_key_was_ever_had_and_everybody_once_there_are() {
    let issuer = Issuer::new();
    let publisher = Publisher::start(&[("one", &issuer)]);
    publisher.leave();
    let registry = Registry::start(|world| published(world, &publisher.url()));
    for _ in 0..3 {
        assert_eq!(status(&registry, "one", &issuer), 401);
    }
    publisher.publish(&[("one", &issuer)]);
    until("the keys are there", || status(&registry, "one", &issuer) == 200);
    let log = registry.stop().stderr;
    assert!(log.contains("there is no key to verify it with"), "{log}");
}

#[test]
fn keys_come_over_https_from_whom_the_system_trusts_and_from_nobody_else() {
    let (issuer, authority) = (Issuer::new(), Authority::new());
    let pair = authority.issue("localhost");
    for (trusted, expected) in [(authority.certificate, 200), (Authority::new().certificate, 401)] {
        let publisher = Publisher::start_with(Some(&pair), &[("one", &issuer)]);
        let auth = |world: &World| published(world, &publisher.url());
        let registry = Registry::start_trusting(&trusted, auth);
        assert_eq!(status(&registry, "one", &issuer), expected);
        assert_eq!(publisher.asked(), usize::from(expected == 200));
        let log = registry.stop().stderr;
        assert_eq!(log.contains("invalid peer certificate"), expected == 401, "{log}");
    }
}
