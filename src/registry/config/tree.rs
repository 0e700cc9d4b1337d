//! The tree: YAML as it was written, every node with the place it came from.
//!
//! A scalar keeps its text and whether it was quoted. What it means is decided by whoever reads it,
//! as Go's yaml.v2 does: `secret: 0123` is the text `0123`, `enabled: on` is true and `tag: on` is
//! the text `on`.

use super::Origin;

/// One value with its origin.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What YAML knows.
#[derive(Clone)]
pub(super) enum Value {
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Whether a scalar may be something else than text.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Style {
    Plain,
    Quoted,
}

/// A key of a map with its value; no map holds a key twice.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn null(origin: Origin) -> Self {
        Self { value: Value::Scalar { text: String::new(), style: Style::Plain }, origin }
    }

    pub(super) fn map(entries: Vec<Entry>, origin: Origin) -> Self {
        Self { value: Value::Map(entries), origin }
    }

    /// A key without a value, `~` and `null` are the same as no key.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, style: Style::Plain } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Value::Scalar { style: Style::Quoted, .. } | Value::List(_) | Value::Map(_) => false,
        }
    }

    /// Whether nothing is said at all: no text below, however deep.
    pub(super) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Scalar { text, .. } => self.is_null() || text.is_empty(),
            Value::List(items) => items.iter().all(Self::is_empty),
            Value::Map(entries) => entries.iter().all(|entry| entry.node.is_empty()),
        }
    }

    /// The text of a scalar that is not null.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar { .. } | Value::List(_) => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar { .. } | Value::Map(_) => &[],
        }
    }

    /// The value at a path of keys, `http.addr`; a null counts as absent.
    pub(super) fn find(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for key in path.split('.') {
            node = &node.entries().iter().find(|entry| entry.key == key)?.node;
        }
        (!node.is_null()).then_some(node)
    }

    /// What kind of value this is, for messages.
    pub(super) fn noun(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}
