//! Upload sessions: unknown, somebody else's, or asked for what does not fit.

use serde_json::json;

use super::row::{Peer, Row};
use crate::support::http::{Request, sha256};

const NOBODY: &str = "0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5";

const STATE: &str = "as Distribution: a bad state is BLOB_UPLOAD_INVALID with 404";

const ORDER: &str = "OCI 1.1, pushing in chunks: out of order MUST be 416";

/// It ignores `Content-Range`, and appends.
const APPENDS: Peer = Peer::Differs(202, "");

fn patch(target: impl Into<String>) -> Request {
    Request::new("PATCH", target).body("world")
}

fn put(target: impl Into<String>) -> Request {
    Request::new("PUT", target).body("")
}

fn bad_state(name: &'static str, request: Request) -> Row {
    Row::new(name, request).gets(404, "BLOB_UPLOAD_INVALID", STATE).peer(Peer::Same)
}

/// A chunk that claims to belong elsewhere: the answer tells where it would.
fn out_of_order(name: &'static str, range: &str, peer: Peer) -> Row {
    Row::new(name, patch("{upload}").header("Content-Range", range))
        .gets(416, "RANGE_INVALID", ORDER)
        .peer(peer)
}

pub(super) fn rows() -> Vec<Row> {
    [states(), chunks(), commits(), beginnings()].concat()
}

fn states() -> Vec<Row> {
    let at = |state: &str| format!("/v2/library/app/blobs/uploads/{{id}}?_state={state}");
    let path = |id: &str| format!("/v2/library/app/blobs/uploads/{id}");
    let unknown = |name, id: &str| {
        Row::new(name, Request::get(path(id))).gets(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "as Distribution: *_UNKNOWN is 404",
        )
    };
    // It looks at the state first.
    let wants_state = Peer::Differs(404, "BLOB_UPLOAD_INVALID");
    vec![
        unknown("an upload that nobody began is unknown", NOBODY)
            .details([json!({ "uuid": NOBODY })])
            .peer(wants_state),
        unknown("an upload id that is no UUID is unknown", "x").peer(wants_state),
        unknown("an upload id has one spelling", &NOBODY.to_uppercase()).peer(wants_state),
        // It decodes the path, and redirects to where it leads.
        unknown("an upload id does not climb", "%2e%2e").peer(Peer::Differs(301, "")),
        bad_state("a chunk needs the state", patch(path("{id}"))),
        bad_state("a chunk needs a state that is not empty", patch(at(""))),
        bad_state("a state signed with another secret is none", patch(at("{foreign}"))),
        bad_state("a state of another upload is none", patch(at("{other}"))),
        bad_state("a state with another signature is none", patch(at("{resigned}"))),
        bad_state("a state with another content is none", patch(at("{rewritten}"))),
        bad_state("half a state is none", patch(at("{half}"))),
        bad_state("a state with something before it is none", patch(at("AAAA{state}"))),
        bad_state("a state with something behind it is none", patch(at("{state}AAAA"))),
        bad_state("a state of letters alone is none", patch(at("letters"))),
        bad_state("a state in another alphabet is none", patch(at("+/+/"))),
        bad_state("a state of 100 kB is none", patch(at(&"A".repeat(40_000)))),
        bad_state(
            "a state holds in its own repository only",
            patch("/v2/other/app/blobs/uploads/{id}?_state={state}"),
        ),
        bad_state(
            "a commit needs the state",
            put(format!("{}?digest={}", path("{id}"), sha256(b"hello"))),
        ),
        bad_state(
            "a commit with a state of another secret is refused",
            put(format!("{}&digest={}", at("{foreign}"), sha256(b"hello"))),
        ),
        bad_state(
            "a status with a state of another secret is refused",
            Request::get(at("{foreign}")),
        ),
        bad_state(
            "giving up with a state of another secret is refused",
            Request::new("DELETE", at("{foreign}")),
        ),
    ]
}

fn chunks() -> Vec<Row> {
    vec![
        out_of_order("a chunk behind the end is out of order", "6-10", APPENDS)
            .header("Range", "0-4")
            .header("Docker-Upload-UUID", "{id}"),
        out_of_order("a chunk that was sent already is out of order", "0-4", APPENDS)
            .header("Range", "0-4"),
        out_of_order("a reversed range of a chunk is no range", "9-5", APPENDS),
        out_of_order("a range of a chunk without an end is no range", "5-", APPENDS),
        out_of_order("a range of a chunk in words is no range", "five-nine", APPENDS),
        out_of_order("a range of a chunk with a sign is no range", "+5-9", APPENDS),
        out_of_order(
            "a range of a chunk has numbers of 64 bits",
            "5-18446744073709551616",
            APPENDS,
        ),
        Row::new(
            "a chunk is as long as its range",
            patch("{upload}").header("Content-Range", "5-7"),
        )
        .gets(400, "SIZE_INVALID", "as Distribution: wrong length is 400 SIZE_INVALID")
        .peer(APPENDS),
        Row::new(
            "a chunk with a state of the past is out of order",
            patch("/v2/library/app/blobs/uploads/{id}?_state={stale}"),
        )
        .gets(416, "RANGE_INVALID", "as Distribution: a stale state is 416 in v3, 404 in v2")
        .header("Range", "0-4")
        .peer(Peer::Differs(404, "BLOB_UPLOAD_INVALID")),
    ]
}

