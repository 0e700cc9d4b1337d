//! Blobs: what a client pushed is what it pulls, whole, in parts, or not again.

use oci::{Algorithm, Digest};

use super::fixture::{Registry, get_with, on_each_driver};
use crate::support::http::{Answer, Client, Request, sha256};

const TEXT: &[u8] = b"0123456789abcdef";

/// Pushes [`TEXT`]; returns where it is.
fn pushed(client: &mut Client) -> String {
    format!("/v2/group/app/blobs/{}", client.push_blob("group/app", TEXT))
}

/// The parts of a `multipart/byteranges` body: the range and the bytes of each.
fn parts(answer: &Answer) -> Vec<(String, String)> {
    let content_type = answer.header("Content-Type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let text = answer.text();
    let (parts, epilogue) = text.split_once(&format!("\r\n--{boundary}--")).unwrap();
    assert_eq!(epilogue, "\r\n");
    let parts = parts.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let part = |part: &str| {
        let (head, bytes) = part.split_once("\r\n\r\n").unwrap();
        let (kind, range) = head.split_once("\r\n").unwrap();
        assert_eq!(kind, "Content-Type: application/octet-stream");
        (range.strip_prefix("Content-Range: ").unwrap().to_owned(), bytes.to_owned())
    };
    parts.split(&format!("\r\n--{boundary}\r\n")).map(part).collect()
}

/// OCI 1.1, pulling blobs and checking if content exists; the headers are 2.8's.
#[test]
pub(crate) fn get_and_head_say_the_same_of_a_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = pushed(&mut client);
        let digest = sha256(TEXT).to_string();
        for method in ["GET", "HEAD"] {
            let answer = client.ask(&Request::new(method, &target)).expect(200);
            assert_eq!(answer.body, if method == "GET" { TEXT } else { b"" });
            for (name, value) in [
                ("Content-Length", "16"),
                ("Content-Type", "application/octet-stream"),
                ("Docker-Content-Digest", &digest),
                ("ETag", &format!("\"{digest}\"")),
                ("Cache-Control", "max-age=31536000"),
                ("Accept-Ranges", "bytes"),
                ("Docker-Distribution-Api-Version", "registry/2.0"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{method} {name}");
            }
        }
    });
}

/// RFC 3986, 2.1.
#[test]
fn an_encoded_colon_is_a_colon() {
    let registry = Registry::start();
    let mut client = registry.client();
    let target = pushed(&mut client).replace(':', "%3A");
    assert_eq!(client.get(&target).expect(200).body, TEXT);
}

/// OCI 1.1, pulling blobs: range requests; RFC 9110, 14.1.2 and 15.3.7.1.
#[test]
pub(crate) fn one_range_is_answered_as_it_is() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = pushed(&mut client);
        for (range, content_range, bytes) in [
            ("bytes=0-0", "bytes 0-0/16", "0"),
            ("bytes=4-7", "bytes 4-7/16", "4567"),
            ("bytes=10-", "bytes 10-15/16", "abcdef"),
            ("bytes=-2", "bytes 14-15/16", "ef"),
            ("bytes=-100", "bytes 0-15/16", "0123456789abcdef"),
            ("bytes=12-100", "bytes 12-15/16", "cdef"),
            ("bytes=2-3,100-", "bytes 2-3/16", "23"),
        ] {
            let answer = get_with(&mut client, &target, "Range", range).expect(206);
            assert_eq!(answer.text(), bytes, "{range}");
            assert_eq!(answer.header("Content-Range"), Some(content_range), "{range}");
            assert_eq!(answer.header("Content-Length"), Some(&*bytes.len().to_string()));
            assert_eq!(answer.header("Docker-Content-Digest"), Some(&*sha256(TEXT).to_string()));
        }
    });
}

/// RFC 9110, 15.3.7.2, as 2.8 answers.
#[test]
pub(crate) fn several_ranges_come_as_parts() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = pushed(&mut client);
        let answer = get_with(&mut client, &target, "Range", "bytes=0-1, 4-5,-1").expect(206);
        let part = |range: &str, bytes: &str| (range.to_owned(), bytes.to_owned());
        let wanted =
            [part("bytes 0-1/16", "01"), part("bytes 4-5/16", "45"), part("bytes 15-15/16", "f")];
        assert_eq!(parts(&answer), wanted);
        assert_eq!(answer.header("Content-Length"), Some(&*answer.body.len().to_string()));
        assert_eq!(answer.header("Content-Range"), None);
    });
}

