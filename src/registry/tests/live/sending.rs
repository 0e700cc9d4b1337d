//! Blobs that the kernel sends: every answer has the bytes that it should have, or is cut off.

use std::{fmt::Write as _, fs, io, path::PathBuf, time::Duration};

use rustix::fs::{Advice, fadvise};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use crate::{
    client::{Answer, Client},
    pusher::{self, DOCKER, image, push_blob, sha256},
    server::{Running, eventually},
};

/// More than the buffers of two sockets hold.
const LARGE: usize = 48 << 20;

/// So many bytes, of which no sixteen stand in two places.
fn content(size: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        let at = text.len();
        writeln!(text, "{at:015}").unwrap();
    }
    text.truncate(size);
    text
}

async fn push(running: &Running, text: &str) -> String {
    push_blob(&mut running.client().await, "app", text).await;
    format!("/v2/app/blobs/{}", sha256(text))
}

fn file(running: &Running, text: &str) -> PathBuf {
    let hex = sha256(text).to_string().split_off("sha256:".len());
    running.path(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
}

fn sent_of_files(running: &Running) -> usize {
    usize::try_from(running.control.statistics().bytes_sent_of_files).unwrap()
}

/// Waits until so much is counted: a client may have the last bytes before they are.
async fn expect_sent(running: &Running, bytes: usize) {
    eventually("the kernel has sent it", || sent_of_files(running) >= bytes).await;
    assert_eq!(sent_of_files(running), bytes);
}

#[track_caller]
fn assert_same(found: &[u8], expected: &str) {
    let differs =
        found.iter().zip(expected.as_bytes()).position(|(found, expected)| found != expected);
    assert_eq!((found.len(), differs), (expected.len(), None));
}

/// What an answer of several parts should say.
fn parts(answer: &Answer, text: &str, ranges: &[(usize, usize)]) -> String {
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut body = String::new();
    for (from, to) in ranges {
        write!(
            body,
            "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {from}-{to}/{}\r\n\r\n{}\r\n",
            text.len(),
            &text[*from..=*to],
        )
        .unwrap();
    }
    write!(body, "--{boundary}--\r\n").unwrap();
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn wholes_and_parts_have_the_bytes_of_the_blob_and_the_kernel_sends_them() {
    let running = Running::start();
    let text = content((3 << 20) + 5);
    let target = push(&running, &text).await;
    let mut client = running.client().await;
    assert_same(&client.get(&target, "").await.expect(200).body, &text);
    expect_sent(&running, text.len()).await;
    let answer = client.get(&target, "Range: bytes=1000-2000000\r\n").await.expect(206);
    assert_same(&answer.body, &text[1000..=2_000_000]);
    expect_sent(&running, text.len() + 1_999_001).await;
    // One that is small goes with its head, in one write.
    let ranges = [(5, 300_004), (300_100, 300_199), (400_000, 3_145_732), (7, 7)];
    let said = ranges.map(|(from, to)| format!("{from}-{to}")).join(",");
    let answer = client.get(&target, &format!("Range: bytes={said}\r\n")).await.expect(206);
    assert_same(&answer.body, &parts(&answer, &text, &ranges));
    expect_sent(&running, text.len() + 1_999_001 + 300_000 + 2_745_733).await;
    let before = sent_of_files(&running);
    let head = client.ask("HEAD", &target, "").await.expect(200);
    assert_eq!(head.header("content-length"), Some("3145733"));
    client.get(&target, &format!("If-None-Match: \"{}\"\r\n", sha256(&text))).await.expect(304);
    client.get("/v2/", "").await.expect(200);
    expect_sent(&running, before).await;
    let statistics = running.control.statistics();
    assert!(statistics.bytes_sent > statistics.bytes_sent_of_files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_fits_into_one_write_is_written() {
    for (size, of_files) in [((64 << 10) - 1, 0), (64 << 10, 64 << 10)] {
        let running = Running::start();
        let text = content(size);
        let target = push(&running, &text).await;
        let mut client = running.client().await;
        assert_same(&client.get(&target, "").await.expect(200).body, &text);
        // What an answer was made of is counted before the next one.
        client.get("/v2/", "").await.expect(200);
        assert_eq!(sent_of_files(&running), of_files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_answered_in_order_each_with_its_own_bytes() {
    let running = Running::start();
    let texts = [content(700_000), content(100), content(5 << 20), content(64 << 10)];
    let texts = texts.map(|text| format!("{} {text}", text.len()));
    let mut targets = Vec::new();
    for text in &texts {
        targets.push(push(&running, text).await);
    }
    let mut client = running.client().await;
    push_blob(&mut client, "app", "{}").await;
    let manifest = image(DOCKER, "one of many");
    pusher::push(&mut client, "app", &manifest).await;
    let manifest_target = format!("/v2/app/manifests/{}", sha256(&manifest.to_string()));
    let mut asked = Vec::new();
    for turn in 0..40 {
        let (text, target) = (&texts[turn % 4], &targets[turn % 4]);
        asked.push((target.as_str(), String::new(), text.clone()));
        let (from, to) = (turn, text.len() - turn - 1);
        let lines = format!("Range: bytes={from}-{to}\r\n");
        asked.push((target.as_str(), lines, text[from..=to].to_owned()));
        asked.push((manifest_target.as_str(), String::new(), manifest.to_string()));
        asked.push(("/v2/", String::new(), "{}".to_owned()));
    }
    let mut client = running.client().await;
    let mut requests = String::new();
    for (target, lines, _) in &asked {
        write!(requests, "GET {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n").unwrap();
    }
    client.send(requests.as_bytes()).await;
    for (_, _, text) in &asked {
        assert_same(&client.answer().await.unwrap().body, text);
    }
    assert!(sent_of_files(&running) > 50 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_and_in_odd_sizes_gets_every_byte() {
    let running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    // With little room for what it has not read: the server sends parts of pieces, and waits.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(20_000).unwrap();
    let stream = socket.connect(running.address.parse().unwrap()).await.unwrap();
    let mut client = Client::on(stream);
    client.begin("GET", &target, 0).await;
    let mut read = client.first_bytes(1).await;
    for size in [1, 7, 1000, 65_537, 300_001, 1 << 20].into_iter().cycle() {
        read.extend(client.more_bytes(size.min(text.len() - read.len())).await);
        if read.len() == text.len() {
            break;
        }
    }
    assert_same(&read, &text);
    expect_sent(&running, text.len()).await;
    client.ask("GET", "/v2/", "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_becomes_shorter_while_it_is_sent_ends_the_connection_and_no_other_bytes_come()
{
    let running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    let mut client = running.client().await;
    client.begin("GET", &target, 0).await;
    let mut read = client.first_bytes(1 << 20).await;
    // Far behind what two sockets hold.
    let shorter = fs::File::options().write(true).open(file(&running, &text)).unwrap();
    shorter.set_len(LARGE as u64 / 2 + 4096 * 3).unwrap();
    read.extend(client.more_bytes(LARGE - (1 << 20)).await);
    assert!(read.len() <= LARGE / 2 + 4096 * 3, "{}", read.len());
    assert!(read.len() >= LARGE / 2, "{}", read.len());
    assert_same(&read, &text[..read.len()]);
    assert!(client.ends().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_deleted_while_it_is_sent_comes_to_its_end() {
    let running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    let mut client = running.client().await;
    client.begin("GET", &target, 0).await;
    let mut read = client.first_bytes(1 << 20).await;
    fs::remove_file(file(&running, &text)).unwrap();
    read.extend(client.more_bytes(LARGE - (1 << 20)).await);
    assert_same(&read, &text);
    client.ask("GET", &target, "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_leaves_when_the_server_is_told_to_stop_comes_to_its_end() {
    let mut running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    let mut client = running.client().await;
    client.begin("GET", &target, 0).await;
    let mut read = client.first_bytes(1 << 20).await;
    running.stop().await;
    read.extend(client.more_bytes(LARGE - (1 << 20)).await);
    assert_same(&read, &text);
    assert!(client.ends().await);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_in_the_middle_leaves_nothing_behind() {
    let running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    let path = file(&running, &text);
    let open = || {
        let files = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
        files.filter(|it| fs::read_link(it.path()).is_ok_and(|to| to == path)).count()
    };
    for _ in 0..8 {
        let mut client = running.client().await;
        client.begin("GET", &target, 0).await;
        assert_same(&client.first_bytes(100_000).await, &text[..100_000]);
        assert_eq!(open(), 1);
        drop(client);
        eventually("the file is closed", || open() == 0).await;
    }
    assert_same(&running.client().await.get(&target, "").await.body, &text);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_file_is_cut_off() {
    let running = Running::start();
    let text = content(LARGE / 2);
    let target = push(&running, &text).await;
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let began = Instant::now();
    while running.control.statistics().requests_in_flight > 0 || sent_of_files(&running) == 0 {
        sleep(Duration::from_secs(5)).await;
        assert!(began.elapsed() < Duration::from_secs(1000));
    }
    assert!(began.elapsed() > Duration::from_secs(250), "{:?}", began.elapsed());
    let mut rest = Vec::new();
    // A reset is an end, too.
    let ended = stream.read_to_end(&mut rest).await;
    assert!(
        ended.is_ok() || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    );
    assert!(rest.len() < text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_page_cache_is_read_and_sent() {
    let running = Running::start();
    let text = content(LARGE);
    let target = push(&running, &text).await;
    let mut sent = 0;
    for lines in ["", "Range: bytes=300001-40000000\r\n"] {
        let file = fs::File::open(file(&running, &text)).unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        let answer = running.client().await.get(&target, lines).await;
        let expected = if lines.is_empty() { &text[..] } else { &text[300_001..=40_000_000] };
        assert_same(&answer.body, expected);
        sent += expected.len();
        expect_sent(&running, sent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_and_ends_of_connections_get_the_same() {
    let running = Running::start();
    let text = content(1 << 20);
    let target = push(&running, &text).await;
    for request in ["HTTP/1.0\r\n\r\n", "HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"] {
        let mut client: Client = running.client().await;
        client.send(format!("GET {target} {request}").as_bytes()).await;
        assert_same(&client.answer().await.unwrap().body, &text);
        assert!(client.ends().await);
    }
    expect_sent(&running, 2 * text.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_say_what_the_kernel_has_sent() {
    let running = Running::start();
    let text = content(1 << 20);
    let target = push(&running, &text).await;
    running.client().await.get(&target, "").await.expect(200);
    expect_sent(&running, 1 << 20).await;
    let status = running.admin().await.ask("GET", "/v1/status", "").await.expect(200).json();
    assert_eq!(status["bytes"]["sent_of_files"], json!(1 << 20));
}
