//! Uploads: every way in which a client may bring a blob.

use serde_json::json;

use super::fixture::{Registry, on_each_driver};
use crate::support::http::{Answer, Client, Request, sha256};

/// What a finished upload answers, whichever way it came.
#[track_caller]
fn is_created(client: &mut Client, answer: &Answer, name: &str, bytes: &[u8]) {
    let digest = sha256(bytes);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let location = format!("http://registry.test/v2/{name}/blobs/{digest}");
    assert_eq!(answer.header("Location"), Some(&*location));
    assert_eq!(answer.header("Docker-Content-Digest"), Some(&*digest.to_string()));
    assert_eq!(answer.header("Content-Length"), Some("0"));
    assert_eq!(client.get(&answer.location()).expect(200).body, bytes);
}

/// What an open upload says of itself.
#[track_caller]
fn is_open(answer: &Answer, status: u16, range: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Range"), Some(range));
    let id = answer.header("Docker-Upload-UUID").unwrap();
    let location = answer.header("Location").unwrap();
    let before = format!("http://registry.test/v2/a/b/blobs/uploads/{id}?_state=");
    assert!(location.starts_with(&before), "{location}");
    // RFC 9110, section 8.6: a 204 has no length.
    let length = if status == 204 { None } else { Some("0") };
    assert_eq!(answer.header("Content-Length"), length);
}

/// OCI 1.1, post then put.
#[test]
pub(crate) fn post_and_put_make_a_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let begun = client.ask(&Request::new("POST", "/v2/a/b/blobs/uploads/").body(""));
        is_open(&begun, 202, "0-0");
        let answer = client.commit(&begun.location(), &sha256(b"bytes"), b"bytes");
        is_created(&mut client, &answer, "a/b", b"bytes");
        client.get(&begun.location()).expect(404);
    });
}

/// OCI 1.1, single post; 2.8 has none.
#[test]
pub(crate) fn one_post_makes_a_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = format!("/v2/a/b/blobs/uploads/?digest={}", sha256(b"bytes"));
        let answer = client.ask(&Request::new("POST", target).body("bytes"));
        is_created(&mut client, &answer, "a/b", b"bytes");
    });
}

/// 2.8, as docker pushes: PATCH without Content-Range.
#[test]
pub(crate) fn a_stream_of_chunks_without_ranges_makes_a_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let first = client.begin_upload("a/b");
        let patch = Request::new("PATCH", &first).header("Transfer-Encoding", "chunked");
        let patched = client.ask(&patch.body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"));
        is_open(&patched, 202, "0-10");
        let next = client.append(&patched.location(), b"!");
        let answer = client.commit(&next, &sha256(b"hello world!"), b"");
        is_created(&mut client, &answer, "a/b", b"hello world!");
    });
}

/// OCI 1.1, pushing a blob in chunks.
#[test]
pub(crate) fn chunks_with_ranges_make_a_blob_and_the_put_brings_the_last() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let mut location = client.begin_upload("a/b");
        for (range, bytes) in [("0-4", "hello"), ("5-5", " "), ("6-10", "world")] {
            let patch = Request::new("PATCH", &location).header("Content-Range", range);
            let patched = client.ask(&patch.body(bytes));
            let end = range.split_once('-').unwrap().1;
            is_open(&patched, 202, &format!("0-{end}"));
            location = patched.location();
        }
        let target = format!("{location}&digest={}", sha256(b"hello world!"));
        let put = Request::new("PUT", target).header("Content-Range", "11-11").body("!");
        let answer = client.ask(&put);
        is_created(&mut client, &answer, "a/b", b"hello world!");
    });
}

/// OCI 1.1, pushing a blob in chunks: the PUT may bring the last; 2.8 takes it without a range.
#[test]
pub(crate) fn a_put_without_ranges_may_bring_the_last_bytes() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        let location = client.append(&location, b"hello");
        let answer = client.commit(&location, &sha256(b"hello world"), b" world");
        is_created(&mut client, &answer, "a/b", b"hello world");
    });
}

/// OCI 1.1, pushing a blob in chunks: getting the status; 2.8 wants the state.
#[test]
pub(crate) fn an_upload_tells_how_far_it_is_with_and_without_its_state() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        is_open(&client.get(&location), 204, "0-0");
        let location = client.append(&location, b"hello");
        let (path, _) = location.split_once('?').unwrap();
        is_open(&client.get(&location), 204, "0-4");
        let told = client.get(path);
        is_open(&told, 204, "0-4");
        let answer = client.commit(&told.location(), &sha256(b"hello!"), b"!");
        is_created(&mut client, &answer, "a/b", b"hello!");
    });
}

/// OCI 1.1, pushing a blob in chunks: 416 out of order; 2.8 appends.
#[test]
pub(crate) fn after_a_refused_chunk_the_client_goes_on_where_it_is_told() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        let location = client.append(&location, b"hello");
        let patch = Request::new("PATCH", &location).header("Content-Range", "9-10");
        let refused = client.ask(&patch.body("ld"));
        assert_eq!((refused.status, refused.header("Range")), (416, Some("0-4")));
        let answer = client.commit(&refused.location(), &sha256(b"hello!"), b"!");
        is_created(&mut client, &answer, "a/b", b"hello!");
    });
}

/// 2.8: PATCH without bytes is 202.
#[test]
pub(crate) fn an_empty_chunk_changes_nothing() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        let location = client.append(&location, b"");
        let location = client.append(&location, b"hello");
        let patched = client.ask(&Request::new("PATCH", &location).body(""));
        is_open(&patched, 202, "0-4");
    });
}

