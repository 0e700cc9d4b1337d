//! Settings as they are in effect: each key with its value and where that came from.
//!
//! A value is JSON here; the text form writes it as TOML.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{
    kind::Value,
    s3,
    settings::{Origin, Settings},
    table::{self, Section, Support},
    tables::Record,
    values::duration_text,
};
use crate::{
    Secret,
    secret::{REDACTED, is_secret_header},
};

/// One key in effect.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Effective {
    /// The whole name: `registry.log_level`.
    pub(crate) key: String,
    pub(crate) value: Json,
    pub(crate) origin: Origin,
    /// The table it stands in.
    #[serde(skip)]
    pub(crate) table: &'static str,
    #[serde(skip)]
    pub(crate) name: &'static str,
}

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Secrets {
    Shown,
    Redacted,
}

/// Returns every key that has a value, in the order of the key table.
pub(crate) fn effective(settings: &Settings, secrets: Secrets) -> Vec<Effective> {
    let in_memory = settings.has_table("registry.storage.inmemory");
    let has_folder = !in_memory && s3::name(settings).is_none();
    let has_effect = |section: &&Section| match section.path {
        "registry_nginx" => false,
        "registry.storage.filesystem" => has_folder,
        // Naming one of these tables is what turns it on.
        "registry.auth.htpasswd" | "registry.auth.silly" => settings.has_table(section.path),
        "registry.auth.token" => settings.takes_tokens(),
        _ => true,
    };
    table::sections()
        .filter(has_effect)
        .flat_map(|section| keys(settings, section, secrets))
        .collect()
}

fn keys(settings: &Settings, section: &'static Section, secrets: Secrets) -> Vec<Effective> {
    let can_be_set = |support| matches!(support, Support::Yes | Support::Only(_));
    let rows = section.keys.iter().filter(|row| can_be_set(row.support));
    rows.filter_map(|row| {
        let key = section.path_of(row.name);
        let value = as_json(settings.get(&key)?, secrets);
        let origin = settings.origin(&key);
        Some(Effective { key, value, origin, table: section.path, name: row.name })
    })
    .collect()
}

fn as_json(value: Value, secrets: Secrets) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Secret(secret) => revealed(&secret, secrets),
        Value::Flag(flag) => flag.into(),
        Value::Count(count) => count.into(),
        Value::Port(port) => port.into(),
        Value::List(list) => list.into(),
        Value::Hosts(hosts) => hosts.iter().map(ToString::to_string).collect(),
        Value::Duration(duration) => duration_text(duration).into(),
        Value::Address(address) => address.to_string().into(),
        Value::Url(url) => url.to_string().into(),
        Value::WebUrl(url) => url.to_string().into(),
        Value::Path(path) => path.to_string_lossy().into(),
        // A variable may hold a password, and nobody can tell which.
        Value::Environment(variables) => variables
            .into_iter()
            .map(|(name, value)| (name, revealed(&Secret::new(value), secrets)))
            .collect(),
        Value::Fields(fields) => json!(fields),
        Value::Headers(headers) => headers
            .into_iter()
            .map(|(name, values)| match is_secret_header(&name) {
                true => {
                    let hidden =
                        values.into_iter().map(|value| revealed(&Secret::new(value), secrets));
                    (name, hidden.collect())
                }
                false => (name, Json::from(values)),
            })
            .collect(),
        Value::Endpoint(url) if secrets == Secrets::Shown => url.reveal().into(),
        Value::Endpoint(url) => url.shown().into(),
        Value::Record(record) => record.to_json(|value| as_json(value, secrets)),
        Value::Tables(records) => {
            let record = |record: &Record| record.to_json(|value| as_json(value, secrets));
            records.iter().map(record).collect()
        }
        Value::Notifications(endpoints) => {
            let is_revealed = secrets == Secrets::Shown;
            endpoints.iter().map(|endpoint| endpoint.to_json(is_revealed)).collect()
        }
    }
}

fn revealed(secret: &Secret, secrets: Secrets) -> Json {
    match secrets {
        Secrets::Shown => secret.reveal().into(),
        Secrets::Redacted => REDACTED.into(),
    }
}

impl Effective {
    /// Returns the value as instance.toml writes it.
    pub(crate) fn toml(&self) -> String {
        toml(&self.value)
    }
}

/// Writes a value as TOML; its strings are escaped as JSON's are.
pub(crate) fn toml(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Json::Object(entries) => {
            let sorted: BTreeMap<_, _> = entries.iter().collect();
            let entry =
                |(name, value): (&String, &Json)| format!("{} = {}", bare(name), toml(value));
            let entries: Vec<_> = sorted.into_iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a name in a table, in quotes if TOML needs them.
fn bare(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        true => name.to_owned(),
        false => Json::from(name).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_written_as_toml_that_reads_the_same() {
        for value in [
            json!("a \"quoted\"\n\u{7}text"),
            json!(true),
            json!(7),
            json!(["*", "[::]"]),
            json!({ "X-One": ["a"], "two words": "b" }),
            json!({}),
        ] {
            let text = format!("value = {}", toml(&value));
            let read: Json = ::toml::from_str(&text).unwrap();
            assert_eq!(read["value"], value, "{text}");
        }
    }
}
