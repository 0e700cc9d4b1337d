//! The OCI distribution specification, sentence by sentence: what a client may rely on.
//!
//! Each row names the section it stands in, the request, and what must come back. Rows run in order on one
//! connection to one registry; `{blob}` and the like stand for digests of what the rows before have pushed. The same rows
//! are sent to Distribution 2.8.2, which answers alike but where a row says what it does instead, and why.

use serde_json::json;

use super::{
    fixture::{Image, OCI_INDEX, OCI_MANIFEST, Registry, descriptor},
    table::{Expected, Row, Theirs, Words, ask_ours, ask_theirs, row},
};
use crate::support::{
    Peer,
    http::{Client, sha256},
};

use Expected::{Body, Code, Has, Is, Lacks};
use Theirs::Other;

const DIGEST: &str = "Docker-Content-Digest";
const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");
const IMAGE: (&str, &str) = ("Content-Type", OCI_MANIFEST);
const NOTHING: &str = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

const BEGINS: Theirs = Other(
    202,
    &[Has("Location"), Lacks(DIGEST)],
    "2.8.2 has no single POST: it begins a session, and looks at neither digest nor body",
);
const NO_SUBJECT: Theirs = Other(201, &[Lacks("OCI-Subject")], "2.8.2 knows no subjects");
const NO_REFERRERS: Theirs = Other(404, &[], "2.8.2 has no route for referrers");
const NOT_ACCEPTED: Theirs = Other(
    404,
    &[Code("MANIFEST_UNKNOWN")],
    "2.8.2 serves OCI's types to those whose Accept names them, and to nobody else",
);
const ALL_UNSORTED: Theirs =
    Other(200, &[Lacks("Link")], "2.8.2 lists all tags in no order, whatever n and last are");