/// 2.8: DELETE of an upload is 204, and it is `BLOB_UPLOAD_UNKNOWN` then.
#[test]
pub(crate) fn an_upload_that_was_given_up_is_gone() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        let location = client.append(&location, b"hello");
        let answer = client.ask(&Request::new("DELETE", &location)).expect(204);
        assert!(answer.body.is_empty());
        assert_eq!(client.get(&location).expect(404).codes(), ["BLOB_UPLOAD_UNKNOWN"]);
        let again = client.ask(&Request::new("DELETE", &location)).expect(404);
        assert_eq!(again.codes(), ["BLOB_UPLOAD_UNKNOWN"]);
        let late = client.ask(&Request::new("PATCH", &location).body("x")).expect(404);
        assert_eq!(late.codes(), ["BLOB_UPLOAD_UNKNOWN"]);
    });
}

/// 2.8: a session is its folder and its signed state.
#[test]
fn an_upload_goes_on_after_a_restart() {
    let registry = Registry::start();
    let mut client = registry.client();
    let location = client.begin_upload("a/b");
    let location = client.append(&location, b"hello");
    let registry = registry.restarted(&json!({}));
    let mut client = registry.client();
    let location = client.append(&location, b" world");
    let answer = client.commit(&location, &sha256(b"hello world"), b"");
    is_created(&mut client, &answer, "a/b", b"hello world");
}

/// OCI 1.1, pushing blobs; 2.8 answers 201 again.
#[test]
pub(crate) fn a_blob_that_is_there_already_is_pushed_again_without_harm() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        for name in ["a/b", "a/b", "c"] {
            let digest = client.push_blob(name, b"bytes");
            let answer = client.get(&format!("/v2/{name}/blobs/{digest}")).expect(200);
            assert_eq!(answer.text(), "bytes");
        }
    });
}

/// OCI 1.1, pushing blobs: the digest must match; src/README.md: accept more.
#[test]
pub(crate) fn a_wrong_digest_leaves_the_session_and_the_right_one_ends_it() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let location = client.begin_upload("a/b");
        let refused = client.commit(&location, &sha256(b"other"), b"bytes").expect(400);
        assert_eq!(refused.codes(), ["DIGEST_INVALID"]);
        let (path, _) = location.split_once('?').unwrap();
        let told = client.get(path);
        is_open(&told, 204, "0-4");
        let answer = client.commit(&told.location(), &sha256(b"bytes"), b"");
        is_created(&mut client, &answer, "a/b", b"bytes");
    });
}

/// OCI 1.1, mounting a blob.
#[test]
pub(crate) fn a_blob_of_another_repository_is_mounted() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let digest = client.push_blob("from/here", b"bytes");
        let target = format!("/v2/a/b/blobs/uploads/?mount={digest}&from=from/here");
        let answer = client.ask(&Request::new("POST", target).body(""));
        is_created(&mut client, &answer, "a/b", b"bytes");
        let encoded =
            format!("/v2/c/blobs/uploads/?from=from%2Fhere&mount=sha256%3A{}", digest.to_hex());
        let answer = client.ask(&Request::new("POST", encoded).body(""));
        is_created(&mut client, &answer, "c", b"bytes");
    });
}

/// OCI 1.1, mounting a blob: 202 where it cannot be.
#[test]
pub(crate) fn what_the_other_repository_does_not_have_is_uploaded() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let digest = client.push_blob("third/place", b"bytes");
        client.push_blob("from/here", b"other");
        let target = format!("/v2/a/b/blobs/uploads/?mount={digest}&from=from/here");
        let begun = client.ask(&Request::new("POST", target).body(""));
        is_open(&begun, 202, "0-0");
        client.get(&format!("/v2/a/b/blobs/{digest}")).expect(404);
        let answer = client.commit(&begun.location(), &digest, b"bytes");
        is_created(&mut client, &answer, "a/b", b"bytes");
    });
}

/// OCI 1.1, mounting a blob: from MAY be left out; 2.8 begins an upload.
#[test]
pub(crate) fn a_mount_without_from_finds_the_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let digest = client.push_blob("from/here", b"bytes");
        let target = format!("/v2/a/b/blobs/uploads/?mount={digest}");
        let answer = client.ask(&Request::new("POST", target).body(""));
        // src/README.md: anonymous mount is a must. OCI 1.1: the registry MAY look for it elsewhere.
        is_created(&mut client, &answer, "a/b", b"bytes");
    });
}

/// OCI 1.1, pushing a blob in chunks.
#[test]
pub(crate) fn a_large_blob_arrives_as_it_is() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let bytes: Vec<u8> =
            (0..9_000_001_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
        let location = client.begin_upload("a/b");
        let location = client.append(&location, &bytes[..5_000_000]);
        let answer = client.commit(&location, &sha256(&bytes), &bytes[5_000_000..]);
        is_created(&mut client, &answer, "a/b", &bytes);
    });
}

/// 2.8 (registry/storage/paths.go): `_uploads`.
#[test]
fn an_open_upload_is_a_folder_that_distribution_can_go_on_with() {
    let registry = Registry::start();
    let mut client = registry.client();
    let location = client.begin_upload("a/b");
    client.append(&location, b"hello");
    let id = location.split('?').next().unwrap().rsplit('/').next().unwrap();
    let folder = format!("repositories/a/b/_uploads/{id}");
    assert_eq!(registry.file(&format!("{folder}/data")).as_deref(), Some("hello"));
    let started = registry.file(&format!("{folder}/startedat")).unwrap();
    // RFC 3339 in UTC with whole seconds, as Distribution writes it.
    let shape: String = started.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "{started}");
    let before = format!("docker/registry/v2/{folder}/");
    let tree = registry.tree();
    let inside: Vec<_> = tree.keys().filter_map(|path| path.strip_prefix(&before)).collect();
    assert_eq!(inside, ["data", "startedat"]);
}
