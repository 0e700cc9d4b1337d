//! Every key that a `config.yml` may have: its kind, what it does, and whether it does so here.
//!
//! One table serves the check of a file, the names of the environment's variables, the hints for
//! misspelt keys and the reference. A key that changes security or behaviour and is not there yet
//! is refused by name: a registry that starts does what its file says.

mod nearest;
mod table;

pub(super) use nearest::nearest;
pub use table::KEYS;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The names down to it, `http.addr`; `[]` stands for the items of a list.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether it does anything.
    pub support: Support,
    /// What it does, with its default in brackets.
    pub doc: &'static str,
}

/// What the value of a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A map whose keys are in the table.
    Section,
    /// A map or a list whose contents are nobody's business but its reader's.
    Open,
    /// A list.
    List,
    /// Text; numbers are taken as written.
    Text,
    /// Text that is never shown.
    Secret,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// `true` or `false` in any spelling of YAML 1.1.
    Boolean,
    /// A whole number.
    Integer,
    /// A span of time as Go writes it; without a unit it is nanoseconds.
    Duration,
    /// A span of time longer than nothing, always with a unit.
    Period,
}

/// Whether a key does anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Support {
    /// It does what Distribution does.
    Yes,
    /// There is nothing for it to do, for this reason; said to nobody.
    Moot(&'static str),
    /// It is refused until it is there.
    NotYet(When),
    /// It is refused for good, for this reason.
    Refused(When, &'static str),
}

/// What a key must say to be refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// It is there, with or without a value.
    Given,
    /// It holds any text, however deep.
    Filled,
    /// It is true.
    True,
    /// It lists something that is not disabled.
    Active,
}

/// A driver with two names: what stands below the second is in the table below the first.
const ALIAS: (&str, &str) = ("storage.s3aws.", "storage.s3.");

/// The key at exactly this path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let named = path.strip_prefix(ALIAS.0).map(|name| format!("{}{name}", ALIAS.1));
    let path = named.as_deref().unwrap_or(path);
    KEYS.iter().find(|key| key.path == path)
}

/// The names that may stand directly below a path, `""` being the document.
pub(super) fn children(path: &str) -> Vec<&'static str> {
    let path =
        if ALIAS.0.strip_suffix('.') == Some(path) { ALIAS.1.trim_end_matches('.') } else { path };
    let mut names: Vec<&str> = Vec::new();
    for key in KEYS {
        let Some(rest) = below(key.path, path) else { continue };
        let name = rest.split('.').next().unwrap_or(rest).trim_end_matches("[]");
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The path of a name below a path.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether the value at a path is a secret, or lies in something that may hold some.
pub(super) fn is_secret(path: &str) -> bool {
    find(path).is_some_and(|key| key.kind == Kind::Secret)
        || [
            "auth.",
            "proxy.",
            "notifications.",
            "http.headers",
            "health.http[].",
            "regctl",
            "redis",
            "database",
        ]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

fn below(key: &'static str, path: &str) -> Option<&'static str> {
    if path.is_empty() { Some(key) } else { key.strip_prefix(path)?.strip_prefix('.') }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, children, find, is_secret};

    #[test]
    fn no_key_stands_in_the_table_twice() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.path != key.path), "{}", key.path);
        }
    }

    #[test]
    fn every_key_has_a_doc() {
        for key in KEYS {
            assert!(!key.doc.is_empty(), "{}", key.path);
        }
    }

    #[test]
    fn children_are_direct_and_come_once() {
        assert_eq!(
            children("storage.maintenance.uploadpurging"),
            ["enabled", "age", "interval", "dryrun"]
        );
        assert_eq!(children("compatibility"), ["schema1"]);
        assert!(children("").contains(&"http"));
        assert!(children("notifications.endpoints[]").contains(&"url"));
        assert!(children("http.addr").is_empty());
    }

    #[test]
    fn a_secret_is_known_by_its_kind_or_its_section() {
        assert!(is_secret("http.secret"));
        assert!(is_secret("proxy.password"));
        assert!(!is_secret("http.addr"));
        assert!(find("http.addr").is_some());
    }
}
