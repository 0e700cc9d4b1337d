//! Ranges that no blob has, and blobs that the repository has not.

use serde_json::json;

use super::row::{Peer, Row};
use crate::support::http::{Request, sha256};

/// How long `{layer}` is.
const WHOLE: &str = "bytes */12";

fn range(name: &'static str, range: &str, peer: Peer) -> Row {
    let request = Request::get("/v2/library/app/blobs/{layer}").header("Range", range);
    Row::new(name, request)
        .gets(416, "RANGE_INVALID", "RFC 9110, section 15.5.17; as Distribution 2.8.2")
        .header("Content-Range", WHOLE)
        .peer(peer)
}

pub(super) fn rows() -> Vec<Row> {
    let blob = |name: &str, digest: &str| Request::get(format!("/v2/{name}/blobs/{digest}"));
    let unknown = sha256(b"never pushed").to_string();
    // Its 416 is plain text.
    let plain = Peer::Differs(416, "");
    // Go reads numbers with a sign, and makes a part of no bytes.
    let lenient = Peer::Differs(206, "");
    vec![
        range("a range behind the end is unsatisfiable", "bytes=12-", plain),
        range("a closed range behind the end is unsatisfiable", "bytes=100-200", plain),
        range("a reversed range is unsatisfiable", "bytes=5-2", plain),
        range("a range of words is unsatisfiable", "bytes=one-two", plain),
        range("a range without numbers is unsatisfiable", "bytes=-", plain),
        range("a range with a sign is unsatisfiable", "bytes=+1-2", lenient),
        range("an empty list of ranges is unsatisfiable", "bytes=", Peer::Differs(200, "")),
        range("the last 0 bytes are no range", "bytes=-0", lenient),
        Row::new(
            "a range of an unknown unit is everything",
            blob("library/app", "{layer}").header("Range", "lines=1-2"),
        )
        .gets(200, "", "RFC 9110, section 14.2: MUST ignore an unknown unit")
        .header("Content-Length", "12")
        .peer(plain),
        Row::new("a blob that nobody pushed is unknown", blob("library/app", &unknown))
            .gets(404, "BLOB_UNKNOWN", "OCI 1.1, pulling blobs")
            .details([json!(unknown)])
            .peer(Peer::Same),
        Row::new(
            "a blob of another repository is unknown in this one",
            blob("library/app", "{elsewhere}"),
        )
        .gets(404, "BLOB_UNKNOWN", "src/README.md: this repository's links decide")
        .peer(Peer::Same),
        Row::new("a manifest is no blob of its repository", blob("library/app", "{manifest}"))
            .gets(404, "BLOB_UNKNOWN", "src/README.md: this repository's links decide")
            .peer(Peer::Same),
        Row::new("a layer is no manifest", Request::get("/v2/library/app/manifests/{layer}"))
            .gets(404, "MANIFEST_UNKNOWN", "src/README.md: this repository's links decide")
            .peer(Peer::Differs(500, "UNKNOWN")),
        Row::new("a blob of an unknown repository is unknown", blob("nobody/has", "{layer}"))
            .gets(404, "BLOB_UNKNOWN", "OCI 1.1, pulling blobs")
            .peer(Peer::Same),
        Row::new(
            "a tag that nobody pushed is unknown",
            Request::get("/v2/library/app/manifests/v2"),
        )
        .gets(404, "MANIFEST_UNKNOWN", "OCI 1.1, pulling manifests")
        .details([json!({ "tag": "v2" })])
        .peer(Peer::Same),
        Row::new(
            "a manifest of an unknown repository is unknown",
            Request::get("/v2/nobody/has/manifests/v1"),
        )
        .gets(404, "MANIFEST_UNKNOWN", "as Distribution 2.8.2")
        .peer(Peer::Same),
        Row::new(
            "deleting a blob of another repository finds nothing",
            Request::new("DELETE", "/v2/library/app/blobs/{elsewhere}"),
        )
        .gets(404, "BLOB_UNKNOWN", "as Distribution: DELETE twice is 404")
        .peer(Peer::Same),
        Row::new(
            "deleting an unknown tag finds nothing",
            Request::new("DELETE", "/v2/library/app/manifests/v2"),
        )
        .gets(404, "MANIFEST_UNKNOWN", "unlike Distribution: 2.8.2 deletes no tags")
        .peer(Peer::Differs(400, "DIGEST_INVALID")),
        Row::new(
            "deleting an unknown manifest finds nothing",
            Request::new("DELETE", format!("/v2/library/app/manifests/{unknown}")),
        )
        .gets(404, "MANIFEST_UNKNOWN", "as Distribution: DELETE twice is 404")
        .peer(Peer::Same),
    ]
}
