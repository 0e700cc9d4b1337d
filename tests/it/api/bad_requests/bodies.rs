//! Bodies that come late, broken, too short, or not at all.

use std::fmt::Write as _;

use crate::{
    api::fixture::Registry,
    support::http::{Client, Connection, HOST, Request, sha256},
};

/// A registry, and a session in it with `hello`.
fn session() -> (Registry, Client, String) {
    let registry = Registry::start();
    let mut client = registry.client();
    let location = client.begin_upload("library/app");
    let location = client.append(&location, b"hello");
    (registry, client, location)
}

fn patch(location: &str, lines: &str) -> String {
    format!("PATCH {location} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n\r\n")
}

/// The session goes on where it stands, to a blob of this text.
fn resumes(client: &mut Client, location: &str, held: &str, rest: &str) {
    let status = client.get(location).expect(204);
    assert_eq!(status.header("Range").unwrap(), format!("0-{}", held.len() - 1));
    let digest = sha256(format!("{held}{rest}").as_bytes());
    client.commit(&status.location(), &digest, rest.as_bytes()).expect(201);
    let pulled = client.get(&format!("/v2/library/app/blobs/{digest}")).expect(200);
    assert_eq!(pulled.text(), format!("{held}{rest}"));
}

#[test]
fn a_body_that_breaks_off_leaves_a_session_that_goes_on() {
    let (registry, mut client, location) = session();
    let mut connection = Connection::open(registry.port());
    connection.send(patch(&location, "Content-Length: 100").as_bytes());
    connection.send(b" there");
    connection.finish();
    // There may be an answer; there is an end.
    if let Some(answer) = connection.answer("PATCH") {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert!(connection.is_over());
    resumes(&mut client, &location, "hello there", "!");
}

#[test]
fn a_last_chunk_that_breaks_off_commits_nothing() {
    let (registry, mut client, location) = session();
    let target = format!("{location}&digest={}", sha256(b"hello there"));
    let mut connection = Connection::open(registry.port());
    connection.send(patch(&target, "Content-Length: 100").replace("PATCH", "PUT").as_bytes());
    connection.send(b" there");
    connection.finish();
    while connection.answer("PUT").is_some_and(|answer| answer.status == 100) {}
    assert!(registry.tree().keys().all(|path| !path.contains("/blobs/sha256/")));
    resumes(&mut client, &location, "hello there", "");
}

#[test]
fn a_manifest_that_breaks_off_is_not_stored() {
    let registry = Registry::start();
    let mut connection = Connection::open(registry.port());
    let head =
        "PUT /v2/library/app/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    connection.send(head.as_bytes());
    connection.send(b"{}");
    connection.finish();
    while connection.answer("PUT").is_some() {}
    assert_eq!(registry.client().get("/v2/").expect(200).text(), "{}");
    assert!(registry.file("repositories/library/app/_manifests/tags/v1/current/link").is_none());
}

#[test]
fn a_session_can_be_taken_over_while_its_writer_hangs() {
    let (registry, mut client, location) = session();
    let mut hanging = Connection::open(registry.port());
    hanging.send(patch(&location, "Content-Length: 100\r\nExpect: 100-continue").as_bytes());
    assert_eq!(hanging.answer("PATCH").unwrap().status, 100);
    // Nothing comes on that connection any more; its client asks again on another.
    client.commit(&location, &sha256(b"hello"), b"").expect(201);
    client.get(&location).expect(404);
}

#[test]
fn who_expects_100_gets_it_before_the_body() {
    let (registry, mut client, location) = session();
    let mut connection = Connection::open(registry.port());
    connection.send(patch(&location, "Content-Length: 6\r\nExpect: 100-continue").as_bytes());
    assert_eq!(connection.answer("PATCH").unwrap().status, 100);
    connection.send(b" there");
    assert_eq!(connection.answer("PATCH").unwrap().status, 202);
    resumes(&mut client, &location, "hello there", "");
}

#[test]
fn who_expects_100_and_may_not_is_told_before_the_body() {
    let (registry, _client, location) = session();
    let (path, _) = location.split_once('?').unwrap();
    let mut connection = Connection::open(registry.port());
    connection.send(patch(path, "Content-Length: 6\r\nExpect: 100-continue").as_bytes());
    let answer = connection.answer("PATCH").unwrap();
    assert_eq!((answer.status, answer.codes()), (404, vec!["BLOB_UPLOAD_INVALID".to_owned()]));
}

#[test]
fn chunks_that_are_none_leave_what_came_before() {
    let bad = [
        "xyz\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "3\r\nabcd\r\n0\r\n\r\n",
    ];
    for chunks in bad {
        let (registry, mut client, location) = session();
        let mut connection = Connection::open(registry.port());
        connection.send(patch(&location, "Transfer-Encoding: chunked").as_bytes());
        connection.send(format!("6\r\n there\r\n{chunks}").as_bytes());
        let answer = connection.answer("PATCH");
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(matches!(status, None | Some(400)), "{chunks:?}: {answer:?}");
        let held = client.get(&location).expect(204);
        let range = held.header("Range").unwrap();
        assert!(["0-10", "0-13"].contains(&range), "{chunks:?}: {range}");
        assert_eq!(client.get("/v2/").expect(200).text(), "{}");
    }
}

#[test]
fn chunk_extensions_and_trailers_are_no_part_of_the_blob() {
    let (registry, mut client, location) = session();
    let mut connection = Connection::open(registry.port());
    connection.send(patch(&location, "Transfer-Encoding: chunked\r\nTrailer: X-Sum").as_bytes());
    connection.send(b"6;name=value\r\n there\r\n0\r\nX-Sum: abc\r\n\r\n");
    assert_eq!(connection.answer("PATCH").unwrap().status, 202);
    resumes(&mut client, &location, "hello there", "");
}

#[test]
fn a_request_with_length_and_chunks_smuggles_nothing() {
    let (registry, mut client, location) = session();
    let before = registry.tree();
    let smuggled = format!("DELETE {location} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut connection = Connection::open(registry.port());
        let mut bytes = format!("GET /v2/ HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n\r\n");
        write!(bytes, "0\r\n\r\n{smuggled}").unwrap();
        connection.send(bytes.as_bytes());
        let answer = connection.answer("GET").unwrap();
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        // RFC 9112, section 6.1: the server MUST close the connection after responding.
        assert!(connection.is_over(), "{lines:?}: the connection goes on");
        assert_eq!(registry.tree(), before, "{lines:?}");
    }
    client.get(&location).expect(204);
}

#[test]
fn http_1_0_has_no_chunks() {
    let (registry, mut client, location) = session();
    let mut connection = Connection::open(registry.port());
    let head = patch(&location, "Transfer-Encoding: chunked").replace("HTTP/1.1", "HTTP/1.0");
    connection.send(format!("{head}6\r\n there\r\n0\r\n\r\n").as_bytes());
    // RFC 9112, section 6.1: its framing is faulty, and the connection ends.
    let status = connection.answer("PATCH").map(|answer| answer.status);
    assert!(matches!(status, None | Some(400)), "{status:?}");
    assert!(connection.is_over());
    resumes(&mut client, &location, "hello", "!");
}

#[test]
fn requests_in_one_write_are_answered_in_order() {
    let (registry, _client, location) = session();
    let mut connection = Connection::open(registry.port());
    let targets = ["/v2/", "/v2/_catalog", &location, "/v2/none/tags/list", "/"];
    let bytes: Vec<u8> = targets.iter().flat_map(|target| Request::get(*target).bytes()).collect();
    connection.send(&bytes);
    let statuses = targets.map(|_| connection.answer("GET").unwrap().status);
    assert_eq!(statuses, [200, 200, 204, 404, 200]);
}
