//! The checked settings of one file, before they are compared with each other.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{
    kind::{self, Value},
    table,
    values::{ExternalUrl, ListenAddress},
};
use crate::Secret;

/// What was written, by whole key name.
#[derive(Debug, Default)]
pub(super) struct Settings {
    keys: BTreeMap<String, Setting>,
    tables: BTreeMap<String, Range<usize>>,
}

/// A value, where its key stands, and how it was written.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) span: Range<usize>,
}

impl Settings {
    pub(super) fn set(&mut self, path: String, value: Value, span: Range<usize>) {
        self.keys.insert(path, Setting { value, span });
    }

    pub(super) fn open(&mut self, path: String, span: Range<usize>) {
        self.tables.insert(path, span);
    }

    /// Returns the value's place, if the file sets the key.
    pub(super) fn written(&self, path: &str) -> Option<Range<usize>> {
        self.keys.get(path).map(|setting| setting.span.clone())
    }

    /// Returns the tables the file names, with where they are opened.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        self.tables.iter().map(|(path, span)| (path.as_str(), span))
    }

    /// Returns the value of a key: written, else the table's default.
    fn get(&self, path: &str) -> Option<Value> {
        match self.keys.get(path) {
            Some(setting) => Some(setting.value.clone()),
            None => default(path),
        }
    }
}

/// Getters by kind. A key of another kind is a mistake in the key table that the first test shows.
macro_rules! getters {
    ($($name:ident: $variant:ident -> $type:ty;)*) => {
        impl Settings {
            $(pub(super) fn $name(&self, path: &str) -> Option<$type> {
                match self.get(path)? {
                    Value::$variant(value) => Some(value),
                    other => unreachable!("`{path}` is asked for as another kind than {other:?}"),
                }
            })*
        }
    };
}

getters! {
    text: Text -> String;
    secret: Secret -> Secret;
    flag: Flag -> bool;
    count: Count -> u64;
    duration: Duration -> Duration;
    address: Address -> ListenAddress;
    url: Url -> ExternalUrl;
    path: Path -> PathBuf;
    environment: Environment -> BTreeMap<String, String>;
    headers: Headers -> BTreeMap<String, Vec<String>>;
}

/// Reads a key's default as if it were written in the file.
pub(super) fn default(path: &str) -> Option<Value> {
    let (_, key) = table::find(path).expect("only keys of the key table are asked for");
    let value = DeValue::parse(key.default?).expect("defaults in the key table are TOML");
    Some(kind::check(key.kind, &value).expect("defaults in the key table fit their kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_kind() {
        let mut defaults = 0;
        for section in table::sections() {
            for key in section.keys {
                defaults += usize::from(default(&section.path_of(key.name)).is_some());
            }
        }
        assert!(defaults > 10, "only {defaults} keys have a default");
    }
}
