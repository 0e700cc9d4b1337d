//! The catalog, and lists of tags.

use crate::{
    api::{
        fixture::Image,
        table::{
            Expected::{Code, Is, Json, Lacks},
            Row,
            Theirs::{self, Other},
            Words, row,
        },
    },
    support::http::Client,
};

const JSON: (&str, &str) = ("Content-Type", "application/json; charset=utf-8");

const UNSORTED: Theirs =
    Other(200, &[Lacks("Link")], "2.8.2 lists all tags in no order, whatever n and last are");

#[rustfmt::skip] // One request a line reads as the table that it is.
pub(super) const ROWS: &[Row] = &[
    row("2.8: the catalog is in the order of components", "GET", "/v2/_catalog", 200, &[Is(JSON.0, JSON.1), Lacks("Link"), Json(r#"{"repositories":["a","a/b","a/b/c","a/b-c","a-b","a.b","a0","library/app"]}"#)]),
    row("2.8: n", "GET", "/v2/_catalog?n=3", 200, &[Json(r#"{"repositories":["a","a/b","a/b/c"]}"#), Is("Link", "</v2/_catalog?last=a%2Fb%2Fc&n=3>; rel=\"next\"")]),
    row("2.8: last", "GET", "/v2/_catalog?n=2&last=a%2Fb%2Fc", 200, &[Json(r#"{"repositories":["a/b-c","a-b"]}"#), Is("Link", "</v2/_catalog?last=a-b&n=2>; rel=\"next\"")]),
    row("2.8: the last page", "GET", "/v2/_catalog?n=2&last=a0", 200, &[Json(r#"{"repositories":["library/app"]}"#), Lacks("Link")]),
    row("2.8: as many as there are", "GET", "/v2/_catalog?n=8", 200, &[Json(r#"{"repositories":["a","a/b","a/b/c","a/b-c","a-b","a.b","a0","library/app"]}"#), Lacks("Link")]),
    row("2.8: after the last", "GET", "/v2/_catalog?last=library/app", 200, &[Json(r#"{"repositories":[]}"#), Lacks("Link")]),
    row("2.8: last need not be there", "GET", "/v2/_catalog?n=1&last=b", 200, &[Json(r#"{"repositories":["library/app"]}"#)]),
    row("2.8: more than the catalog's maxentries", "GET", "/v2/_catalog?n=1001", 400, &[Code("PAGINATION_NUMBER_INVALID")]),
    row("2.8: an upload alone is no repository", "POST", "/v2/begun/blobs/uploads/", 202, &[]),
    row("2.8: an upload alone is no repository", "GET", "/v2/begun/tags/list", 404, &[Code("NAME_UNKNOWN"), Is(JSON.0, JSON.1)]),
    row("2.8: an upload alone is no repository", "GET", "/v2/_catalog?last=a0", 200, &[Json(r#"{"repositories":["library/app"]}"#)]),
    row("listing tags", "GET", "/v2/library/app/tags/list", 200, &[Is(JSON.0, JSON.1), Lacks("Link"), Json(r#"{"name":"library/app","tags":["v1"]}"#)]),
    row("listing tags: pushed twice, listed once", "GET", "/v2/a/b/tags/list", 200, &[Json(r#"{"name":"a/b","tags":["1.0"]}"#)]),
    row("listing tags: in lexical order", "GET", "/v2/a/tags/list", 200, &[Json(r#"{"name":"a","tags":["1.0","1.10","A","_","a"]}"#)]).but(UNSORTED),
    row("listing tags: n", "GET", "/v2/a/tags/list?n=2", 200, &[Json(r#"{"name":"a","tags":["1.0","1.10"]}"#), Is("Link", "</v2/a/tags/list?last=1.10&n=2>; rel=\"next\"")]).but(UNSORTED),
    row("listing tags: last", "GET", "/v2/a/tags/list?n=2&last=1.10", 200, &[Json(r#"{"name":"a","tags":["A","_"]}"#), Is("Link", "</v2/a/tags/list?last=_&n=2>; rel=\"next\"")]).but(UNSORTED),
    row("listing tags: the last page", "GET", "/v2/a/tags/list?n=2&last=_", 200, &[Json(r#"{"name":"a","tags":["a"]}"#), Lacks("Link")]).but(UNSORTED),
    row("listing tags: last is a place in the order", "GET", "/v2/a/tags/list?last=Z", 200, &[Json(r#"{"name":"a","tags":["_","a"]}"#)]).but(UNSORTED),
    row("listing tags: no such repository", "GET", "/v2/none/tags/list", 404, &[Code("NAME_UNKNOWN")]),
];

pub(super) fn prepare(client: &mut Client) -> Words {
    let image = Image::of("app");
    for name in ["library/app", "a0", "a.b", "a-b", "a/b-c", "a/b/c", "a/b", "a"] {
        client.push_blob(name, b"bytes");
    }
    let tags = [("a", "a"), ("a", "_"), ("a", "A"), ("a", "1.10"), ("a", "1.0")];
    for (name, tag) in
        tags.into_iter().chain([("a/b", "1.0"), ("a/b", "1.0"), ("library/app", "v1")])
    {
        image.push(client, name, tag);
    }
    Words::default()
}