#[rustfmt::skip] // One sentence a line reads as the table that it is.
const ROWS: &[Row] = &[
    row("determining support", "GET", "/v2/", 200, &[]),
    row("pushing blobs: an invalid digest", "POST", "/v2/a/blobs/uploads/?digest=sha256:x", 400, &[Code("DIGEST_INVALID")]).but(BEGINS),
    row("pushing blobs: an unsupported algorithm", "POST", "/v2/a/blobs/uploads/?digest=md5:d41d8cd98f00b204e9800998ecf8427e", 400, &[Code("DIGEST_INVALID")]).but(BEGINS),
    row("post then put", "POST", "/v2/a/blobs/uploads/", 202, &[Has("Location"), Has("OCI-Chunk-Min-Length")]).but(Other(202, &[Has("Location"), Lacks("OCI-Chunk-Min-Length")], "the header is younger than 2.8.2")),
    row("single post", "POST", "/v2/a/blobs/uploads/?digest={blob}", 201, &[Is("Location", "http://registry.test/v2/a/blobs/{blob}"), Is(DIGEST, "{blob}")]).with(&[OCTETS]).body("blob").but(BEGINS),
    row("single post: the digest must match", "POST", "/v2/a/blobs/uploads/?digest={blob}", 400, &[Code("DIGEST_INVALID")]).with(&[OCTETS]).body("other").but(BEGINS),
    row("digest-algorithm", "POST", "/v2/a/blobs/uploads/?digest-algorithm=sha512", 202, &[Has("Location")]),
    row("mounting", "POST", "/v2/b/blobs/uploads/?mount={blob}&from=a", 201, &[Is("Location", "http://registry.test/v2/b/blobs/{blob}"), Is(DIGEST, "{blob}")]),
    row("mounting: from is optional", "POST", "/v2/c/blobs/uploads/?mount={blob}", 201, &[Is("Location", "http://registry.test/v2/c/blobs/{blob}")]).but(Other(202, &[Has("Location"), Lacks(DIGEST)], "2.8.2 mounts only from where it is told to")),
    row("mounting: unable", "POST", "/v2/c/blobs/uploads/?mount={nothing}&from=a", 202, &[Has("Location")]),
    row("pulling blobs", "GET", "/v2/a/blobs/{blob}", 200, &[Is(DIGEST, "{blob}"), Body("blob")]),
    row("checking if content exists", "HEAD", "/v2/a/blobs/{blob}", 200, &[Is("Content-Length", "4"), Body("")]),
    row("pulling blobs: unknown", "GET", "/v2/a/blobs/{nothing}", 404, &[Code("BLOB_UNKNOWN")]),
    row("pulling blobs: range requests", "GET", "/v2/a/blobs/{blob}", 206, &[Is("Content-Range", "bytes 1-2/4"), Body("lo")]).with(&[("Range", "bytes=1-2")]),
    row("pulling blobs: no such range", "GET", "/v2/a/blobs/{blob}", 416, &[Is("Content-Range", "bytes */4")]).with(&[("Range", "bytes=9-")]),
    row("pulling a nonexistent repository", "GET", "/v2/nobody/manifests/v1", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("pushing manifests: parameters of the type are ignored", "PUT", "/v2/app/manifests/typed", 201, &[Is(DIGEST, "{image}")]).with(&[("Content-Type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8")]).body("{image}"),
    row("pushing manifests", "PUT", "/v2/app/manifests/v1", 201, &[Is("Location", "http://registry.test/v2/app/manifests/{image}"), Is(DIGEST, "{image}"), Lacks("OCI-Subject"), Lacks("OCI-Tag")]).with(&[IMAGE]).body("{image}"),
    row("pushing manifests: by digest with tags", "PUT", "/v2/app/manifests/{image}?tag=1.2.3&tag=1.2", 201, &[Is("OCI-Tag", "1.2.3")]).with(&[IMAGE]).body("{image}").but(Other(201, &[Is(DIGEST, "{image}"), Lacks("OCI-Tag")], "2.8.2 does not know the parameter, and sets no tag")),
    row("pushing manifests: another digest", "PUT", "/v2/app/manifests/{nothing}", 400, &[Code("DIGEST_INVALID")]).with(&[IMAGE]).body("{image}"),
    row("pushing manifests: a blob is missing", "PUT", "/v2/elsewhere/manifests/v1", 400, &[Code("MANIFEST_BLOB_UNKNOWN")]).with(&[IMAGE]).body("{image}"),
    row("pulling manifests: the bytes that were pushed", "GET", "/v2/app/manifests/v1", 200, &[Is("Content-Type", OCI_MANIFEST), Is(DIGEST, "{image}"), Body("{image}")]).but(NOT_ACCEPTED),
    row("pulling manifests: exists", "HEAD", "/v2/app/manifests/{image}", 200, &[Is("Content-Type", OCI_MANIFEST), Body("")]).but(Other(404, &[Body("")], "as it answers to GET")),
    row("pushing manifests with subject", "PUT", "/v2/app/manifests/signature", 201, &[Is("OCI-Subject", "{image}")]).with(&[IMAGE]).body("{signature}").but(NO_SUBJECT),
    row("pushing manifests with subject: none such is there", "PUT", "/v2/app/manifests/early", 201, &[Is("OCI-Subject", "{nothing}")]).with(&[IMAGE]).body("{early}").but(NO_SUBJECT),
    row("listing referrers", "GET", "/v2/app/referrers/{image}", 200, &[Is("Content-Type", OCI_INDEX), Lacks("OCI-Filters-Applied"), Lacks("Link")]).but(NO_REFERRERS),
    row("listing referrers: filtering", "GET", "/v2/app/referrers/{image}?artifactType=text/none", 200, &[Is("OCI-Filters-Applied", "artifactType"), Body("{empty}")]).but(NO_REFERRERS),
    row("listing referrers: none", "GET", "/v2/app/referrers/{blob}", 200, &[Body("{empty}")]).but(NO_REFERRERS),
    row("listing referrers: never 404", "GET", "/v2/nobody/referrers/{nothing}", 200, &[Body("{empty}")]).but(NO_REFERRERS),
    row("listing referrers: an invalid digest", "GET", "/v2/app/referrers/sha256:x", 400, &[Code("DIGEST_INVALID")]).but(NO_REFERRERS),
    row("referrers tag schema: an index with the same content", "GET", "/v2/app/manifests/{referrers tag}", 200, &[Is("Content-Type", OCI_INDEX)]).but(Other(404, &[Code("MANIFEST_UNKNOWN")], "2.8.2 writes no list of referrers")),
    row("listing tags: n", "GET", "/v2/app/tags/list?n=2", 200, &[Body(r#"{"name":"app","tags":["1.2","1.2.3"]}"#), Is("Link", "</v2/app/tags/list?last=1.2.3&n=2>; rel=\"next\"")]).but(ALL_UNSORTED),
    row("listing tags: last", "GET", "/v2/app/tags/list?n=1&last=1.2.3", 200, &[Body(r#"{"name":"app","tags":["early"]}"#)]).but(ALL_UNSORTED),
    row("listing tags: zero", "GET", "/v2/app/tags/list?n=0", 200, &[Body(r#"{"name":"app","tags":[]}"#), Lacks("Link")]).but(ALL_UNSORTED),
    row("listing tags: no such repository", "GET", "/v2/nobody/tags/list", 404, &[Code("NAME_UNKNOWN")]),
    row("deleting tags", "DELETE", "/v2/app/manifests/1.2", 202, &[]).but(Other(400, &[Code("DIGEST_INVALID")], "2.8.2 deletes by digest only")),
    row("deleting tags: gone", "GET", "/v2/app/manifests/1.2", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("deleting manifests: a referrer is no longer listed", "DELETE", "/v2/app/manifests/{signature}", 202, &[]),
    row("deleting manifests: the list", "GET", "/v2/app/referrers/{image}", 200, &[Body("{empty}")]).but(NO_REFERRERS),
    row("deleting manifests", "DELETE", "/v2/app/manifests/{image}", 202, &[]),
    row("deleting manifests: tags go too", "GET", "/v2/app/manifests/v1", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("deleting manifests: no such repository", "DELETE", "/v2/nobody/manifests/{image}", 404, &[]),
    row("deleting blobs", "DELETE", "/v2/a/blobs/{blob}", 202, &[]),
    row("deleting blobs: unknown", "DELETE", "/v2/a/blobs/{blob}", 404, &[Code("BLOB_UNKNOWN")]),
    row("a blob of one repository outlives its link in another", "GET", "/v2/b/blobs/{blob}", 200, &[Body("blob")]),
    row("error codes: a name", "GET", "/v2/Upper/tags/list", 400, &[Code("NAME_INVALID")]).but(Other(404, &[], "2.8.2 has no route for what is no name")),
];

/// Pushes what the rows need; returns what their words stand for.
fn prepare(client: &mut Client) -> Words {
    let image = Image::of("app");
    image.push_blobs(client, "app");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let about = |digest: &str| {
        let mut document: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        document["subject"] = descriptor(OCI_MANIFEST, b"");
        document["subject"]["digest"] = json!(digest);
        document.to_string()
    };
    let digest = image.digest();
    let (signature, early) = (about(&digest.to_string()), about(NOTHING));
    let empty = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
    let words = vec![
        ("{blob}", sha256(b"blob").to_string()),
        ("{nothing}", NOTHING.to_owned()),
        ("{image}", digest.to_string()),
        ("{signature}", sha256(signature.as_bytes()).to_string()),
        ("{referrers tag}", oci::Tag::of_referrers(&digest).to_string()),
    ];
    let documents = vec![
        ("{image}", text(&image.manifest)),
        ("{signature}", signature),
        ("{early}", early),
        ("{empty}", empty.to_string()),
    ];
    Words { words, documents }
}

#[test]
fn every_row_of_the_specification_holds() {
    ask_ours(&Registry::start(), ROWS, prepare);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn the_peer_answers_alike_but_where_a_row_says_why_not() {
    let storage = tempfile::tempdir().unwrap();
    ask_theirs(&Peer::start(storage.path()), ROWS, |client| {
        // A row pushes it by a single POST, which does nothing there.
        client.push_blob("a", b"blob");
        prepare(client)
    });
}
