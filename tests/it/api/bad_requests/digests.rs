//! Tags and digests that nothing can have.

use serde_json::json;

use super::row::{Peer, Row};
use crate::{
    api::fixture::{Image, OCI_MANIFEST},
    support::http::Request,
};

const NO_ROUTE: Peer = Peer::Differs(404, "");

/// It takes it for a tag, and fails to make the folder.
const A_TAG: Peer = Peer::Differs(500, "UNKNOWN");

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const UNREADABLE: &str = "src/README.md: a digest that cannot be read is told as such";

fn put(reference: &str) -> Request {
    let target = format!("/v2/library/app/manifests/{reference}");
    let request = Request::new("PUT", target).header("Content-Type", OCI_MANIFEST);
    request.body(Image::of("one").manifest)
}

fn bad_tag(name: &'static str, tag: &str) -> Row {
    const SOURCE: &str =
        "OCI 1.1, pulling manifests: a tag matches [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";
    Row::new(name, put(tag)).gets(400, "TAG_INVALID", SOURCE).peer(NO_ROUTE)
}

fn bad_digest(name: &'static str, digest: &str, peer: Peer) -> Row {
    Row::new(name, Request::get(format!("/v2/library/app/blobs/{digest}")))
        .gets(400, "DIGEST_INVALID", UNREADABLE)
        .peer(peer)
}

pub(super) fn rows() -> Vec<Row> {
    let get = |path: &str| Request::get(format!("/v2/library/app/{path}"));
    let refused = Peer::Differs(400, "DIGEST_INVALID");
    vec![
        bad_tag("a tag does not begin with a dot", ".hidden")
            .details([json!({ "tag": ".hidden" })]),
        bad_tag("a tag does not begin with a hyphen", "-v1"),
        bad_tag("a tag does not climb", "..").peer(Peer::Differs(301, "")),
        bad_tag("an encoded tag does not climb", "%2e%2e").peer(Peer::Differs(301, "")),
        bad_tag("a tag has no encoded backslash", "..%5cv1"),
        bad_tag("a tag has at most 128 bytes", &"t".repeat(129)),
        bad_tag("a tag has no line break", "v1%0a"),
        bad_tag("a tag has no NUL", "v1%00"),
        bad_tag("a tag is ASCII", "v%C3%A9"),
        bad_tag("a tag has no at sign", "v1@2"),
        Row::new("a tag that none can be is not there", get("manifests/.hidden"))
            .gets(404, "MANIFEST_UNKNOWN", "OCI 1.1: not found MUST be 404")
            .peer(NO_ROUTE),
        Row::new("an encoded slash in a tag makes another path", put("..%2f..%2fv1"))
            .gets(404, "UNSUPPORTED", "as Distribution: unknown routes are 404")
            .peer(Peer::Differs(301, "")),
        bad_digest("a digest is as long as its hash", "sha256:e3b0c442", refused),
        bad_digest("a digest is no longer than its hash", &format!("sha256:{HEX}00"), refused),
        bad_digest(
            "a digest has lower-case digits",
            &format!("sha256:{}", HEX.to_uppercase()),
            refused,
        ),
        bad_digest(
            "a digest has hex digits",
            &format!("sha256:{}", HEX.replace('e', "g")),
            refused,
        ),
        bad_digest(
            "MD5 is no algorithm of digests",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            refused,
        ),
        bad_digest("the name of an algorithm is lower case", &format!("SHA256:{HEX}"), NO_ROUTE),
        bad_digest("a digest names its algorithm", HEX, NO_ROUTE),
        bad_digest("a digest names an algorithm that is not empty", &format!(":{HEX}"), NO_ROUTE),
        bad_digest("a digest has no NUL", &format!("sha256:{HEX}%00"), NO_ROUTE),
        Row::new("a digest does not climb", get("blobs/sha256:..%2f..%2f..%2fsecret"))
            .gets(404, "UNSUPPORTED", "as Distribution: unknown routes are 404")
            .peer(Peer::Differs(301, "")),
        Row::new("a manifest's digest is checked as well", get("manifests/sha256:zz"))
            .gets(400, "DIGEST_INVALID", UNREADABLE)
            .details([json!({ "digest": "sha256:zz" })])
            .peer(A_TAG),
        Row::new("a manifest goes only under its own digest", put(&format!("sha256:{HEX}")))
            .gets(
                400,
                "DIGEST_INVALID",
                "OCI 1.1, pushing manifests: MUST be equal to the client provided digest",
            )
            .peer(Peer::Same),
        Row::new("a manifest goes under no digest that cannot be read", put("sha256:zz"))
            .gets(400, "DIGEST_INVALID", UNREADABLE)
            .peer(A_TAG),
        Row::new(
            "a manifest goes under no unknown algorithm",
            put("md5:d41d8cd98f00b204e9800998ecf8427e"),
        )
        .gets(400, "DIGEST_INVALID", UNREADABLE)
        .peer(A_TAG),
    ]
}
