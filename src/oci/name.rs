//! The name of a repository: path components of lower-case letters, digits and separators.
//!
//! The grammar is the distribution specification's,
//! `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, in at most 255 bytes.
//! It is read by a scanner and not by a regular expression, so that a refusal can say which
//! component breaks which rule. A name that exists cannot climb out of a storage path: it has no
//! empty component and none that begins with a dot.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::text;

/// The name of a repository. Clones share the text.
///
/// The order is the catalog's: by components, so `a/b` comes before `a-b`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The longest name, as Distribution has it.
    pub const MAX_BYTES: usize = 255;

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands between the slashes; never empty.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

impl Ord for RepositoryName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.components().cmp(other.components())
    }
}

impl PartialOrd for RepositoryName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.split('/').any(str::is_empty) {
            return Err(NameError::EmptyComponent { name: text::excerpt(text) });
        }
        text.split('/').try_for_each(check)?;
        Ok(Self(text.into()))
    }
}

impl Serialize for RepositoryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepositoryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a repository name")
    }
}

/// Why a text is no repository name: which component, and which rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is nothing.
    #[error("repository name is empty: it needs at least one letter or digit")]
    Empty,
    /// The name as a whole is too long.
    #[error("repository name has {bytes} bytes: at most {} are allowed", RepositoryName::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Two slashes meet, or one stands at an end.
    #[error(
        "repository name `{name}` has an empty component: use single slashes between components"
    )]
    EmptyComponent {
        /// The whole name.
        name: String,
    },
    /// A letter is upper case.
    #[error(
        "repository name component `{component}` has upper-case {character:?}: \
         only lower-case letters are allowed"
    )]
    UpperCase {
        /// The component it is in.
        component: String,
        /// The first such letter.
        character: char,
    },
    /// A component begins with `.`, `_` or `-`.
    #[error(
        "repository name component `{component}` begins with a separator: \
         it must begin with a letter or digit"
    )]
    LeadingSeparator {
        /// The component.
        component: String,
    },
    /// A component ends with `.`, `_` or `-`.
    #[error(
        "repository name component `{component}` ends with a separator: \
         it must end with a letter or digit"
    )]
    TrailingSeparator {
        /// The component.
        component: String,
    },
    /// Separators stand together that may not.
    #[error(
        "repository name component `{component}` has the separator `{separator}`: \
         one `.`, one or two `_`, or any number of `-` are allowed"
    )]
    Separator {
        /// The component.
        component: String,
        /// The run of separators.
        separator: String,
    },
    /// A character is neither letter, digit nor separator.
    #[error(
        "repository name component `{component}` has {character:?}: \
         a-z, 0-9, `.`, `_` and `-` are allowed"
    )]
    Character {
        /// The component it is in.
        component: String,
        /// The first such character.
        character: char,
    },
}

impl NameError {
    /// The component that breaks the rule; none where the name as a whole does.
    pub fn component(&self) -> Option<&str> {
        match self {
            Self::Empty | Self::TooLong { .. } | Self::EmptyComponent { .. } => None,
            Self::UpperCase { component, .. }
            | Self::LeadingSeparator { component }
            | Self::TrailingSeparator { component }
            | Self::Separator { component, .. }
            | Self::Character { component, .. } => Some(component),
        }
    }

    /// The rule, in words.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Empty => "a name needs at least one letter or digit",
            Self::TooLong { .. } => "a name has at most 255 bytes",
            Self::EmptyComponent { .. } => "single slashes stand between components",
            Self::UpperCase { .. } => "letters are lower case",
            Self::LeadingSeparator { .. } => "a component begins with a letter or digit",
            Self::TrailingSeparator { .. } => "a component ends with a letter or digit",
            Self::Separator { .. } => "one `.`, one or two `_`, or hyphens stand between letters",
            Self::Character { .. } => "a component has a-z, 0-9, `.`, `_` and `-`",
        }
    }
}

/// Checks one component that is not empty.
fn check(component: &str) -> Result<(), NameError> {
    let quoted = || text::excerpt(component);
    for character in component.chars() {
        match character {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' => {}
            _ if character.is_uppercase() => {
                return Err(NameError::UpperCase { component: quoted(), character });
            }
            _ => return Err(NameError::Character { component: quoted(), character }),
        }
    }
    if component.starts_with(is_separator) {
        return Err(NameError::LeadingSeparator { component: quoted() });
    }
    if component.ends_with(is_separator) {
        return Err(NameError::TrailingSeparator { component: quoted() });
    }
    let mut runs = component.split(|character| !is_separator(character));
    match runs.find(|run| !is_allowed(run)) {
        Some(run) => {
            Err(NameError::Separator { component: quoted(), separator: text::excerpt(run) })
        }
        None => Ok(()),
    }
}

