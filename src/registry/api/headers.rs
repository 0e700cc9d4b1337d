//! All headers of a request at once, which no handler reads: what is fuzzed.

use http::{HeaderValue, request::Parts};
use oci::ManifestType;

use super::{condition, location::External, negotiation, page::Page};
use crate::config::Http;

/// Reads what a handler might, and returns the location of something.
pub(crate) fn read(http: &Http, parts: &Parts, list: &[u8]) -> HeaderValue {
    let _condition = condition::of(&parts.headers);
    let _child = negotiation::instead(&parts.headers, ManifestType::DockerList, list);
    let _page = Page::of(parts);
    External::new(http).location(parts, "x")
}
