//! Schema 1 of an image of schema 2, letter by letter as Distribution makes it.
//!
//! The ids of layers are hashes of digests and of the configuration, so that the same image has the same
//! ids, and the same digest, wherever it is converted. What schema 1 cannot say is lost.

use std::fmt::Write;

use oci::{Algorithm, Descriptor, Digest, RepositoryName, Tag};
use sha2::{Digest as _, Sha384};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    document::{ImageConfig, Step},
    json,
    jws::PAYLOAD_BYTES,
};

/// As many as any manifest may refer to.
const STEPS: usize = 4096;

/// An empty tar archive, compressed: the layer of a step that has none, since each has one in schema 1.
pub(crate) const EMPTY_LAYER: [u8; 32] = [
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255,
    46, 175, 181, 239, 0, 4, 0, 0,
];

/// The time of a step that has none, as Go has it.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// A manifest of schema 1, without signatures.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) payload: Vec<u8>,
    /// Whether [`EMPTY_LAYER`] is among its layers.
    pub(crate) has_empty_layer: bool,
}

/// Why an image has no form in schema 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoForm {
    #[error("its configuration cannot be read")]
    Config,
    #[error("its configuration has no history")]
    NoHistory,
    #[error("its history has {0} steps, where {STEPS} are the most")]
    TooLong(usize),
    #[error("it has {layers} layers, and its configuration {diff_ids}")]
    Layers { layers: usize, diff_ids: usize },
    #[error("its history has more layers than there are")]
    TooFewLayers,
    #[error("step {0} of its history has a time that is none")]
    Time(usize),
    #[error("its manifest would be longer than 4 MiB")]
    TooLarge,
}

/// A layer with its entry of the history.
struct Entry {
    layer: Digest,
    v1_compatibility: String,
}

/// Converts an image, whose configuration is given as it is stored.
pub(crate) fn convert(
    repository: &RepositoryName,
    tag: &Tag,
    layers: &[Descriptor],
    config: &[u8],
) -> Result<Converted, NoForm> {
    let image: ImageConfig = serde_json::from_slice(config).map_err(|_| NoForm::Config)?;
    let steps = image.history.as_ref().and_then(Option::as_deref).unwrap_or_default();
    match steps.len() {
        0 => return Err(NoForm::NoHistory),
        count if count > STEPS => return Err(NoForm::TooLong(count)),
        _ => {}
    }
    let entries = entries(&image, steps, layers, config)?;
    let empty = Digest::of(Algorithm::Sha256, &EMPTY_LAYER);
    let has_empty_layer = entries.iter().any(|entry| entry.layer == empty);
    let architecture = image.architecture.as_ref().and_then(Option::as_deref).unwrap_or_default();
    let payload = document(repository, tag, architecture, &entries);
    match payload.len() {
        ..=PAYLOAD_BYTES => Ok(Converted { payload: payload.into_bytes(), has_empty_layer }),
        _ => Err(NoForm::TooLarge),
    }
}

/// The entries, lowest first.
fn entries(
    image: &ImageConfig,
    steps: &[Step],
    layers: &[Descriptor],
    config: &[u8],
) -> Result<Vec<Entry>, NoForm> {
    let root_fs = image.root_fs.as_ref().and_then(Option::as_ref).ok_or(NoForm::Config)?;
    let diff_ids = root_fs.diff_ids.as_ref().and_then(Option::as_ref).map_or(0, Vec::len);
    if diff_ids != layers.len() {
        return Err(NoForm::Layers { layers: layers.len(), diff_ids });
    }
    let empty = Digest::of(Algorithm::Sha256, &EMPTY_LAYER);
    let mut layers = layers.iter().map(|layer| layer.digest);
    let mut parent = String::new();
    let mut entries = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let layer = match step.is_empty() {
            true => empty,
            false => layers.next().ok_or(NoForm::TooFewLayers)?,
        };
        let seed = format!("{} {parent}", layer.to_hex());
        let is_last = index + 1 == steps.len();
        if is_last {
            let id = hash(&[seed.as_bytes(), b" ", config].concat());
            let v1_compatibility = top(config, &id, &parent, step.is_empty())?;
            entries.push(Entry { layer, v1_compatibility });
            break;
        }
        let id = hash(seed.as_bytes());
        if let (0, Some(Some(base))) = (index, &root_fs.base_layer)
            && !base.is_empty()
        {
            parent = base_id(base);
        }
        let v1_compatibility =
            step.v1_compatibility(&id, &parent).ok_or(NoForm::Time(index + 1))?;
        entries.push(Entry { layer, v1_compatibility });
        parent = id;
    }
    Ok(entries)
}

fn hash(text: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, text).to_hex()
}

