//! Large blobs that nginx sends itself: what clients see is what the registry would have sent, header by header.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

use nix::unistd::geteuid;
use serde_json::Value;

use super::fixture::{CONFIG_YML, Lines, Site, VHOST};
use crate::support::http::{Answer, Request, sha256};

/// Whoever is root has the registry be somebody else, whose group nginx's workers have then.
const ACCOUNT: &str = "username = \"www-data\"\ngroup = \"www-data\"\n";
const TABLES: &str =
    "[registry.http]\nheaders = { X-Own = [\"one\"] }\n[manage_accounts]\nenable = false\n";

const SIZE: usize = 300_000;

fn lines() -> Lines<'static> {
    let registry = if geteuid().is_root() { ACCOUNT } else { "" };
    Lines { registry, tables: TABLES, ..Lines::default() }
}

/// Pushes so many bytes; returns where they are.
fn push(site: &Site, size: usize) -> String {
    let content: Vec<u8> = (0..=250).cycle().take(size).collect();
    let client = site.client();
    let begin = Request::new("POST", "/v2/app/blobs/uploads/").body("");
    let location = client.answer(&begin).expect(202).location();
    let digest = sha256(&content);
    let put = Request::new("PUT", format!("{location}&digest={digest}")).body(content);
    client.answer(&put).expect(201);
    format!("/v2/app/blobs/{digest}")
}

/// Everything that an answer says but the time, and the boundary that is made up for it.
fn seen(answer: Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let boundary = answer.header("content-type").and_then(|it| it.split_once("boundary="));
    let boundary = boundary.map_or_else(String::new, |(_, boundary)| boundary.to_owned());
    let same = |text: &str| match boundary.is_empty() {
        true => text.to_owned(),
        false => text.replace(&boundary, "BOUNDARY"),
    };
    let headers = answer.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), same(value)));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    let body = match boundary.is_empty() {
        true => answer.body,
        false => same(&String::from_utf8_lossy(&answer.body)).into_bytes(),
    };
    (answer.status, headers, body)
}

/// What the registry itself has sent, in bytes.
fn sent(site: &Site) -> u64 {
    sent_by(&site.world.path("run/regctl/registry.sock"))
}

/// The same of the registry with this admin socket.
pub(super) fn sent_by(socket: &Path) -> u64 {
    let mut socket = UnixStream::connect(socket).unwrap();
    let request = b"GET /v1/status HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(body).unwrap();
    status["bytes"]["sent"].as_u64().unwrap()
}

