//! `WWW-Authenticate`: how the other registry wants to be told who asks (RFC 9110, section 11.6.1).

/// What it asks for. Of several, a token: it says less than a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Challenge {
    /// A token, which this realm gives.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// Name and password with each request.
    Basic,
}

/// One scheme with its parameters.
type Offer = (String, Vec<(String, String)>);

impl Challenge {
    /// Reads all headers of an answer; none if nothing in them is known here.
    pub(super) fn of<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let offers: Vec<Offer> = headers.into_iter().flat_map(offers).collect();
        let bearer = offers.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if let Some((_, parameters)) = bearer {
            let value = |name: &str| {
                let mut found = parameters.iter().filter(|(key, _)| key == name);
                found.next().map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
            };
            let (service, scope) = (value("service"), value("scope"));
            return value("realm").map(|realm| Self::Bearer { realm, service, scope });
        }
        let is_basic = |(scheme, _): &Offer| scheme.eq_ignore_ascii_case("basic");
        offers.iter().any(is_basic).then_some(Self::Basic)
    }
}

/// The schemes of one header. What cannot be read ends it.
fn offers(header: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            return offers;
        }
        let after = after.trim_start();
        match (after.strip_prefix('='), offers.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let Some((value, after)) = parameter(value.trim_start()) else { return offers };
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => return offers,
            (None, _) => {
                offers.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

fn token(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// A value, in quotes or without.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::Challenge;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let [service, scope] = [service, scope].map(|text| text.map(str::to_owned));
        Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a/b:pull,push""#;
        for (headers, meant) in [
            (
                &[hub][..],
                bearer(
                    "https://auth.example.com/token",
                    Some("registry.example.com"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            (&[r#"Basic realm="Registry""#], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (&["Basic realm=x, bearer Realm = \"r\""], bearer("r", None, None)),
            (&["Basic realm=\"a, Bearer realm=b\""], Some(Challenge::Basic)),
            (&["Basic realm=x", "Bearer realm=r,service=s"], bearer("r", Some("s"), None)),
            (&[r#"Bearer realm="a\"b\\c""#], bearer("a\"b\\c", None, None)),
            (&["Bearer service=s"], None),
            (&["Bearer realm=\"open"], None),
            (&["Negotiate abc=="], None),
            (&["= = ="], None),
            (&[], None),
        ] {
            assert_eq!(Challenge::of(headers.iter().copied()), meant, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(header: String) {
            let _ = Challenge::of([header.as_str(), &format!("Bearer {header}")]);
        }
    }
}