fn commits() -> Vec<Row> {
    const SURVIVES: &str = "as Distribution: wrong or no digest is 400, and the session survives";
    let commit = |digest: &str| put(format!("{{upload}}&digest={digest}"));
    let refused = |name, request| {
        Row::new(name, request).gets(400, "DIGEST_INVALID", SURVIVES).peer(Peer::Same)
    };
    // It ignores `Content-Range`, appends, and finds another digest.
    let appended = Peer::Differs(400, "DIGEST_INVALID");
    let (right, wrong) = (sha256(b"hello").to_string(), sha256(b"other").to_string());
    vec![
        refused("a commit without a digest leaves the upload", put("{upload}")),
        refused("a commit with a wrong digest leaves the upload", commit(&wrong)),
        refused("a commit with an empty digest leaves the upload", commit("")),
        refused("a commit with a digest that is none leaves the upload", commit("sha256:zz")),
        refused(
            "a commit with an unknown algorithm leaves the upload",
            commit("md5:d41d8cd98f00b204e9800998ecf8427e"),
        ),
        refused(
            "a commit with upper-case digits leaves the upload",
            commit(&format!("sha256:{}", right[7..].to_uppercase())),
        ),
        refused(
            "a last chunk under a wrong digest stays in the upload",
            commit(&wrong).body(" world"),
        )
        .holds("hello world"),
        Row::new(
            "a last chunk behind the end is out of order",
            commit(&right).body("x").header("Content-Range", "9-9"),
        )
        .gets(
            416,
            "RANGE_INVALID",
            "OCI 1.1, pushing in chunks: final chunk out of order MUST be 416",
        )
        .header("Range", "0-4")
        .peer(appended),
        Row::new(
            "a last chunk is as long as its range",
            commit(&right).body("x").header("Content-Range", "5-9"),
        )
        .gets(400, "SIZE_INVALID", "as Distribution: wrong length is 400 SIZE_INVALID")
        .peer(appended),
        Row::new(
            "an upload that nobody began is not committed",
            put(format!("/v2/library/app/blobs/uploads/{NOBODY}?_state={{state}}&digest={right}")),
        )
        .gets(404, "BLOB_UPLOAD_INVALID", STATE)
        .peer(Peer::Same),
    ]
}

fn beginnings() -> Vec<Row> {
    let post =
        |query: &str| Request::new("POST", format!("/v2/new/app/blobs/uploads/?{query}")).body("");
    let single = |query: &str| post(query).body("some bytes");
    let into = |query: &str| {
        Request::new("POST", format!("/v2/library/app/blobs/uploads/?{query}")).body("")
    };
    let wrong = sha256(b"other bytes").to_string();
    const INVALID: &str = "OCI 1.1, pushing blobs: an invalid or unsupported digest SHOULD be 400";
    const UNMOUNTED: &str = "OCI 1.1, mounting: unable to mount SHOULD be 202";
    // It does not know the single POST.
    let begins = Peer::Differs(202, "");
    let refused = |name, query: &str| {
        Row::new(name, single(query)).gets(400, "DIGEST_INVALID", INVALID).peer(begins)
    };
    let unmounted =
        |name, query: &str| Row::new(name, into(query)).gets(202, "", UNMOUNTED).begins();
    vec![
        refused("one POST under a digest that is none begins nothing", "digest=sha256:zz"),
        refused(
            "one POST under an unknown algorithm begins nothing",
            "digest=md5:d41d8cd98f00b204e9800998ecf8427e",
        ),
        Row::new(
            "one POST under a wrong digest leaves nothing",
            into(&format!("digest={wrong}")).body("some bytes"),
        )
        .gets(400, "DIGEST_INVALID", INVALID)
        .peer(begins),
        unmounted("what no repository has is uploaded", &format!("mount={wrong}&from=other/app"))
            .peer(Peer::Same),
        unmounted("what the other repository has not is uploaded", "mount={layer}&from=other/app"),
        unmounted(
            "from a repository that is none an upload follows",
            "mount={elsewhere}&from=../other/app",
        ),
        unmounted(
            "a mount of a digest that is none is an upload",
            "mount=sha256:zz&from=other/app",
        ),
        unmounted("what nobody has is uploaded", &format!("mount={wrong}")).peer(Peer::Same),
    ]
}
