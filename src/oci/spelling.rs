//! A spelling that would do, for a text that is no repository name.
//!
//! Names come from paths of projects and branches, which may hold more. What is offered keeps the
//! letters and digits and their order.

use crate::RepositoryName;

impl RepositoryName {
    /// The nearest name; none where there is no letter to keep.
    pub fn nearest(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let components: Vec<String> =
            text.split('/').map(component).filter(|component| !component.is_empty()).collect();
        let mut name = components.join("/");
        // All is ASCII by now.
        name.truncate(Self::MAX_BYTES);
        name.trim_end_matches(['/', '.', '_', '-']).parse().ok()
    }
}

/// A component without what it must not have; runs of separators that are none become a hyphen.
fn component(text: &str) -> String {
    let mut spelled = String::new();
    let mut between = String::new();
    for character in text.chars() {
        if !matches!(character, 'a'..='z' | '0'..='9') {
            between.push(character);
            continue;
        }
        if !spelled.is_empty() {
            match between.as_str() {
                "" | "." | "_" | "__" => spelled.push_str(&between),
                run if run.bytes().all(|byte| byte == b'-') => spelled.push_str(run),
                _ => spelled.push('-'),
            }
        }
        between.clear();
        spelled.push(character);
    }
    spelled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_keeps_letters_and_digits() {
        for (text, nearest) in [
            ("a/b", Some("a/b")),
            ("A/Bc", Some("a/bc")),
            ("_a/b-", Some("a/b")),
            ("a//b/", Some("a/b")),
            ("a..b", Some("a-b")),
            ("a.-_b", Some("a-b")),
            ("a___b/c__d", Some("a-b/c__d")),
            ("a--b", Some("a--b")),
            ("feature:x y", Some("feature-x-y")),
            ("../a", Some("a")),
            ("-", None),
            ("\u{e9}", None),
            ("", None),
        ] {
            let found = RepositoryName::nearest(text);
            assert_eq!(found.as_ref().map(RepositoryName::as_str), nearest, "{text}");
        }
        let long = format!("{}/-{}", "a".repeat(254), "b".repeat(9));
        assert_eq!(RepositoryName::nearest(&long).unwrap().as_str(), "a".repeat(254));
    }

    proptest! {
        #[test]
        fn a_name_is_nearest_to_itself(text in "([a-cA.\\-_/]{0,12}|\\PC*)") {
            match text.parse::<RepositoryName>() {
                Ok(name) => prop_assert_eq!(RepositoryName::nearest(&text), Some(name)),
                // Where a letter or digit is, a name can be made of it.
                Err(_) if text.contains(|c: char| c.is_ascii_alphanumeric()) => {
                    prop_assert!(RepositoryName::nearest(&text).is_some());
                }
                Err(_) => {}
            }
        }
    }
}
