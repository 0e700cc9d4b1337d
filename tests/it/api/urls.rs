//! URLs and headers: what the registry calls itself, and what every answer carries.

use serde_json::{Value, json};

use super::fixture::{Entry, Image, Registry};
use crate::support::http::{Answer, Client, Connection, Request, sha256};

/// Where an upload begins, for who sends these headers.
fn begun(client: &mut Client, headers: &[(&str, &str)]) -> String {
    let request = Request::new("POST", "/v2/a/blobs/uploads/").body("");
    location(&ask(client, request, headers))
}

fn ask(client: &mut Client, request: Request, headers: &[(&str, &str)]) -> Answer {
    let with = |request: Request, (name, value): &(&str, &str)| request.header(name, *value);
    client.ask(&headers.iter().fold(request, with))
}

/// The location up to the id of the upload.
fn location(answer: &Answer) -> String {
    let location = answer.header("Location").unwrap();
    location.split_once("/blobs/uploads/").unwrap().0.to_owned()
}

/// 2.8 (registry/api/v2/urls.go, `NewURLBuilderFromRequest`); RFC 7239, 4; RFC 9110, 7.2.
#[test]
fn a_location_is_what_the_client_typed() {
    let registry = Registry::start();
    let mut client = registry.client();
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[], "http://registry.test/v2/a"),
        (&[("Host", "r.example:8443")], "http://r.example:8443/v2/a"),
        (&[("Host", "[::1]:5000")], "http://[::1]:5000/v2/a"),
        (&[("X-Forwarded-Proto", "https")], "https://registry.test/v2/a"),
        (
            &[("X-Forwarded-Proto", "https, http"), ("X-Forwarded-Host", "outer.example, inner")],
            "https://outer.example/v2/a",
        ),
        (
            &[("Forwarded", "for=192.0.2.1;proto=https;host=f.example:444")],
            "https://f.example:444/v2/a",
        ),
        (
            &[("Forwarded", "proto=https"), ("X-Forwarded-Host", "older.example")],
            "https://registry.test/v2/a",
        ),
        (&[("Forwarded", "host=\"q.example\", host=later.example")], "http://q.example/v2/a"),
        (&[("X-Forwarded-Proto", "javascript")], "http://registry.test/v2/a"),
    ];
    for (headers, wanted) in rows {
        assert_eq!(begun(&mut client, headers), wanted, "{headers:?}");
    }
}

/// RFC 9110, 7.2: a host is a name and a port; 2.8 takes anything.
#[test]
fn no_header_puts_anything_but_a_host_into_a_location() {
    let registry = Registry::start();
    let mut client = registry.client();
    for host in ["user@evil.example", "a b", "a/b", "a\"b", "evil.example?x", "evil.example#x"] {
        let location = begun(&mut client, &[("X-Forwarded-Host", host)]);
        assert_eq!(location, "/v2/a", "{host}");
    }
}

/// 2.8: http.host.
#[test]
fn the_configured_host_beats_every_header() {
    let settings = json!({ "http": { "host": "https://registry.example.com:8443" } });
    let registry = Registry::with(&settings);
    let mut client = registry.client();
    let headers = [("X-Forwarded-Host", "a.example"), ("Forwarded", "host=b.example")];
    let wanted = "https://registry.example.com:8443/v2/a";
    assert_eq!(begun(&mut client, &headers), wanted);
    assert_eq!(begun(&mut client, &[]), wanted);
}

/// 2.8: http.relativeurls; OCI 1.1: a Location may be relative.
#[test]
fn relative_locations_are_paths() {
    let registry = Registry::with(&json!({ "http": { "relativeurls": true } }));
    let mut client = registry.client();
    assert_eq!(begun(&mut client, &[("X-Forwarded-Proto", "https")]), "/v2/a");
    let image = Image::of("app");
    let put = image.push(&mut client, "a", "v1");
    let manifest = format!("/v2/a/manifests/{}", image.digest());
    assert_eq!(put.header("Location"), Some(&*manifest));
}

/// 2.8: http.prefix.
#[test]
fn a_prefix_stands_before_every_path() {
    let registry = Registry::with(&json!({ "http": { "prefix": "/hub/" } }));
    let mut client = registry.client();
    assert_eq!(client.get("/hub/v2/").expect(200).text(), "{}");
    client.get("/v2/").expect(404);
    let bare = client.get("/hub/v2").expect(301);
    assert_eq!(bare.header("Location"), Some("/hub/v2/"));
    let target = format!("/hub/v2/a/blobs/uploads/?digest={}", sha256(b"bytes"));
    let pushed = client.ask(&Request::new("POST", target).body("bytes")).expect(201);
    let blob = format!("http://registry.test/hub/v2/a/blobs/{}", sha256(b"bytes"));
    assert_eq!(pushed.header("Location"), Some(&*blob));
    let target = format!("/hub/v2/b/blobs/uploads/?digest={}", sha256(b"bytes"));
    client.ask(&Request::new("POST", target).body("bytes")).expect(201);
    let page = client.get("/hub/v2/_catalog?n=1").expect(200);
    assert_eq!(page.header("Link"), Some("</hub/v2/_catalog?last=a&n=1>; rel=\"next\""));
}

