//! Uploads, chunk by chunk, and mounts.

use crate::{
    api::table::{
        Expected::{self, Begins, Code, Has, Is, Lacks},
        Row,
        Theirs::{self, Other},
        Words, row,
    },
    support::http::Client,
};

const DIGEST: &str = "Docker-Content-Digest";
const UPLOAD: Expected = Begins("Location", "http://registry.test/v2/a/b/blobs/uploads/");

/// What an open upload says of itself, so many bytes long.
const EMPTY: &[Expected] =
    &[UPLOAD, Is("Range", "0-0"), Has("Docker-Upload-UUID"), Is("Content-Length", "0")];
const FIVE: &[Expected] =
    &[UPLOAD, Is("Range", "0-4"), Has("Docker-Upload-UUID"), Is("Content-Length", "0")];

const WANTS_ITS_STATE: Theirs = Other(
    404,
    &[Code("BLOB_UPLOAD_INVALID")],
    "2.8.2 tells nothing without the state that it gave",
);

#[rustfmt::skip] // One step a line reads as the table that it is.
pub(super) const ROWS: &[Row] = &[
    row("post then put", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("post then put", "PUT", "{upload}&digest={of bytes}", 201, &[Is("Location", "http://registry.test/v2/a/b/blobs/{of bytes}"), Is(DIGEST, "{of bytes}"), Is("Content-Length", "0")]).body("bytes"),
    row("post then put: the session is over", "GET", "{upload}", 404, &[Code("BLOB_UPLOAD_UNKNOWN")]),
    row("pushing a blob that is there", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("pushing a blob that is there", "PUT", "{upload}&digest={of bytes}", 201, &[Is(DIGEST, "{of bytes}")]).body("bytes"),

    row("2.8 (docker push): a stream without ranges", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("2.8 (docker push): a stream without ranges", "PATCH", "{upload}", 202, &[UPLOAD, Is("Range", "0-10"), Has("Docker-Upload-UUID")]).with(&[("Transfer-Encoding", "chunked")]).body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").keep("{upload}"),
    row("2.8 (docker push): a second stream", "PATCH", "{upload}", 202, &[Is("Range", "0-11")]).body("!").keep("{upload}"),
    row("2.8 (docker push): an empty PUT ends it", "PUT", "{upload}&digest={of hello world!}", 201, &[Is(DIGEST, "{of hello world!}")]),

    row("pushing a blob in chunks", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("pushing a blob in chunks", "PATCH", "{upload}", 202, FIVE).with(&[("Content-Range", "0-4")]).body("hello").keep("{upload}"),
    row("pushing a blob in chunks", "PATCH", "{upload}", 202, &[Is("Range", "0-5")]).with(&[("Content-Range", "5-5")]).body(" ").keep("{upload}"),
    row("pushing a blob in chunks: the PUT may bring the last", "PUT", "{upload}&digest={of hello you}", 201, &[Is(DIGEST, "{of hello you}")]).with(&[("Content-Range", "6-8")]).body("you"),

    row("getting the upload status", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("getting the upload status: nothing yet", "GET", "{upload}", 204, &[UPLOAD, Is("Range", "0-0"), Has("Docker-Upload-UUID"), Lacks("Content-Length")]),
    row("pushing a blob in chunks: an empty one", "PATCH", "{upload}", 202, EMPTY).keep("{upload}"),
    row("pushing a blob in chunks", "PATCH", "{upload}", 202, FIVE).body("hello").keep("{upload}"),
    row("getting the upload status", "GET", "{upload}", 204, &[UPLOAD, Is("Range", "0-4")]),
    row("pushing a blob in chunks: out of order", "PATCH", "{upload}", 416, &[Is("Range", "0-4")]).with(&[("Content-Range", "9-10")]).body("ld").but(Other(202, &[Is("Range", "0-6")], "2.8.2 does not look at Content-Range, and appends")),

    row("2.8: cancelling an upload", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("2.8: cancelling an upload", "PATCH", "{upload}", 202, FIVE).body("hello").keep("{upload}"),
    row("2.8: cancelling an upload", "DELETE", "{upload}", 204, &[]),
    row("2.8: what was cancelled is unknown", "GET", "{upload}", 404, &[Code("BLOB_UPLOAD_UNKNOWN")]),
    row("2.8: what was cancelled is unknown", "DELETE", "{upload}", 404, &[Code("BLOB_UPLOAD_UNKNOWN")]),
    row("2.8: what was cancelled is unknown", "PATCH", "{upload}", 404, &[Code("BLOB_UPLOAD_UNKNOWN")]).body("x"),

    row("the digest must match", "POST", "/v2/a/b/blobs/uploads/", 202, EMPTY).keep("{upload}"),
    row("the digest must match", "PUT", "{upload}&digest={of other}", 400, &[Code("DIGEST_INVALID")]).body("bytes"),
    row("accept more: a wrong digest leaves the session", "GET", "{upload}", 204, &[Is("Range", "0-4")]).but(Other(404, &[Code("BLOB_UPLOAD_INVALID")], "2.8.2 takes it for broken: it holds more than its state says")),

    row("mounting", "POST", "/v2/c/blobs/uploads/?mount={of hello}&from=from/here", 201, &[Is("Location", "http://registry.test/v2/c/blobs/{of hello}"), Is(DIGEST, "{of hello}"), Is("Content-Length", "0")]),
    row("mounting: percent-encoded", "POST", "/v2/d/blobs/uploads/?from=from%2Fhere&mount={encoded}", 201, &[Is("Location", "http://registry.test/v2/d/blobs/{of hello}")]),
    row("mounting: from a repository that lacks it", "POST", "/v2/a/b/blobs/uploads/?mount={of hello}&from=none/such", 202, EMPTY),
    row("mounting: from is optional", "POST", "/v2/e/blobs/uploads/?mount={of hello}", 201, &[Is("Location", "http://registry.test/v2/e/blobs/{of hello}")]).but(Other(202, &[Is("Range", "0-0"), Lacks(DIGEST)], "2.8.2 mounts only from where it is told to")),

    row("2.8: an unknown upload", "GET", "/v2/a/b/blobs/uploads/00000000-0000-4000-8000-000000000000", 404, &[Code("BLOB_UPLOAD_UNKNOWN")]).but(WANTS_ITS_STATE),
];

pub(super) fn prepare(client: &mut Client) -> Words {
    let digest = client.push_blob("from/here", b"hello");
    let encoded = format!("sha256%3A{}", digest.to_hex());
    Words { words: vec![("{encoded}", encoded)], ..Words::default() }
}
