//! A server that speaks TLS: to whom, how, and with which certificate.

use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};

use rustls::version::{TLS12, TLS13};
use rustls_pki_types::CertificateDer;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use crate::{
    authority::{Authority, Pair, connect, der},
    client::Client,
    server::Running,
};

/// A server with a certificate, and these lines in `http.tls`.
fn start(authority: &Authority, lines: &str) -> Running {
    authority.install(&authority.pair());
    Running::with(&format!("draintimeout: 60s, {}", authority.section(lines)))
}

/// What the server shows to a new connection.
async fn shown(authority: &Authority, running: &Running) -> CertificateDer<'static> {
    let stream = authority.connect(&running.address).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Whether a client gets an answer.
async fn is_answered(running: &Running, config: rustls::ClientConfig) -> bool {
    let Ok(stream) = connect(&running.address, config).await else { return false };
    let mut client = Client::on(stream);
    client.begin("GET", "/v2/", 0).await;
    // By TLS 1.3 a client hears only afterwards that its certificate is not taken.
    client.answer().await.is_some_and(|answer| answer.status == 200)
}

/// What curl says of `/v2/`, with these arguments.
async fn curl(authority: &Authority, running: &Running, arguments: &[&str]) -> String {
    let port = running.address.rsplit_once(':').unwrap().1;
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]);
    command.arg(authority.path("ca.pem")).args(arguments);
    command.args(["--write-out", "%{http_version} %{http_code}", "--output", "/dev/null"]);
    command.arg(format!("https://localhost:{port}/v2/"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_are_negotiated_and_urls_begin_with_https() {
    let authority = Authority::new();
    let running = start(&authority, "");
    assert_eq!(curl(&authority, &running, &["--http2"]).await, "2 200");
    assert_eq!(curl(&authority, &running, &["--http1.1"]).await, "1.1 200");
    let mut client = Client::on(authority.connect(&running.address).await);
    let answer = client.ask("POST", "/v2/app/blobs/uploads/", "").await.expect(202);
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("https://test/v2/app/blobs/uploads/"), "{location}");
    // A proxy in front knows better.
    let head = "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: test\r\nX-Forwarded-Proto: http\r\nContent-Length: 0\r\n\r\n";
    client.send(head.as_bytes()).await;
    let answer = client.answer().await.unwrap().expect(202);
    assert!(answer.header("location").unwrap().starts_with("http://test/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_can_be_switched_off() {
    let authority = Authority::new();
    authority.install(&authority.pair());
    let running = Running::with(&format!("http2: {{disabled: true}}, {}", authority.section("")));
    assert_eq!(curl(&authority, &running, &["--http2"]).await, "1.1 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_counts_from_the_next_connection_on() {
    let authority = Authority::new();
    let running = start(&authority, "");
    let mut old = Client::on(authority.connect(&running.address).await);
    let renewed = authority.pair();
    authority.install(&renewed);
    assert_eq!(shown(&authority, &running).await, der(&renewed.certificate));
    // Connections that were there notice nothing.
    old.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_or_half_installed_certificate_leaves_the_former_one_in_force() {
    let authority = Authority::new();
    let running = start(&authority, "");
    let former = shown(&authority, &running).await;
    let renewed = authority.pair();
    fs::write(authority.path("server.pem"), &renewed.certificate).unwrap();
    assert_eq!(shown(&authority, &running).await, former);
    fs::write(authority.path("server.pem"), "no certificate\n").unwrap();
    assert_eq!(shown(&authority, &running).await, former);
    fs::remove_file(authority.path("server.key")).unwrap();
    assert_eq!(shown(&authority, &running).await, former);
    let reloaded = running.admin().await.ask("POST", "/v1/reload", "").await.expect(200).json();
    assert_eq!(reloaded["applied"].as_array().unwrap().len(), 0);
    authority.install(&renewed);
    assert_eq!(shown(&authority, &running).await, der(&renewed.certificate));
}

/// As Docker's instructions make it: `openssl req -x509` gives an authority that has signed itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_be_its_own_authority_while_its_certificate_is_valid() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let client = Authority::new();
    let cas = format!("clientcas: ['{}']", client.path("ca.pem").display());
    let running = start(&authority, &cas);
    for version in [&TLS12, &TLS13] {
        let own = authority.client(&[version], Some(&client.itself()));
        assert!(is_answered(&running, own).await, "{version:?}");
        let foreign = authority.client(&[version], Some(&stranger.itself()));
        assert!(!is_answered(&running, foreign).await, "{version:?}");
    }
    let expired = Authority::expired();
    let running =
        start(&authority, &format!("clientcas: ['{}']", expired.path("ca.pem").display()));
    let config = authority.client(&[&TLS13], Some(&expired.itself()));
    assert!(!is_answered(&running, config).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_show_what_the_configuration_asks_for() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let cas = format!("clientcas: ['{}']", authority.path("ca.pem").display());
    let (own, foreign) = (authority.pair(), stranger.pair());
    let pairs: [Option<&Pair>; 3] = [None, Some(&own), Some(&foreign)];
    for (lines, welcome) in [
        (String::new(), [true, true, true]),
        (cas.clone(), [false, true, false]),
        (format!("{cas}, clientauth: verify-client-cert-if-given"), [true, true, false]),
        ("clientauth: require-any-client-cert".to_owned(), [false, true, true]),
        ("clientauth: request-client-cert".to_owned(), [true, true, true]),
    ] {
        let running = start(&authority, &lines);
        for version in [&TLS12, &TLS13] {
            for (pair, is_welcome) in pairs.into_iter().zip(welcome) {
                let config = authority.client(&[version], pair);
                let is_pair = pair.map(|pair| std::ptr::eq(pair, &own));
                let answered = is_answered(&running, config).await;
                assert_eq!(answered, is_welcome, "{lines}, {version:?}, {is_pair:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_suites_are_those_of_the_configuration() {
    let authority = Authority::new();
    let running = start(&authority, "minimumtls: tls1.3");
    assert!(!is_answered(&running, authority.client(&[&TLS12], None)).await);
    assert!(is_answered(&running, authority.client(&[&TLS13], None)).await);
    let one = "ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]";
    let running = start(&authority, one);
    let stream = connect(&running.address, authority.client(&[&TLS12], None)).await.unwrap();
    let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
    assert_eq!(format!("{:?}", suite.suite()), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    // As Go: those of 1.3 are not what was chosen from.
    assert!(is_answered(&running, authority.client(&[&TLS13], None)).await);
    let running = start(&authority, "ciphersuites: [TLS_CHACHA20_POLY1305_SHA256]");
    assert!(!is_answered(&running, authority.client(&[&TLS12], None)).await);
    let stream = authority.connect(&running.address).await;
    let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
    assert_eq!(format!("{:?}", suite.suite()), "TLS13_CHACHA20_POLY1305_SHA256");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_http_where_tls_is_spoken_is_told() {
    let authority = Authority::new();
    let running = start(&authority, "");
    let mut client = running.client().await;
    client.begin("GET", "/v2/", 0).await;
    assert_eq!(client.answer().await.unwrap().status, 400);
    assert!(!client.ends().await, "there are words besides the status");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_keeps_the_server_from_starting() {
    let authority = Authority::new();
    let (one, other) = (authority.pair(), authority.pair());
    authority.install(&Pair { certificate: one.certificate, key: other.key });
    let text = format!(
        "version: 0.1\nstorage: inmemory\nhttp: {{addr: '127.0.0.1:0', {}}}\n",
        authority.section("")
    );
    let config = registry::Config::parse(&text, &[]).unwrap().config;
    let error = registry::Server::open(&config).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("holds another key than that of the certificate"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_its_handshake_is_cut_off() {
    let authority = Authority::new();
    let running = start(&authority, "");
    for beginning in [&b""[..], &[22, 3, 1, 0, 200]] {
        let mut stream = TcpStream::connect(&running.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, beginning).await.unwrap();
        let mut rest = Vec::new();
        let read = timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        let _ = read.expect("it is never cut off");
    }
    assert_eq!(running.control.statistics().requests_served, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_handshake() {
    let authority = Authority::new();
    let mut running = start(&authority, "");
    let silent = TcpStream::connect(&running.address).await.unwrap();
    let mut busy = Client::on(authority.connect(&running.address).await);
    busy.ask("GET", "/v2/", "").await.expect(200);
    running.stop().await;
    assert!(busy.ends().await);
    running.end().await;
    drop(silent);
}
