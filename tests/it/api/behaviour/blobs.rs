//! Blobs: whole, in parts, or not again.

use crate::{
    api::table::{
        Expected::{self, Begins, Body, Code, Is, Lacks},
        Row,
        Theirs::{self, Other},
        Words, row,
    },
    support::http::Client,
};

const BLOB: &str = "/v2/group/app/blobs/{of 0123456789abcdef}";
const EMPTY: &str = "/v2/group/app/blobs/{of }";

const SAID: &[Expected] = &[
    Is("Content-Length", "16"),
    Is("Content-Type", "application/octet-stream"),
    Is("Docker-Content-Digest", "{of 0123456789abcdef}"),
    Is("ETag", "\"{of 0123456789abcdef}\""),
    Is("Cache-Control", "max-age=31536000"),
    Is("Accept-Ranges", "bytes"),
    Is("Docker-Distribution-Api-Version", "registry/2.0"),
];

const NO_RANGES_OF_HEAD: Theirs =
    Other(206, &[Is("Content-Range", "bytes 0-1/16")], "Go takes Range with HEAD too");
const BARE_TAG: Theirs = Other(200, &[], "Go takes an ETag in quotes only");

#[rustfmt::skip] // One request a line reads as the table that it is.
pub(super) const ROWS: &[Row] = &[
    row("pulling blobs", "GET", BLOB, 200, SAID),
    row("pulling blobs", "GET", BLOB, 200, &[Body("0123456789abcdef")]),
    row("checking if content exists", "HEAD", BLOB, 200, SAID),
    row("RFC 3986, 2.1: an encoded colon is a colon", "GET", "/v2/group/app/blobs/{encoded}", 200, &[Body("0123456789abcdef")]),
    row("RFC 9110, 14.1.2: the first byte", "GET", BLOB, 206, &[Body("0"), Is("Content-Range", "bytes 0-0/16"), Is("Content-Length", "1"), Is("Docker-Content-Digest", "{of 0123456789abcdef}")]).with(&[("Range", "bytes=0-0")]),
    row("RFC 9110, 14.1.2: in the middle", "GET", BLOB, 206, &[Body("4567"), Is("Content-Range", "bytes 4-7/16")]).with(&[("Range", "bytes=4-7")]),
    row("RFC 9110, 14.1.2: to the end", "GET", BLOB, 206, &[Body("abcdef"), Is("Content-Range", "bytes 10-15/16")]).with(&[("Range", "bytes=10-")]),
    row("RFC 9110, 14.1.2: the last", "GET", BLOB, 206, &[Body("ef"), Is("Content-Range", "bytes 14-15/16")]).with(&[("Range", "bytes=-2")]),
    row("RFC 9110, 14.1.2: more than there is", "GET", BLOB, 206, &[Body("0123456789abcdef"), Is("Content-Range", "bytes 0-15/16")]).with(&[("Range", "bytes=-100")]),
    row("RFC 9110, 14.1.2: beyond the end", "GET", BLOB, 206, &[Body("cdef"), Is("Content-Range", "bytes 12-15/16")]).with(&[("Range", "bytes=12-100")]),
    row("RFC 9110, 14.1.1: one of two can be had", "GET", BLOB, 206, &[Body("23"), Is("Content-Range", "bytes 2-3/16")]).with(&[("Range", "bytes=2-3,100-")]),
    row("RFC 9110, 15.3.7.2: several", "GET", BLOB, 206, &[Begins("Content-Type", "multipart/byteranges; boundary="), Lacks("Content-Range")]).with(&[("Range", "bytes=0-1, 4-5,-1")]),
    row("RFC 9110, 14.2: more than the blob is the blob", "GET", BLOB, 200, &[Body("0123456789abcdef")]).with(&[("Range", "bytes=0-15,0-15")]),
    row("RFC 9110, 15.5.17: nothing of it", "GET", BLOB, 416, &[Is("Content-Range", "bytes */16")]).with(&[("Range", "bytes=16-")]),
    row("RFC 9110, 14.2: another unit is none", "GET", BLOB, 200, &[Body("0123456789abcdef")]).with(&[("Range", "lines=1-2")]).but(Other(416, &[], "Go refuses what it cannot read, where the RFC has it ignored")),
    row("RFC 9110, 14.2: Range is of GET", "HEAD", BLOB, 200, &[Is("Content-Length", "16"), Body("")]).with(&[("Range", "bytes=0-1")]).but(NO_RANGES_OF_HEAD),
    row("RFC 9110, 13.1.2", "GET", BLOB, 304, &[Is("ETag", "\"{of 0123456789abcdef}\""), Lacks("Content-Type"), Body("")]).with(&[("If-None-Match", "\"{of 0123456789abcdef}\"")]),
    row("RFC 9110, 13.1.2: the comparison is weak", "GET", BLOB, 304, &[]).with(&[("If-None-Match", "W/\"{of 0123456789abcdef}\"")]),
    row("RFC 9110, 13.1.2: one of a list", "GET", BLOB, 304, &[]).with(&[("If-None-Match", "\"other\", \"{of 0123456789abcdef}\"")]),
    row("RFC 9110, 13.1.2: any", "GET", BLOB, 304, &[]).with(&[("If-None-Match", "*")]),
    row("RFC 9110, 13.1.2: another", "GET", BLOB, 200, &[Body("0123456789abcdef")]).with(&[("If-None-Match", "\"other\"")]),
    row("2.8 (manifests): a digest without quotes", "GET", BLOB, 304, &[]).with(&[("If-None-Match", "{of 0123456789abcdef}")]).but(BARE_TAG),
    row("RFC 9110, 13.1.5: the same", "GET", BLOB, 206, &[Body("0123")]).with(&[("Range", "bytes=0-3"), ("If-Range", "\"{of 0123456789abcdef}\"")]),
    row("RFC 9110, 13.1.5: another", "GET", BLOB, 200, &[]).with(&[("Range", "bytes=0-3"), ("If-Range", "\"other\"")]),
    row("RFC 9110, 13.1.5: the comparison is strong", "GET", BLOB, 200, &[]).with(&[("Range", "bytes=0-3"), ("If-Range", "W/\"{of 0123456789abcdef}\"")]),
    row("RFC 9110, 13.1.5: a date", "GET", BLOB, 200, &[]).with(&[("Range", "bytes=0-3"), ("If-Range", "Sat, 01 Jan 2000 00:00:00 GMT")]),
    row("pulling blobs: no bytes", "GET", EMPTY, 200, &[Is("Content-Length", "0"), Body("")]),
    row("RFC 9110, 15.5.17: no bytes have no part", "GET", EMPTY, 416, &[Is("Content-Range", "bytes */0")]).with(&[("Range", "bytes=0-")]),
    row("pulling blobs: of another repository", "GET", "/v2/none/blobs/{of 0123456789abcdef}", 404, &[Code("BLOB_UNKNOWN")]),
    row("deleting blobs", "DELETE", BLOB, 202, &[Is("Content-Length", "0")]),
    row("deleting blobs: gone", "GET", BLOB, 404, &[Code("BLOB_UNKNOWN")]),
    row("deleting blobs: gone", "HEAD", BLOB, 404, &[Body("")]),
    row("deleting blobs: twice", "DELETE", BLOB, 404, &[Code("BLOB_UNKNOWN")]),
    row("deleting blobs: another repository's stays", "GET", "/v2/other/app/blobs/{of 0123456789abcdef}", 200, &[Body("0123456789abcdef")]),
];

pub(super) fn prepare(client: &mut Client) -> Words {
    let digest = client.push_blob("group/app", b"0123456789abcdef");
    client.push_blob("other/app", b"0123456789abcdef");
    client.push_blob("group/app", b"");
    let words = vec![("{encoded}", digest.to_string().replace(':', "%3A"))];
    Words { words, ..Words::default() }
}