/// The id of the layer below all others, of Windows' images.
fn base_id(base: &str) -> String {
    let hash = Sha384::digest(base);
    hash[..32].iter().fold(String::with_capacity(64), |mut id, byte| {
        write!(id, "{byte:02x}").expect("a string takes all that is written");
        id
    })
}

/// What an entry says that the configuration cannot say for it.
const OF_ENTRIES: [&str; 3] = ["id", "parent", "throwaway"];

/// The uppermost entry: the configuration, with the members of an image and without those of layers.
fn top(config: &[u8], id: &str, parent: &str, is_empty: bool) -> Result<String, NoForm> {
    let mut members = json::members(config).ok_or(NoForm::Config)?;
    members.retain(|name, _| name != "rootfs" && name != "history");
    // Of the entry, not of the image; many readers know them in any case of letters.
    members.retain(|name, _| !OF_ENTRIES.iter().any(|own| name.eq_ignore_ascii_case(own)));
    members.insert("id".to_owned(), json::string(id));
    if !parent.is_empty() {
        members.insert("parent".to_owned(), json::string(parent));
    }
    if is_empty {
        members.insert("throwaway".to_owned(), "true".to_owned());
    }
    Ok(object(members.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members: Vec<_> =
        members.map(|(name, value)| format!("{}:{value}", json::string(name))).collect();
    format!("{{{}}}", members.join(","))
}

impl Step {
    fn is_empty(&self) -> bool {
        self.empty_layer.flatten().unwrap_or(false)
    }

    /// An entry that is none but the uppermost; no image could be run by what it says.
    fn v1_compatibility(&self, id: &str, parent: &str) -> Option<String> {
        let text = |field: &Option<Option<String>>| field.clone().flatten().unwrap_or_default();
        let created = match self.created.as_ref().and_then(Option::as_deref) {
            None => NO_TIME.to_owned(),
            Some(text) => go_time(text)?,
        };
        let [id, parent, created] = [id, parent, &created].map(json::string);
        let command = format!(r#"{{"Cmd":[{}]}}"#, json::string(&text(&self.created_by)));
        let [comment, author] =
            [&self.comment, &self.author].map(|field| json::string(&text(field)));
        // What is empty is left out.
        let is_there = |text: &str| text != "\"\"";
        let members = [
            ("id", id.as_str(), true),
            ("parent", &parent, is_there(&parent)),
            ("comment", &comment, is_there(&comment)),
            ("created", &created, true),
            ("container_config", &command, true),
            ("author", &author, is_there(&author)),
            ("throwaway", "true", self.is_empty()),
        ];
        let written = members.into_iter().filter(|(.., is_there)| *is_there);
        Some(object(written.map(|(name, value, _)| (name, value))))
    }
}

/// A time by RFC 3339 as Go writes it again: to the nanosecond, without zeros at its end.
fn go_time(text: &str) -> Option<String> {
    let date = text.get(..19)?;
    let rest = &text[19..];
    let digits = rest.strip_prefix('.').unwrap_or_default();
    let digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = if digits > 0 { rest.split_at(digits + 1) } else { ("", rest) };
    // Go knows no leap seconds, and no other spellings.
    let is_plain = date.as_bytes()[10] == b'T' && !date.ends_with("60");
    if !is_plain || !(zone == "Z" || zone.starts_with(['+', '-'])) {
        return None;
    }
    OffsetDateTime::parse(&format!("{date}{zone}"), &Rfc3339).ok()?;
    let fraction = fraction.get(..10).unwrap_or(fraction);
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let zone = if matches!(zone, "+00:00" | "-00:00") { "Z" } else { zone };
    Some(format!("{date}{fraction}{zone}"))
}

/// The document, with three spaces for each level.
fn document(
    repository: &RepositoryName,
    tag: &Tag,
    architecture: &str,
    entries: &[Entry],
) -> String {
    let (name, tag) = (json::string(repository.as_str()), json::string(tag.as_str()));
    let architecture = json::string(architecture);
    // The uppermost layer comes first.
    let list = |member: &str, value: fn(&Entry) -> String| {
        let item = |entry| format!("      {{\n         \"{member}\": {}\n      }}", value(entry));
        entries.iter().rev().map(item).collect::<Vec<_>>().join(",\n")
    };
    let layers = list("blobSum", |entry| json::string(&entry.layer.to_string()));
    let history = list("v1Compatibility", |entry| json::string(&entry.v1_compatibility));
    format!(
        "{{\n   \"schemaVersion\": 1,\n   \"name\": {name},\n   \"tag\": {tag},\n   \
         \"architecture\": {architecture},\n   \"fsLayers\": [\n{layers}\n   ],\n   \
         \"history\": [\n{history}\n   ]\n}}"
    )
}
