//! Pages of lists that nothing can have.

use serde_json::json;

use super::row::{Peer, Row};
use crate::support::http::Request;

const NUMBER: &str = "as Distribution: PAGINATION_NUMBER_INVALID is 400";

fn tags(name: &'static str, query: &str) -> Row {
    // Its tag lists have no pages.
    Row::new(name, Request::get(format!("/v2/library/app/tags/list?{query}")))
        .gets(400, "PAGINATION_NUMBER_INVALID", NUMBER)
        .peer(Peer::Differs(200, ""))
}

fn catalog(name: &'static str, query: &str, peer: Peer) -> Row {
    Row::new(name, Request::get(format!("/v2/_catalog?{query}")))
        .gets(400, "PAGINATION_NUMBER_INVALID", NUMBER)
        .peer(peer)
}

pub(super) fn rows() -> Vec<Row> {
    // It takes what is no number for no number at all.
    let default = Peer::Differs(200, "");
    vec![
        tags("a page of -1 tags is none", "n=-1").details([json!({ "n": "-1" })]),
        tags("a page of x tags is none", "n=x"),
        tags("a page of 1.5 tags is none", "n=1.5"),
        tags("a page of 10^30 tags is none", "n=1000000000000000000000000000000"),
        tags("a page of tags has a number in it", "n=%00"),
        catalog("a page of -1 repositories is none", "n=-1", default),
        catalog("a page of x repositories is none", "n=x", default),
        catalog("a page of more repositories than allowed is none", "n=1001", Peer::Same)
            .details([json!({ "n": "1001" })]),
        catalog(
            "a page of 10^30 repositories is none",
            "n=1000000000000000000000000000000",
            default,
        ),
        Row::new("a page of 0 tags is empty", Request::get("/v2/library/app/tags/list?n=0"))
            .gets(200, "", "OCI 1.1, listing tags: n=0 MUST return an empty list")
            .header("Content-Length", "32"),
        Row::new("a page of 0 repositories is empty", Request::get("/v2/_catalog?n=0"))
            .gets(200, "", "OCI 1.1, listing tags, in the same way")
            .header("Content-Length", "19"),
        Row::new(
            "a `last` behind the end leaves no tags",
            Request::get("/v2/library/app/tags/list?last=zzz"),
        )
        .gets(200, "", "OCI 1.1, listing tags: what comes after `last`")
        .header("Content-Length", "32"),
        Row::new(
            "a `last` that is no tag is a place in the order",
            Request::get("/v2/library/app/tags/list?last=%2F..%2F"),
        )
        .gets(200, "", "src/README.md: accept more")
        .peer(Peer::Same),
        Row::new(
            "a `last` that climbs lists nothing above",
            Request::get("/v2/_catalog?last=../../etc"),
        )
        .gets(200, "", "src/README.md: accept more; `last` is a place in the order")
        .peer(Peer::Same),
        Row::new("an unknown repository has no tags", Request::get("/v2/nobody/has/tags/list"))
            .gets(404, "NAME_UNKNOWN", "as Distribution: a missing repository is 404 NAME_UNKNOWN")
            .details([json!({ "name": "nobody/has" })])
            .peer(Peer::Same),
        Row::new("a folder above repositories has no tags", Request::get("/v2/library/tags/list"))
            .gets(404, "NAME_UNKNOWN", "as Distribution: a missing repository is 404 NAME_UNKNOWN")
            .peer(Peer::Same),
    ]
}
