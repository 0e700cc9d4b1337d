//! The checked settings of one file: what was written, what follows from it, and where each came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::PathBuf,
    time::Duration,
};

use serde::Serialize;
use toml::de::DeValue;

use super::{
    kind::{self, Value},
    notifications::Endpoint,
    table,
    tables::Record,
    values::{ExternalUrl, Host, ListenAddress},
    web_url::WebUrl,
};
use crate::{Secret, secret::is_secret_header};

/// Every setting by whole key name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    keys: BTreeMap<String, Setting>,
    derived: BTreeMap<String, Derived>,
    tables: BTreeMap<String, Range<usize>>,
    /// Keys that were written with a value they do not take.
    spoiled: BTreeSet<String>,
}

/// A written value and where it stands.
#[derive(Clone, Debug)]
struct Setting {
    value: Value,
    span: Range<usize>,
    line: usize,
    /// Line and column of the value.
    place: (usize, usize),
}

/// A value that follows from another key.
#[derive(Clone, Debug)]
struct Derived {
    value: Value,
    from: &'static str,
}

/// A path that a key names, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub(crate) key: String,
    pub(crate) path: PathBuf,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Origin {
    /// The file says so.
    File {
        line: usize,
    },
    /// It follows from another key.
    Derived {
        from: &'static str,
    },
    Default,
}

impl Settings {
    pub(super) fn set(
        &mut self,
        path: String,
        value: Value,
        span: Range<usize>,
        line: usize,
        place: (usize, usize),
    ) {
        self.keys.insert(path, Setting { value, span, line, place });
    }

    pub(super) fn open(&mut self, path: String, span: Range<usize>) {
        self.tables.insert(path, span);
    }

    /// Notes that a key has no value because the written one is wrong.
    pub(super) fn spoil(&mut self, path: String) {
        self.spoiled.insert(path);
    }

    pub(super) fn is_spoiled(&self, path: &str) -> bool {
        self.spoiled.contains(path)
    }

    /// Gives an unwritten key a value.
    pub(super) fn derive(&mut self, path: &str, value: Value, from: &'static str) {
        if !self.keys.contains_key(path) {
            self.derived.insert(path.to_owned(), Derived { value, from });
        }
    }

    /// Replaces a written value by what it means, as a table merged over the default one.
    pub(super) fn complete(&mut self, path: &str, value: Value) {
        if let Some(setting) = self.keys.get_mut(path) {
            setting.value = value;
        }
    }

    /// Moves a written key to another name; what stands there already stays.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        if let Some(setting) = self.keys.remove(old) {
            self.keys.entry(new.to_owned()).or_insert(setting);
        }
        if self.spoiled.remove(old) {
            self.spoiled.insert(new.to_owned());
        }
    }

    /// Returns the value's place, if the file sets the key.
    pub(super) fn written(&self, path: &str) -> Option<Range<usize>> {
        self.keys.get(path).map(|setting| setting.span.clone())
    }

    /// Returns the written keys of a table, with their places.
    pub(super) fn written_below(&self, prefix: &str) -> Vec<(String, Range<usize>)> {
        self.keys
            .iter()
            .filter(|(path, _)| path.starts_with(prefix))
            .map(|(path, setting)| (path.clone(), setting.span.clone()))
            .collect()
    }

    /// Returns the tables the file names, with where they are opened.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        self.tables.iter().map(|(path, span)| (path.as_str(), span))
    }

    pub(super) fn has_table(&self, path: &str) -> bool {
        self.tables.contains_key(path)
    }

    /// Returns where the value of a key comes from.
    pub(super) fn origin(&self, path: &str) -> Origin {
        match (self.keys.get(path), self.derived.get(path)) {
            (Some(setting), _) => Origin::File { line: setting.line },
            (None, Some(derived)) => Origin::Derived { from: derived.from },
            (None, None) => Origin::Default,
        }
    }

    /// Returns line and column of what gives a key its value; the start of the file when nothing does.
    pub(crate) fn place(&self, path: &str) -> (usize, usize) {
        let from = self.derived.get(path).map(|derived| derived.from);
        let setting = self.keys.get(path).or_else(|| self.keys.get(from?));
        setting.map_or((1, 1), |setting| setting.place)
    }

    /// Returns a written key whose value nobody else should know.
    pub(super) fn first_secret(&self) -> Option<String> {
        let found = self
            .keys
            .iter()
            .find(|(key, setting)| is_secret(&setting.value) && !self.derived.contains_key(*key));
        found.map(|(key, _)| key.clone())
    }

    /// Returns every path that a key names, by itself or by what it is derived from.
    pub(crate) fn named(&self) -> Vec<Named> {
        let keys = table::sections()
            .flat_map(|section| section.keys.iter().map(|row| section.path_of(row.name)));
        keys.flat_map(|key| self.named_by(&key)).collect()
    }

    fn named_by(&self, key: &str) -> Vec<Named> {
        let path = |value: &Value| match value {
            Value::Path(path) => Some(Named { key: key.to_owned(), path: path.clone() }),
            _ => None,
        };
        match self.get(key) {
            // What must not be there is no file that is read.
            Some(Value::Tables(_)) if key == "registry.health.file" => Vec::new(),
            Some(Value::Tables(records)) => {
                records.iter().flat_map(Record::values).filter_map(path).collect()
            }
            value => value.iter().filter_map(path).collect(),
        }
    }

    /// Returns the GitLab that issues tokens, with the key that names it.
    pub(super) fn gitlab(&self) -> Option<(&'static str, WebUrl)> {
        ["registry.token_realm", "external_url"]
            .into_iter()
            .find_map(|key| Some((key, self.web_url(key)?)))
    }

    /// Whether tokens let users in: GitLab's, or another server's.
    pub(super) fn takes_tokens(&self) -> bool {
        self.has_table("registry.auth.token") || self.gitlab().is_some()
    }

    /// Returns the value of a key: written, else derived, else the table's default.
    pub(super) fn get(&self, path: &str) -> Option<Value> {
        let written = self.keys.get(path).map(|setting| setting.value.clone());
        let derived = || self.derived.get(path).map(|derived| derived.value.clone());
        written.or_else(derived).or_else(|| default(path))
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
    port: Port -> u16;
    duration: Duration -> Duration;
    address: Address -> ListenAddress;
    url: Url -> ExternalUrl;
    web_url: WebUrl -> WebUrl;
    path: Path -> PathBuf;
    hosts: Hosts -> Vec<Host>;
    list: List -> Vec<String>;
    environment: Environment -> BTreeMap<String, String>;
    fields: Fields -> BTreeMap<String, Option<String>>;
    headers: Headers -> BTreeMap<String, Vec<String>>;
    notifications: Notifications -> Vec<Endpoint>;
    tables_of: Tables -> Vec<Record>;
}

/// Whether nobody else should know a value.
fn is_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::Headers(headers) => {
            headers.iter().any(|(name, values)| !values.is_empty() && is_secret_header(name))
        }
        Value::Notifications(endpoints) => endpoints.iter().any(Endpoint::is_secret),
        Value::Endpoint(url) => url.shown() != url.reveal(),
        Value::Tables(records) => records.iter().flat_map(Record::values).any(is_secret),
        _ => false,
    }
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
