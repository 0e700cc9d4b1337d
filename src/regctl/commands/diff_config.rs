//! `regctl diff-config`: what an instance has other than the defaults.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::Context;
use crate::{
    config::{Effective, Origin, ShownSecrets, default_settings, effective, load, toml},
    exit::Failure,
    output::{Document, Report},
};

/// Show what differs from the defaults
///
/// Compares the settings in effect with those of an empty instance.toml, so that a value that only repeats
/// the default is left out and one that follows from another key is shown. Secrets are shown as
/// `[redacted]`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl diff-config
  regctl diff-config --json | jq -r '.differences[].key'")]
pub(crate) struct Args {}

/// The differences, in the order of the reference.
#[derive(Debug, Serialize)]
struct Compared {
    instance: PathBuf,
    differences: Vec<Difference>,
}

/// One key whose value is not the default.
#[derive(Debug, Serialize)]
struct Difference {
    key: String,
    /// None: it has none by default.
    default: Option<Value>,
    /// None: it does not count here, as the folder of a registry in memory.
    value: Option<Value>,
    origin: Origin,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args {} = args;
    let instance = context.layout.instance_toml();
    let parsed = load::load(&instance)?;
    let defaults = effective(&default_settings(), ShownSecrets::Redacted);
    let here = effective(&parsed.settings, ShownSecrets::Redacted);
    Ok(Report::good(&Compared { instance, differences: differences(defaults, here) }))
}

fn differences(defaults: Vec<Effective>, here: Vec<Effective>) -> Vec<Difference> {
    let mut defaults: BTreeMap<String, Effective> =
        defaults.into_iter().map(|setting| (setting.key.clone(), setting)).collect();
    let mut differences = Vec::new();
    for Effective { key, value, origin, .. } in here {
        let default = defaults.remove(&key).map(|default| default.value);
        if default.as_ref() != Some(&value) {
            differences.push(Difference { key, default, value: Some(value), origin });
        }
    }
    differences.extend(defaults.into_values().map(|gone| Difference {
        key: gone.key,
        default: Some(gone.value),
        value: None,
        origin: Origin::Default,
    }));
    differences
}

impl Document for Compared {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.differences.is_empty() {
            return writeln!(f, "{}: nothing differs from the defaults", self.instance.display());
        }
        for difference in &self.differences {
            writeln!(f, "{}{}", difference.key, Source(difference.origin))?;
            if let Some(default) = &difference.default {
                writeln!(f, "  - {}", toml(default))?;
            }
            if let Some(value) = &difference.value {
                writeln!(f, "  + {}", toml(value))?;
            }
        }
        Ok(())
    }
}

/// Where a value came from, beside its key.
struct Source(Origin);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::File { line } => write!(f, "  (line {line})"),
            Origin::Derived { from } => write!(f, "  (from {from})"),
            Origin::Default => Ok(()),
        }
    }
}