/// RFC 9110, 14.2: a server may ignore Range; the limit is this registry's.
#[test]
fn two_hundred_ranges_are_answered_and_more_are_everything() {
    let registry = Registry::start();
    let mut client = registry.client();
    let bytes: Vec<u8> = (0..=250).collect();
    let digest = client.push_blob("group/app", &bytes);
    let target = format!("/v2/group/app/blobs/{digest}");
    let list = |count: usize| {
        let ranges: Vec<_> = (0..count).map(|at| format!("{at}-{at}")).collect();
        format!("bytes={}", ranges.join(","))
    };
    let answer = get_with(&mut client, &target, "Range", &list(200)).expect(206);
    assert_eq!(answer.text().matches("Content-Range: bytes ").count(), 200);
    assert_eq!(get_with(&mut client, &target, "Range", &list(201)).expect(200).body, bytes);
}

/// RFC 9110, 14.2, as 2.8 answers.
#[test]
fn ranges_that_add_up_to_more_than_the_blob_are_the_blob() {
    let registry = Registry::start();
    let mut client = registry.client();
    let target = pushed(&mut client);
    let answer = get_with(&mut client, &target, "Range", "bytes=0-15,0-15").expect(200);
    assert_eq!(answer.body, TEXT);
}

/// RFC 9110, 14.2: Range is defined for GET; 2.8 answers 206.
#[test]
fn head_has_no_ranges() {
    let registry = Registry::start();
    let mut client = registry.client();
    let request = Request::new("HEAD", pushed(&mut client)).header("Range", "bytes=0-1");
    let answer = client.ask(&request).expect(200);
    assert_eq!(answer.header("Content-Length"), Some("16"));
}

/// RFC 9110, 13.1.2; the digest without quotes is taken as 2.8 takes it for manifests.
#[test]
pub(crate) fn what_the_client_has_is_not_sent_again() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = pushed(&mut client);
        let digest = sha256(TEXT);
        let same = [
            format!("\"{digest}\""),
            digest.to_string(),
            format!("W/\"{digest}\""),
            format!("\"other\", \"{digest}\""),
            "*".to_owned(),
        ];
        for etag in same {
            let answer = get_with(&mut client, &target, "If-None-Match", &etag).expect(304);
            assert_eq!(answer.header("ETag"), Some(&*format!("\"{digest}\"")), "{etag}");
            assert_eq!(answer.header("Content-Type"), None);
        }
        let answer = get_with(&mut client, &target, "If-None-Match", "\"other\"").expect(200);
        assert_eq!(answer.body, TEXT);
    });
}

/// RFC 9110, 13.1.5.
#[test]
fn a_range_counts_only_while_the_blob_is_the_same() {
    let registry = Registry::start();
    let mut client = registry.client();
    let target = pushed(&mut client);
    for (if_range, status) in [
        (format!("\"{}\"", sha256(TEXT)), 206),
        ("\"other\"".to_owned(), 200),
        (format!("W/\"{}\"", sha256(TEXT)), 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT".to_owned(), 200),
    ] {
        let request = Request::get(&target).header("Range", "bytes=0-3");
        let answer = client.ask(&request.header("If-Range", &if_range));
        assert_eq!(answer.status, status, "{if_range}");
    }
}

/// OCI 1.1, pulling blobs; RFC 9110, 15.5.17.
#[test]
pub(crate) fn a_blob_without_bytes_is_a_blob() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let digest = client.push_blob("group/app", b"");
        let target = format!("/v2/group/app/blobs/{digest}");
        let answer = client.get(&target).expect(200);
        assert_eq!((answer.header("Content-Length"), answer.body.len()), (Some("0"), 0));
        let range = get_with(&mut client, &target, "Range", "bytes=0-").expect(416);
        assert_eq!(range.header("Content-Range"), Some("bytes */0"));
    });
}