/// RFC 9112, 3.2.2.
#[test]
fn an_absolute_target_names_the_host() {
    let registry = Registry::start();
    let mut connection = Connection::open(registry.port());
    let head = "POST http://typed.example/v2/a/blobs/uploads/ HTTP/1.1";
    connection
        .send(format!("{head}\r\nHost: other.example\r\nContent-Length: 0\r\n\r\n").as_bytes());
    let answer = connection.answer("POST").unwrap().expect(202);
    // RFC 9112, section 3.2.2: the host of the target replaces the header.
    assert_eq!(location(&answer), "http://typed.example/v2/a");
}

/// RFC 9112, 3.2: HTTP/1.0 needs no Host; RFC 9110, 10.2.2: a Location may be relative.
#[test]
fn who_sends_no_host_gets_a_path() {
    let registry = Registry::start();
    let mut connection = Connection::open(registry.port());
    connection.send(b"POST /v2/a/blobs/uploads/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    let answer = connection.answer("POST").unwrap().expect(202);
    assert_eq!(location(&answer), "/v2/a");
    assert!(connection.is_over());
}

/// 2.8: http.headers.
#[test]
fn configured_headers_are_on_every_answer_and_replace_none_of_its_own() {
    let settings = json!({ "http": { "headers": {
        "X-Content-Type-Options": ["nosniff"],
        "X-Several": ["one", "two"],
        "Content-Type": ["text/plain"],
    } } });
    let registry = Registry::with(&settings);
    let mut client = registry.client();
    for (target, status) in [("/v2/", 200), ("/v2/a/tags/list", 404), ("/none", 404), ("/v2", 301)]
    {
        let answer = client.get(target).expect(status);
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{target}");
        let several: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-several"))
            .collect();
        assert_eq!(several.len(), 2, "{target}");
        assert_eq!(answer.header("Docker-Distribution-Api-Version"), Some("registry/2.0"));
    }
    let base = client.get("/v2/");
    assert_eq!(base.header("Content-Type"), Some("application/json; charset=utf-8"));
}

/// OCI 1.1, determining support; 2.8: the root.
#[test]
fn the_version_check_and_the_root_answer_as_distribution_does() {
    let registry = Registry::start();
    let mut client = registry.client();
    let base = client.get("/v2/").expect(200);
    assert_eq!(base.text(), "{}");
    assert_eq!(base.header("Content-Type"), Some("application/json; charset=utf-8"));
    let head = client.ask(&Request::new("HEAD", "/v2/")).expect(200);
    assert_eq!(head.header("Content-Length"), Some("2"));
    let root = client.get("/").expect(200);
    assert_eq!((root.text().as_str(), root.header("Cache-Control")), ("", Some("no-cache")));
}

/// 2.8: its router's `StrictSlash`.
#[test]
fn a_missing_last_slash_is_a_redirect() {
    let registry = Registry::start();
    let mut client = registry.client();
    for (method, target, wanted) in [
        ("GET", "/v2", "/v2/"),
        ("GET", "/v2?a=b", "/v2/?a=b"),
        ("POST", "/v2/a/b/blobs/uploads", "/v2/a/b/blobs/uploads/"),
        ("POST", "/v2/a/blobs/uploads?mount=x&from=y", "/v2/a/blobs/uploads/?mount=x&from=y"),
    ] {
        let answer = client.ask(&Request::new(method, target).body("")).expect(301);
        assert_eq!(answer.header("Location"), Some(wanted), "{target}");
    }
    assert!(registry.tree().values().all(|entry| *entry == Entry::Folder));
}

/// RFC 9110, 9.3.7, as 2.8 answers.
#[test]
fn options_tells_what_may_be_done() {
    let registry = Registry::start();
    let mut client = registry.client();
    for (target, wanted) in [
        ("/v2/", "GET, HEAD"),
        ("/v2/_catalog", "GET, HEAD"),
        ("/v2/a/tags/list", "GET, HEAD"),
        ("/v2/a/manifests/v1", "DELETE, GET, HEAD, PUT"),
        (&format!("/v2/a/blobs/{}", sha256(b"")), "DELETE, GET, HEAD"),
        ("/v2/a/blobs/uploads/", "POST"),
    ] {
        let answer = client.ask(&Request::new("OPTIONS", target)).expect(200);
        assert_eq!(answer.header("Allow"), Some(wanted), "{target}");
        assert_eq!(answer.header("Content-Length"), Some("0"), "{target}");
    }
}

/// OCI 1.1, error codes; 2.8: its content type.
#[test]
fn an_error_is_a_document_with_code_message_and_detail() {
    let registry = Registry::start();
    let answer = registry.client().get("/v2/a/tags/list").expect(404);
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    let document: Value = answer.json();
    let message = "repository name not known to registry";
    let error = json!({ "code": "NAME_UNKNOWN", "message": message, "detail": { "name": "a" } });
    assert_eq!(document, json!({ "errors": [error] }));
}

/// RFC 9110, 9.3.2.
#[test]
fn head_of_what_is_not_there_has_the_length_of_the_error_and_no_body() {
    let registry = Registry::start();
    let mut client = registry.client();
    let get = client.get("/v2/a/manifests/v1").expect(404);
    let head = client.ask(&Request::new("HEAD", "/v2/a/manifests/v1")).expect(404);
    assert_eq!(head.header("Content-Length"), get.header("Content-Length"));
    // The connection goes on: no byte of a body came.
    client.get("/v2/").expect(200);
}
