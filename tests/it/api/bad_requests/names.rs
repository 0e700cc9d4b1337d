//! Repository names that climb, are too long, or break the grammar.

use super::row::{Peer, Row};
use crate::support::http::Request;

const GRAMMAR: &str = "OCI 1.1, pulling manifests: `<name>` MUST match";

/// Distribution's routes have the grammar in them: what does not match is no route.
const NO_ROUTE: Peer = Peer::Differs(404, "");

/// Its descriptor cache reads names by another grammar, and fails without a word.
const CACHED: Peer = Peer::Differs(500, "");

/// Go's router tidies paths up before it looks at them.
const TIDIED: Peer = Peer::Differs(301, "");

fn tags(name: &str) -> Request {
    Request::get(format!("/v2/{name}/tags/list"))
}

fn bad(name: &'static str, repository: &str, peer: Peer) -> Row {
    Row::new(name, tags(repository)).gets(400, "NAME_INVALID", GRAMMAR).peer(peer)
}

pub(super) fn rows() -> Vec<Row> {
    let (longest, too_long) = ("a".repeat(255), "a".repeat(256));
    let post = |name: &str| Request::new("POST", format!("/v2/{name}/blobs/uploads/")).body("");
    vec![
        bad("dots as they are climb nowhere", "../../../etc", TIDIED),
        bad("encoded dots climb nowhere", "%2e%2e/%2e%2e/etc", TIDIED),
        bad("encoded slashes climb nowhere", "..%2f..%2fetc", TIDIED),
        bad("dots encoded twice are no dots", "%252e%252e%252fetc", NO_ROUTE),
        bad("backslashes separate nothing", "..\\..\\etc", NO_ROUTE),
        bad("encoded backslashes separate nothing", "..%5c..%5cetc", NO_ROUTE),
        bad("an encoded NUL ends no name", "library%00/app", NO_ROUTE),
        bad("an encoded line break is no part of a name", "library%0d%0aapp", NO_ROUTE),
        Row::new("dots in overlong UTF-8 are no text", tags("%c0%ae%c0%ae/etc"))
            .gets(404, "UNSUPPORTED", "RFC 3629, section 3: overlong forms are invalid")
            .peer(NO_ROUTE),
        bad("a climbing name in the middle is refused", "library/../other/app", TIDIED),
        Row::new("no upload begins above the storage", post("../../../../tmp/evil"))
            .gets(400, "NAME_INVALID", GRAMMAR)
            .peer(Peer::Differs(301, "")),
        Row::new(
            "no upload begins above the storage by encoded dots",
            post("%2e%2e%2f%2e%2e%2fevil"),
        )
        .gets(400, "NAME_INVALID", GRAMMAR)
        .peer(TIDIED),
        Row::new("a name of 255 bytes is a name", tags(&longest))
            .gets(404, "NAME_UNKNOWN", "as Distribution 2.8.2 without a cache")
            .peer(CACHED),
        Row::new("a name of 256 bytes is none", tags(&too_long))
            .gets(400, "NAME_INVALID", "OCI 1.1, implementers note on 255 characters; 2.8.2 fails")
            .peer(Peer::Differs(500, "UNKNOWN")),
        Row::new("the first component has no upper case", tags("Library/app"))
            .gets(
                400,
                "NAME_INVALID",
                "OCI 1.1; unlike 2.8.2 without a cache, which takes it for a domain",
            )
            .peer(CACHED),
        bad("the second component has no upper case", "library/App", NO_ROUTE),
        bad("two dots do not stand together", "a..b", NO_ROUTE),
        bad("three underscores do not stand together", "a___b", NO_ROUTE),
        bad("different separators do not stand together", "a.-b", NO_ROUTE),
        bad("a component does not begin with a separator", "library/-app", NO_ROUTE),
        bad("a component does not end with a separator", "library/app-", NO_ROUTE),
        bad("the folder of layers is no repository", "library/app/_layers", NO_ROUTE),
        bad("the folder of uploads is no repository", "library/app/_uploads", NO_ROUTE),
        bad("no component is empty", "library//app", TIDIED),
        bad("a name has ASCII letters only", "caf%C3%A9", NO_ROUTE),
        bad("a space is no part of a name", "library/my%20app", NO_ROUTE),
        Row::new("there are no tags without a name", Request::get("/v2/tags/list"))
            .gets(404, "UNSUPPORTED", "as Distribution: unknown routes are 404")
            .peer(NO_ROUTE),
        Row::new(
            "a path does not end with another slash",
            Request::get("/v2/library/app/tags/list/"),
        )
        .gets(404, "UNSUPPORTED", "as Distribution: unknown routes are 404")
        .peer(TIDIED),
        Row::new("there is no third version of the API", Request::get("/v3/"))
            .gets(404, "UNSUPPORTED", "as Distribution: unknown routes are 404")
            .peer(NO_ROUTE),
        Row::new("GitLab's own API is not there", Request::get("/gitlab/v1/"))
            .gets(404, "UNSUPPORTED", "as Distribution: 404 unless the database is on")
            .peer(NO_ROUTE),
    ]
}
