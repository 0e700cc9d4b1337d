//! What the `Authorization` header says.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

use crate::config::Secret;

/// A name with the password that should prove it.
#[derive(Debug)]
pub(super) struct Basic {
    pub(super) name: String,
    pub(super) password: Secret,
}

/// Whether there is any.
pub(super) fn is_given(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|value| !value.is_empty())
}

/// Name and password; none if the header is missing or of another form.
pub(super) fn basic(headers: &HeaderMap) -> Option<Basic> {
    let bytes = STANDARD.decode(of_scheme(headers, "basic")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    Some(Basic { name: name.to_owned(), password: Secret::new(password) })
}

/// A token; none if the header is missing or of another form.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    of_scheme(headers, "bearer")
}

/// What follows the scheme. Of two headers nobody knows which one a proxy has checked: they are none.
fn of_scheme<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (found, rest) = value.to_str().ok()?.split_once(' ')?;
    (found.eq_ignore_ascii_case(scheme) && !rest.contains(' ')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter();
        values.map(|text| (AUTHORIZATION, HeaderValue::from_str(text).unwrap())).collect()
    }

    #[test]
    fn a_password_may_have_colons_and_a_scheme_any_case() {
        let found = basic(&headers(&["bAsIc YW5uOmE6Yg=="])).unwrap();
        assert_eq!((found.name.as_str(), found.password.expose()), ("ann", "a:b"));
        assert_eq!(bearer(&headers(&["Bearer a.b.c"])), Some("a.b.c"));
    }

    #[test]
    fn other_forms_are_no_credentials() {
        for values in [
            &[][..],
            &[""],
            &["Basic"],
            &["Basic "],
            &["Basic YW5u"],
            &["Basic !"],
            &["Basic YW5uOmE6Yg== x"],
            &["Basic YW5uOmE6Yg==", "Basic YW5uOmE6Yg=="],
            &["Bearer YW5uOmE6Yg=="],
            // Not UTF-8.
            &["Basic /zph"],
        ] {
            assert!(basic(&headers(values)).is_none(), "{values:?}");
        }
        assert_eq!(bearer(&headers(&["Basic YW5uOmE6Yg=="])), None);
        assert_eq!(bearer(&headers(&["Bearer a b"])), None);
    }

    #[test]
    fn a_password_is_not_in_debug() {
        let shown = format!("{:?}", basic(&headers(&["Basic YW5uOmh1bnRlcjI="])));
        assert!(shown.contains("ann") && !shown.contains("hunter2"), "{shown}");
    }
}
