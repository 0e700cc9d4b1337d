//! URLs and headers: what a registry calls itself, and what every answer carries.

use crate::{
    api::table::{
        Expected::{self, Begins, Body, Is, Json},
        Row,
        Theirs::{self, Other},
        Words, row,
    },
    support::http::Client,
};

const VERSION: Expected = Is("Docker-Distribution-Api-Version", "registry/2.0");
const JSON: Expected = Is("Content-Type", "application/json; charset=utf-8");
const BEGIN: &str = "/v2/a/blobs/uploads/";

const IN_ERROR: Theirs = Other(404, &[], "2.8.2 has no route for it");

#[rustfmt::skip] // One request a line reads as the table that it is.
pub(super) const ROWS: &[Row] = &[
    row("determining support", "GET", "/v2/", 200, &[Body("{}"), JSON, VERSION, Is("Content-Length", "2")]),
    row("determining support", "HEAD", "/v2/", 200, &[Body(""), JSON, Is("Content-Length", "2")]),
    row("2.8: the root, for balancers", "GET", "/", 200, &[Body(""), Is("Cache-Control", "no-cache")]),
    row("2.8: a missing slash", "GET", "/v2", 301, &[Is("Location", "/v2/")]),
    row("2.8: a missing slash, with a query", "GET", "/v2?a=b", 301, &[Is("Location", "/v2/?a=b")]),
    row("2.8: a missing slash", "POST", "/v2/a/b/blobs/uploads", 301, &[Is("Location", "/v2/a/b/blobs/uploads/")]),
    row("2.8: OPTIONS", "OPTIONS", "/v2/a/tags/list", 200, &[Is("Allow", "GET, HEAD"), VERSION]).but(Other(200, &[Is("Allow", "GET")], "2.8.2 answers HEAD there with 405")),
    row("2.8: OPTIONS", "OPTIONS", "/v2/a/manifests/v1", 200, &[Is("Allow", "DELETE, GET, HEAD, PUT")]),
    row("2.8: OPTIONS", "OPTIONS", "/v2/a/blobs/{of }", 200, &[Is("Allow", "DELETE, GET, HEAD")]),
    row("2.8: OPTIONS", "OPTIONS", BEGIN, 200, &[Is("Allow", "POST")]).but(Other(200, &[Is("Allow", "DELETE, GET, HEAD, PATCH, POST, PUT")], "2.8.2 names what an upload under way takes too")),
    row("error codes: a document", "GET", "/v2/a/tags/list", 404, &[JSON, VERSION, Json(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"a"}}]}"#)]),
    row("error codes: what is no resource", "GET", "/none", 404, &[JSON]).but(IN_ERROR),
    row("checking if content exists: an error has no body", "HEAD", "/v2/a/manifests/v1", 404, &[Body("")]),

    row("2.8: a location is what the client typed", "POST", BEGIN, 202, &[Begins("Location", "http://registry.test/v2/a/blobs/uploads/")]),
    row("2.8: Host with a port", "POST", BEGIN, 202, &[Begins("Location", "http://r.example:8443/v2/a/")]).with(&[("Host", "r.example:8443")]),
    row("2.8: Host is an address", "POST", BEGIN, 202, &[Begins("Location", "http://[::1]:5000/v2/a/")]).with(&[("Host", "[::1]:5000")]),
    row("2.8: X-Forwarded-Proto", "POST", BEGIN, 202, &[Begins("Location", "https://registry.test/v2/a/")]).with(&[("X-Forwarded-Proto", "https")]),
    row("2.8: X-Forwarded-Host, the first one's", "POST", BEGIN, 202, &[Begins("Location", "https://outer.example/v2/a/")]).with(&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "outer.example, inner")]),
    row("2.8: Forwarded", "POST", BEGIN, 202, &[Begins("Location", "https://f.example:444/v2/a/")]).with(&[("Forwarded", "for=192.0.2.1;proto=https;host=\"f.example:444\"")]),
    row("accept more: a port without quotes, as some proxies send it", "POST", BEGIN, 202, &[Begins("Location", "https://f.example:444/v2/a/")]).with(&[("Forwarded", "for=192.0.2.1;proto=https;host=f.example:444")]).but(Other(202, &[Begins("Location", "http://registry.test/v2/a/")], "2.8.2 goes by RFC 7239's grammar, and ignores all of a header that breaks it")),
    row("2.8: Forwarded without a host", "POST", BEGIN, 202, &[Begins("Location", "https://registry.test/v2/a/")]).with(&[("Forwarded", "proto=https"), ("X-Forwarded-Host", "older.example")]),
    row("RFC 7239, 4: the first of several", "POST", BEGIN, 202, &[Begins("Location", "http://q.example/v2/a/")]).with(&[("Forwarded", "host=\"q.example\", host=later.example")]),
    row("RFC 7239, 5.4: a scheme is http or https", "POST", BEGIN, 202, &[Begins("Location", "http://registry.test/v2/a/")]).with(&[("X-Forwarded-Proto", "javascript")]).but(Other(202, &[Begins("Location", "javascript://registry.test/v2/a/")], "2.8.2 takes any word for a scheme")),
    row("RFC 9110, 7.2: a host is a name and a port", "POST", BEGIN, 202, &[Begins("Location", "/v2/a/")]).with(&[("X-Forwarded-Host", "user@evil.example")]).but(Other(202, &[Begins("Location", "http://user%40evil.example/v2/a/")], "2.8.2 puts whatever is there into its URLs")),
];

pub(super) fn prepare(_: &mut Client) -> Words {
    Words::default()
}