/// Requests whose answers nginx might shape in its own way.
fn requests(blob: &str, small: &str) -> Vec<Request> {
    let digest = blob.rsplit('/').next().unwrap();
    let get = || Request::get(blob);
    let own = format!("\"{digest}\"");
    let [past, future] = ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 2100 00:00:00 GMT"];
    vec![
        get(),
        Request::new("HEAD", blob),
        Request::get(small),
        get().header("Range", "bytes=0-9"),
        get().header("Range", "bytes=-10"),
        get().header("Range", "bytes=0-9,100-109,299990-"),
        get().header("Range", "bytes=0-199999,100-250000"),
        get().header("Range", "bytes=900000-"),
        get().header("Range", "lines=1-2"),
        Request::new("HEAD", blob).header("Range", "bytes=0-9"),
        get().header("Range", "bytes=0-9").header("If-Range", own.clone()),
        get().header("Range", "bytes=0-9").header("If-Range", digest),
        get().header("Range", "bytes=0-9").header("If-Range", "\"other\""),
        get().header("Range", "bytes=0-9").header("If-Range", future),
        get().header("Range", "bytes=0-9,20-29").header("If-Range", own.clone()),
        get().header("If-None-Match", own.clone()),
        get().header("If-None-Match", "\"other\""),
        get().header("If-None-Match", "*"),
        get().header("If-Match", own),
        get().header("If-Match", "\"other\""),
        get().header("If-Modified-Since", past),
        get().header("If-Modified-Since", future),
        get().header("If-Unmodified-Since", past),
        get().header("If-None-Match", "\"other\"").header("If-Modified-Since", future),
        get().header("Accept-Encoding", "gzip"),
        get().header("X-Regctl-Sendfile", "a client's own word"),
        get().header("Authorization", "Basic bm9ib2R5Om5vYm9keQ=="),
        Request::get(format!("/v2/app/blobs/{}", sha256(b"not there"))),
    ]
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn every_answer_is_the_same_with_and_without() {
    let site = Site::start(lines());
    let (blob, small) = (push(&site, SIZE), push(&site, 100));
    let requests = requests(&blob, &small);
    let ask = || requests.iter().map(|request| seen(site.client().answer(request))).collect();
    assert!(site.world.read(VHOST).contains("sendfile on;"), "{}", site.world.read(VHOST));
    let before = sent(&site);
    site.client().get(&blob).expect(200);
    assert!(sent(&site) - before < 10_000, "the registry has sent the blob itself");
    let with: Vec<_> = ask();

    site.edit("enable = true\n", "enable = true\nsendfile = false\n");
    site.reconfigure();
    assert!(!site.world.read(VHOST).contains("sendfile"));
    assert!(!site.world.read(CONFIG_YML).contains("sendfile"));
    let before = sent(&site);
    site.client().get(&blob).expect(200);
    assert!(sent(&site) - before > SIZE as u64);
    let without: Vec<_> = ask();
    for ((request, with), without) in requests.iter().zip(with).zip(without) {
        assert_eq!(with.0, without.0, "{request:?}");
        assert_eq!(with.1, without.1, "{request:?}");
        assert!(with.2 == without.2, "the bodies differ: {request:?}");
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn the_place_of_blobs_is_open_to_nobody() {
    let site = Site::start(lines());
    let blob = push(&site, SIZE);
    let hex = blob.rsplit(':').next().unwrap();
    let place = format!("/=storage=/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let answer = site.client().get(&place).expect(404);
    assert!(answer.body.len() < 1000);
    // A folder above it is no location at all.
    for path in ["/=storage=/", "/=storage=/docker/registry/v2/blobs/../repositories/"] {
        assert_eq!(site.client().get(path).status, 404, "{path}");
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_file_that_nginx_cannot_read_is_sent_by_the_registry() {
    let site = Site::start(lines());
    let blob = push(&site, SIZE);
    let good = seen(site.client().get(&blob));
    let vhost = site.world.path(VHOST);
    let text = fs::read_to_string(&vhost).unwrap();
    fs::write(&vhost, text.replace("/storage/docker/", "/nowhere/docker/")).unwrap();
    let hup = site.regctl(&["hup", "nginx"]);
    assert_eq!(hup.exit, 0, "{}", hup.stderr);
    let before = sent(&site);
    let sent_by_registry = || {
        let answer = seen(site.client().get(&blob));
        assert!(answer == good, "{:?}", answer.1);
        sent(&site) - before > SIZE as u64
    };
    super::fixture::until("the registry sends it", sent_by_registry);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn status_says_why_nginx_sends_no_blobs() {
    let nginx = "custom_gitlab_server_config = \"add_header X-Frame-Options DENY always;\"";
    let site = Site::start(Lines { nginx, ..lines() });
    let blob = push(&site, SIZE);
    assert_eq!(site.client().get(&blob).expect(200).header("x-frame-options"), Some("DENY"));
    let said = site.regctl(&["status", "nginx"]).stdout;
    let why = "sendfile: off: `registry.nginx.custom_gitlab_server_config` adds headers";
    assert!(said.contains(why), "{said}");
    site.edit(nginx, "");
    site.reconfigure();
    assert!(site.world.read(VHOST).contains("sendfile on;"));
    assert!(!site.regctl(&["status", "nginx"]).stdout.contains("sendfile"));
}

#[test]
#[ignore = "needs root and nginx: run cargo xtask test"]
fn a_storage_that_nginx_may_not_enter_is_named() {
    // Root's instance without an account: nginx's workers are nobody, who may not enter root's storage.
    let site = Site::start(Lines::default());
    let blob = push(&site, SIZE);
    site.client().get(&blob).expect(200);
    let said = site.regctl(&["status", "nginx"]).stdout;
    let why = "sendfile: off: nginx's workers, `nobody`, cannot enter `";
    assert!(said.contains(why), "{said}");
    // The folder is there now, and nothing else is said of it.
    assert_eq!(site.reconfigure(), "nothing to change\n");
    assert!(site.regctl(&["status", "nginx"]).stdout.contains(why));
}
