//! `[registry.storage.s3]`: a bucket.
//!
//! The registry itself says what can be used: its reader is asked with what was written, so that there is one set of
//! rules for `instance.toml` and `config.yml`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{checks::Findings, kind::Value, settings::Settings, table};
use crate::Secret;

/// The names that Distribution has for the driver.
const NAMES: [&str; 2] = ["s3", "s3aws"];

/// Distribution always wants to be told a region; stores that are not Amazon's hardly ever look at it.
const USUAL_REGION: &str = "us-east-1";

/// The bucket with its options, as they go into `config.yml`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct S3 {
    /// `s3` or `s3aws`.
    pub(crate) name: &'static str,
    pub(crate) bucket: String,
    /// Without the slashes around it.
    pub(crate) root_directory: String,
    /// Every option that is set, under its name.
    pub(crate) options: BTreeMap<&'static str, Setting>,
}

/// The value of an option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Setting {
    Text(String),
    Secret(Secret),
    Flag(bool),
    Number(u64),
}

/// What the storage is called, if it is a bucket.
pub(super) fn name(settings: &Settings) -> Option<&'static str> {
    NAMES.into_iter().find(|name| settings.has_table(&table_of(name)))
}

/// Returns the bucket, if that is the storage.
pub(super) fn s3(settings: &Settings) -> Option<S3> {
    let name = name(settings)?;
    let options = options(settings, name);
    let text = |name: &str| match options.get(name) {
        Some(Setting::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let root_directory = text("rootdirectory").trim_matches('/').to_owned();
    Some(S3 { name, bucket: text("bucket"), root_directory, options })
}

fn table_of(name: &str) -> String {
    format!("registry.storage.{name}")
}

fn options(settings: &Settings, name: &str) -> BTreeMap<&'static str, Setting> {
    let section = table::section(&table_of(name)).expect("both are tables of instance.toml");
    let mut options = BTreeMap::new();
    for key in section.keys {
        let setting = match settings.get(&section.path_of(key.name)) {
            Some(Value::Text(text)) => Setting::Text(text),
            Some(Value::Secret(secret)) => Setting::Secret(secret),
            Some(Value::Flag(flag)) => Setting::Flag(flag),
            Some(Value::Count(number)) => Setting::Number(number),
            // The file that a secret comes from is no option of the registry's.
            Some(_) | None => continue,
        };
        options.insert(key.name, setting);
    }
    if options.contains_key("regionendpoint") {
        options.entry("region").or_insert_with(|| Setting::Text(USUAL_REGION.to_owned()));
    }
    options
}

/// Says what the registry would say of the bucket, where it is written.
pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    let Some(S3 { name, options, .. }) = s3(settings) else { return };
    let options: BTreeMap<_, _> = options.iter().map(|(name, set)| (*name, json_of(set))).collect();
    let document = json!({
        "version": "0.1",
        "storage": { name: options },
        "http": { "addr": "127.0.0.1:0", "secret": "none" },
    });
    let Err(invalid) = registry::Config::parse(&document.to_string(), &[]) else { return };
    for problem in invalid.problems {
        let Some(option) = problem.key.strip_prefix(&format!("storage.{name}.")) else { continue };
        let key = format!("{}.{option}", table_of(name));
        if settings.is_spoiled(&key) {
            continue;
        }
        let table = settings.tables().find(|(path, _)| *path == table_of(name));
        let at = settings.written(&key).or_else(|| table.map(|(_, at)| at.clone()));
        let hint = problem.advice.as_deref().unwrap_or("see instance.toml(5)");
        findings.problem(
            &at.unwrap_or_default(),
            &key,
            format!("`{key}`: {}", problem.message),
            hint,
        );
    }
}

fn json_of(setting: &Setting) -> Json {
    match setting {
        Setting::Text(text) => json!(text),
        Setting::Secret(secret) => json!(secret.reveal()),
        Setting::Flag(flag) => json!(flag),
        Setting::Number(number) => json!(number),
    }
}
