//! What a client may take of a server: headers, connections, time.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    client::Client,
    pusher::{push_blob, sha256},
    server::{Running, eventually},
};

/// The beginning of a connection of HTTP/2, with empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Waits until the server ends a connection on which this was sent, and says how long that took.
async fn patience(running: &Running, beginning: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = timeout(Duration::from_secs(600), stream.read_to_end(&mut rest)).await.unwrap();
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_long_or_too_many_get_431() {
    let running = Running::start();
    for headers in [
        format!("X-Long: {}\r\n", "x".repeat(256 * 1024)),
        (0..150).map(|number| format!("X-{number}: x\r\n")).collect(),
    ] {
        let mut client = running.client().await;
        client.send(format!("GET /v2/ HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes()).await;
        client.answer().await.unwrap().expect(431);
    }
    // A token of 32 KiB is long, and it is a token.
    let mut client = running.client().await;
    let token = "x".repeat(32 * 1024);
    let head = format!("GET /v2/ HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.send(head.as_bytes()).await;
    client.answer().await.unwrap().expect(200);
}

#[tokio::test(start_paused = true)]
async fn who_never_finishes_a_request_or_never_asks_is_cut_off() {
    let plain = Running::start();
    let h2c = Running::with("h2c: {enabled: true}");
    let silent_stream = [PREFACE, b"\0\0\x01\x01\0\0\0\0\x01\x82"].concat();
    for (running, beginning) in [
        (&plain, &b""[..]),
        (&plain, b"GET /v2/ HTTP/1.1\r\nHost: te"),
        (&h2c, b""),
        (&h2c, b"PRI * HT"),
        (&h2c, PREFACE),
        // Headers whose rest never comes.
        (&h2c, &silent_stream),
    ] {
        let took = patience(running, beginning).await;
        assert!(took < Duration::from_secs(180), "{took:?} for {beginning:?}");
    }
    assert_eq!(plain.control.statistics().requests_served, 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_outlasts_the_idle_time_of_nginx() {
    let running = Running::start();
    let took = patience(&running, b"GET /v2/ HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert!(took > Duration::from_secs(60) && took < Duration::from_secs(180), "{took:?}");
    assert_eq!(running.control.statistics().requests_served, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_waits_for_one_that_ends() {
    let running = Running::with_more("", "regctl: {http: {maxconnections: 2}}");
    let mut first = running.client().await;
    let mut second = running.client().await;
    first.ask("GET", "/v2/", "").await.expect(200);
    second.ask("GET", "/v2/", "").await.expect(200);
    let mut third = running.client().await;
    third.begin("GET", "/v2/", 0).await;
    assert_eq!(running.control.statistics().connections_open, 2);
    drop(first);
    third.answer().await.unwrap().expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_back_its_requests_at_once_is_sent_away() {
    let running = Running::with("h2c: {enabled: true}");
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    let mut flood = PREFACE.to_vec();
    for number in 0..20_000_u32 {
        let id = (number * 2 + 1).to_be_bytes();
        // HEADERS with END_STREAM and END_HEADERS (GET, http, /), then RST_STREAM with CANCEL.
        flood.extend([0, 0, 3, 1, 5, id[0], id[1], id[2], id[3], 0x82, 0x86, 0x84]);
        flood.extend([0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
    }
    // It may be cut off before all is written.
    let _ = stream.write_all(&flood).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap();
    assert!(running.control.statistics().requests_served < 20_000);
    let mut other: Client = running.client().await;
    other.ask("GET", "/v2/", "").await.expect(200);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// HEADERS of a GET, with `END_STREAM` and `END_HEADERS`.
fn get(stream: u32, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let headers = [&[0x82, 0x86, 0x01, 4][..], b"test", &[0x04, length], path.as_bytes()].concat();
    frame(1, 5, stream, &headers)
}

/// A connection whose client gives no answer more room than a byte.
async fn stalling(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 1])).await.unwrap();
    stream
}

/// The next frame, its kind first; none at the end. PINGs are answered.
async fn next(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.ok()?;
        match (head[3], head[4]) {
            (6, 0) => stream.write_all(&frame(6, 1, 0, &payload)).await.ok()?,
            (kind, _) => return Some((kind, payload)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_its_answers_is_cut_off_though_it_answers_pings() {
    let running = Running::with("h2c: {enabled: true}");
    let mut client = running.client().await;
    let large = "x".repeat(1 << 20);
    push_blob(&mut client, "app", &large).await;
    let path = format!("/v2/app/blobs/{}", sha256(&large));
    let mut stream = stalling(&running).await;
    let began = Instant::now();
    for number in 0..10 {
        stream.write_all(&get(number * 2 + 1, &path)).await.unwrap();
    }
    while next(&mut stream).await.is_some() {}
    let took = began.elapsed();
    assert!((300..=620).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_there_are_no_open_files_for_are_told_to_come_back() {
    let running = Running::with("h2c: {enabled: true}");
    let mut client = running.client().await;
    let large = "x".repeat(1 << 20);
    push_blob(&mut client, "app", &large).await;
    let path = format!("/v2/app/blobs/{}", sha256(&large));
    let (mut streams, mut refused) = (Vec::new(), 0);
    // A hundred more than are ever let in.
    for _ in 0..12 {
        let mut stream = stalling(&running).await;
        for number in 0..100 {
            stream.write_all(&get(number * 2 + 1, &path)).await.unwrap();
        }
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut answers = 0;
        while answers < 100 {
            let (kind, payload) = next(stream).await.unwrap();
            if kind == 1 {
                answers += 1;
                // 503 as HPACK packs it; a connection says it once, and then by a number.
                refused += usize::from(payload.windows(2).any(|text| text == [0x6c, 0x0c]));
            }
        }
    }
    assert!(refused > 0);
    // Everybody else is served.
    running.client().await.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http2_gets_the_bytes_of_a_blob_that_the_kernel_sends_to_others() {
    let running = Running::with("h2c: {enabled: true}");
    let text: String = ('a'..='w').cycle().take(500_000).collect();
    push_blob(&mut running.client().await, "app", &text).await;
    let path = format!("/v2/app/blobs/{}", sha256(&text));
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    let room = 1_u32 << 20;
    let settings = frame(4, 0, 0, &[&[0, 4][..], &room.to_be_bytes()].concat());
    let update = frame(8, 0, 0, &room.to_be_bytes());
    let beginning = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &update, &get(1, &path)];
    stream.write_all(&beginning.concat()).await.unwrap();
    let mut body = Vec::new();
    while body.len() < text.len() {
        let (kind, payload) = next(&mut stream).await.unwrap();
        if kind == 0 {
            body.extend(payload);
        }
    }
    assert!(body == text.as_bytes());
    assert_eq!(running.control.statistics().bytes_sent_of_files, 0);
    // Who begins with HTTP/1 on the same listener is another matter.
    let answer = running.client().await.ask("GET", &path, "").await.expect(200);
    assert!(answer.body == text.as_bytes());
    let sent = || running.control.statistics().bytes_sent_of_files == 500_000;
    eventually("the kernel has sent it", sent).await;
}

#[tokio::test(start_paused = true)]
async fn who_stalls_in_a_large_manifest_gives_its_room_to_others() {
    let running = Running::start();
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let config = sha256("{}");
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
        "layers": [],
        "annotations": { "long": "x".repeat(200 * 1024) },
    });
    let mut stalled = Vec::new();
    for number in 0..64 {
        let mut client = running.client().await;
        let head = format!(
            "PUT /v2/app/manifests/v{number} HTTP/1.1\r\nHost: test\r\nContent-Length: 300000\r\n\r\n"
        );
        client.send(head.as_bytes()).await;
        client.send(&[b'x'; 100 * 1024]).await;
        stalled.push(client);
    }
    client.ask("PUT", "/v2/app/manifests/whole", &manifest.to_string()).await.expect(201);
    for mut client in stalled {
        let answer = client.answer().await.unwrap().expect(408);
        assert!(answer.json().to_string().contains("nothing of it came for ten seconds"));
    }
}
