//! A client of TLS that checks certificates, has each request on a connection of its own, and repeats nothing.
//!
//! What goes wrong is a value: tests count it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use crate::support::http::{Answer, Request};

/// A server that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Client {
    config: Arc<ClientConfig>,
    host: String,
    port: u16,
    authorization: Option<String>,
    /// What a balancer says of the client before it says anything itself.
    preface: String,
}

/// An answer, and what the server showed to prove who it is.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) certificate: Vec<u8>,
}

impl Client {
    /// A client that trusts this authority only.
    pub(super) fn new(host: &str, port: u16, authority: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Self { config, host: host.to_owned(), port, authorization: None, preface: String::new() }
    }

    pub(super) fn with_password(mut self, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.authorization = Some(format!("Basic {credentials}"));
        self
    }

    /// The same client at another port.
    pub(super) fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// What it says who it is with.
    pub(super) fn authorization(&self) -> String {
        self.authorization.clone().unwrap_or_default()
    }

    /// As a balancer with the PROXY protocol passes a client on.
    pub(super) fn behind_a_balancer(mut self, address: &str) -> Self {
        self.preface = format!("PROXY TCP4 {address} 127.0.0.1 40000 443\r\n");
        self
    }

    /// Asks once.
    pub(super) fn ask(&self, request: &Request) -> io::Result<Answered> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        socket.write_all(self.preface.as_bytes())?;
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name);
        let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, socket);
        stream.write_all(&self.complete(request).bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let shown = stream.conn.peer_certificates().unwrap_or_default();
        let certificate = shown.first().map(|first| first.to_vec()).unwrap_or_default();
        Ok(Answered { answer: read(&request.method, &bytes)?, certificate })
    }

    /// Asks once, and panics if there is no answer.
    #[track_caller]
    pub(super) fn answer(&self, request: &Request) -> Answer {
        self.ask(request).unwrap_or_else(|error| panic!("{request:?}: {error}")).answer
    }

    #[track_caller]
    pub(super) fn get(&self, target: &str) -> Answer {
        self.answer(&Request::get(target))
    }

    fn complete(&self, request: &Request) -> Request {
        let mut request = request.clone().header("Connection", "close");
        if !request.has("host") {
            let port = match self.port {
                443 => String::new(),
                port => format!(":{port}"),
            };
            request = request.header("Host", format!("{}{port}", self.host));
        }
        match &self.authorization {
            Some(value) if !request.has("authorization") => {
                request.header("Authorization", value.clone())
            }
            _ => request,
        }
    }
}

/// Reads an answer that is all that the connection brought.
fn read(method: &str, bytes: &[u8]) -> io::Result<Answer> {
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is cut off");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let body = bytes[end + 4..].to_vec();
    let status = status.ok_or_else(cut)?;
    let answer = Answer { status, headers: headers.collect(), body, is_whole: true };
    let length = answer.header("content-length").map(|length| length.parse::<usize>());
    match length {
        Some(Ok(length)) if method != "HEAD" && answer.body.len() != length => Err(cut()),
        _ => Ok(answer),
    }
}