const fn is_separator(character: char) -> bool {
    matches!(character, '.' | '_' | '-')
}

/// Whether separators may stand together like this; none at all is what is between two letters.
fn is_allowed(run: &str) -> bool {
    matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn the_grammar_is_the_specification_s() {
        let longest = "a".repeat(RepositoryName::MAX_BYTES);
        for text in ["a", "0", "a/b/c", "a.b", "a_b", "a__b", "a-b", "a---b", "a.b_c-d", &longest] {
            assert_eq!(name(text).as_str(), text);
        }
    }

    #[test]
    fn a_refusal_names_component_and_rule() {
        const SLASHES: &str = "use single slashes between components";
        const LOWER: &str = "only lower-case letters are allowed";
        const BEGIN: &str = "it must begin with a letter or digit";
        const END: &str = "it must end with a letter or digit";
        const RUNS: &str = "one `.`, one or two `_`, or any number of `-` are allowed";
        const CHARACTERS: &str = "a-z, 0-9, `.`, `_` and `-` are allowed";
        let cases = [
            ("", "is empty", "it needs at least one letter or digit"),
            (&"a".repeat(256), "has 256 bytes", "at most 255 are allowed"),
            ("a//b", "`a//b` has an empty component", SLASHES),
            ("/a", "`/a` has an empty component", SLASHES),
            ("a/", "`a/` has an empty component", SLASHES),
            ("a/Bc", "component `Bc` has upper-case 'B'", LOWER),
            ("a/.b", "component `.b` begins with a separator", BEGIN),
            ("..", "component `..` begins with a separator", BEGIN),
            ("a-/b", "component `a-` ends with a separator", END),
            ("a..b", "component `a..b` has the separator `..`", RUNS),
            ("a___b", "component `a___b` has the separator `___`", RUNS),
            ("a.-b", "component `a.-b` has the separator `.-`", RUNS),
            ("x/a b", "component `a b` has ' '", CHARACTERS),
            ("a\n", "component `a\\n` has '\\n'", CHARACTERS),
            ("é", "component `é` has 'é'", CHARACTERS),
        ];
        for (text, problem, rule) in cases {
            let error = text.parse::<RepositoryName>().unwrap_err();
            assert_eq!(error.to_string(), format!("repository name {problem}: {rule}"), "{text}");
        }
    }

    #[test]
    fn the_catalog_s_order_puts_a_folder_s_children_first() {
        let mut names = ["a-b", "b", "a.b", "a/b", "a0", "a", "a/b/c", "a/b-c"].map(name);
        names.sort();
        let sorted = names.each_ref().map(RepositoryName::as_str);
        assert_eq!(sorted, ["a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "a0", "b"]);
    }

    #[test]
    fn clones_share_the_text() {
        let name = name("a/b");
        assert!(std::ptr::eq(name.as_str(), name.clone().as_str()));
        assert_eq!(name.components().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn json_has_it_as_a_string() {
        assert_eq!(serde_json::to_string(&name("a/b")).unwrap(), "\"a/b\"");
        assert_eq!(serde_json::from_str::<RepositoryName>("\"a/b\"").unwrap(), name("a/b"));
        assert!(serde_json::from_str::<RepositoryName>("\"../b\"").is_err());
    }

    const COMPONENT: &str = "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}";

    fn any_name() -> impl Strategy<Value = String> {
        prop::collection::vec(COMPONENT, 1..5).prop_map(|components| components.join("/"))
    }

    proptest! {
        #[test]
        fn every_sentence_of_the_grammar_is_a_name(text in any_name()) {
            prop_assert_eq!(name(&text).to_string(), text);
        }

        #[test]
        fn what_parses_displays_as_itself(text in "([a-cA.\\-_/]{0,12}|\\PC*)") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn the_order_is_that_of_the_bytes_with_slash_lowest(a in any_name(), b in any_name()) {
            let bytes = |text: &str| text.replace('/', "\0");
            prop_assert_eq!(name(&a).cmp(&name(&b)), bytes(&a).cmp(&bytes(&b)));
        }
    }
}