/// OCI image 1.1, descriptors: registered algorithms; the paths are 2.8's (registry/storage/paths.go).
#[test]
fn sha512_is_stored_under_its_own_name() {
    let registry = Registry::start();
    let mut client = registry.client();
    let digest = Digest::of(Algorithm::Sha512, TEXT);
    let location = client.begin_upload("group/app");
    let answer = client.commit(&location, &digest, TEXT).expect(201);
    assert_eq!(answer.header("Docker-Content-Digest"), Some(&*digest.to_string()));
    let answer = client.get(&format!("/v2/group/app/blobs/{digest}")).expect(200);
    assert_eq!(answer.body, TEXT);
    assert_eq!(answer.header("Docker-Content-Digest"), Some(&*digest.to_string()));
    let hex = digest.to_hex();
    let data = registry.file(&format!("blobs/sha512/{}/{hex}/data", &hex[..2]));
    assert_eq!(data.unwrap().as_bytes(), TEXT);
    let link = registry.file(&format!("repositories/group/app/_layers/sha512/{hex}/link"));
    assert_eq!(link.unwrap(), digest.to_string());
    assert!(registry.tree().keys().all(|path| !path.contains("sha256")));
}

/// 2.8 (registry/storage/linkedblobstore.go): a link names the canonical digest.
#[test]
fn an_alias_link_to_a_sha256_is_followed() {
    let registry = Registry::start();
    let mut client = registry.client();
    pushed(&mut client);
    let (digest, alias) = (sha256(TEXT), Digest::of(Algorithm::Sha512, TEXT));
    let folder =
        registry.storage().join("docker/registry/v2/repositories/group/app/_layers/sha512");
    let folder = folder.join(alias.to_hex());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("link"), digest.to_string()).unwrap();
    let answer = client.get(&format!("/v2/group/app/blobs/{alias}")).expect(200);
    assert_eq!(answer.body, TEXT);
    // OCI 1.1, pulling blobs: it MUST be a digest of the body; it may be another algorithm's.
    assert_eq!(answer.header("Docker-Content-Digest"), Some(&*digest.to_string()));
}

/// OCI 1.1, deleting blobs.
#[test]
pub(crate) fn a_deleted_blob_is_gone_from_its_repository_only() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let target = pushed(&mut client);
        client.push_blob("other/app", TEXT);
        let deleted = client.ask(&Request::new("DELETE", &target)).expect(202);
        assert_eq!(deleted.header("Content-Length"), Some("0"));
        assert_eq!(client.get(&target).expect(404).codes(), ["BLOB_UNKNOWN"]);
        client.ask(&Request::new("HEAD", &target)).expect(404);
        let again = client.ask(&Request::new("DELETE", &target)).expect(404);
        assert_eq!(again.codes(), ["BLOB_UNKNOWN"]);
        client.get(&format!("/v2/other/app/blobs/{}", sha256(TEXT))).expect(200);
    });
}

/// 2.8 (registry/storage/linkedblobstore.go, Delete).
#[test]
fn deleting_a_blob_removes_its_link_and_keeps_its_bytes() {
    let registry = Registry::start();
    let mut client = registry.client();
    let target = pushed(&mut client);
    let hex = sha256(TEXT).to_hex();
    let link = format!("repositories/group/app/_layers/sha256/{hex}/link");
    assert_eq!(registry.file(&link), Some(format!("sha256:{hex}")));
    client.ask(&Request::new("DELETE", &target)).expect(202);
    assert_eq!(registry.file(&link), None);
    assert!(registry.file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2])).is_some());
}

/// src/README.md: a link that holds no digest is not there.
#[test]
fn an_empty_link_and_one_with_a_line_break_are_no_links() {
    let registry = Registry::start();
    let mut client = registry.client();
    let target = pushed(&mut client);
    let hex = sha256(TEXT).to_hex();
    let link = format!("docker/registry/v2/repositories/group/app/_layers/sha256/{hex}/link");
    for text in ["", "sha256:", "sha256:../../x", &format!("sha256:{hex}\n")] {
        std::fs::write(registry.storage().join(&link), text).unwrap();
        assert_eq!(client.get(&target).expect(404).codes(), ["BLOB_UNKNOWN"], "{text:?}");
    }
    client.push_blob("group/app", TEXT);
    client.get(&target).expect(200);
}
