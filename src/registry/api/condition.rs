//! What `If-Match` and `If-None-Match` name (RFC 9110, section 13.1).

use http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_NONE_MATCH},
};

use crate::content::{Condition, Versions};

pub(super) fn of(headers: &HeaderMap) -> Condition {
    Condition { is: wanted(headers), is_not: versions(headers, IF_NONE_MATCH) }
}

/// What a client wants and nothing else, if it says so.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Versions> {
    versions(headers, IF_MATCH)
}

/// None without the header. An entity tag that is no digest is that of nothing.
fn versions(headers: &HeaderMap, name: HeaderName) -> Option<Versions> {
    if !headers.contains_key(&name) {
        return None;
    }
    let values = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
    let tags: Vec<&str> = values.flat_map(|list| list.split(',')).map(str::trim).collect();
    if tags.contains(&"*") {
        return Some(Versions::Any);
    }
    // `If-None-Match` compares weakly, `If-Match` does not: a weak tag is that of nothing.
    let compared = |tag: &str| match tag.strip_prefix("W/") {
        Some(weak) if name == IF_NONE_MATCH => weak.trim_matches('"').parse().ok(),
        _ => tag.trim_matches('"').parse().ok(),
    };
    let digests = tags.into_iter().filter_map(compared);
    Some(Versions::These(digests.collect()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use oci::{Algorithm, Digest};

    use super::*;

    #[test]
    fn entity_tags_are_digests() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), Condition::default());
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static(" * "));
        let list = format!("\"other\", \"{digest}\"");
        headers.insert(IF_MATCH, HeaderValue::try_from(list).unwrap());
        let is = Some(Versions::These(vec![digest]));
        assert_eq!(of(&headers), Condition { is, is_not: Some(Versions::Any) });
        let weak = HeaderValue::try_from(format!("W/\"{digest}\"")).unwrap();
        headers.insert(IF_MATCH, weak.clone());
        headers.insert(IF_NONE_MATCH, weak);
        let these = |digests| Some(Versions::These(digests));
        assert_eq!(of(&headers), Condition { is: these(vec![]), is_not: these(vec![digest]) });
    }
}
