//! Pages of a list: `n` entries after `last`, and a `Link` to the next page.

use std::borrow::Cow;

use http::{HeaderValue, request::Parts};
use oci::ErrorCode;
use serde_json::json;

use super::failure::Failure;

/// Which page a request asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Page {
    /// `n`: how many entries; none if it was not given.
    pub(super) n: Option<usize>,
    /// `last`: the entry before the first one.
    pub(super) last: Option<String>,
}

impl Page {
    /// Reads the query.
    pub(super) fn of(parts: &Parts) -> Result<Self, Failure> {
        let last = query(parts, "last").map(Cow::into_owned).filter(|last| !last.is_empty());
        let n = match query(parts, "n") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| bad_number(&text))?),
        };
        Ok(Self { n, last })
    }
}

pub(super) fn bad_number(text: &str) -> Failure {
    Failure::new(ErrorCode::PaginationNumberInvalid).with_detail(json!({ "n": text }))
}

/// The first value of a parameter of the query.
pub(super) fn query<'a>(parts: &'a Parts, name: &str) -> Option<Cow<'a, str>> {
    let query = parts.uri.query()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value)
}

/// All values of a parameter of the query.
pub(super) fn queries<'a>(parts: &'a Parts, name: &str) -> Vec<Cow<'a, str>> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(found, _)| found == name).map(|(_, value)| value).collect()
}

/// `Link` to the page after `last`: a path, so that it holds behind any proxy.
pub(super) fn next(path: &str, last: &str, n: usize) -> HeaderValue {
    link(path, &[("last", last), ("n", &n.to_string())])
}

/// The same with other parameters.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> HeaderValue {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\""))
        .expect("an encoded query is visible ASCII")
}
