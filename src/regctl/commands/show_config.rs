//! `regctl show-config`: every setting in effect, with where it came from, or the complete reference.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::Context;
use crate::{
    config::{
        Effective, KeyReference, Origin, ShownSecrets, SupportReference, TableReference, effective,
        load, reference,
    },
    exit::Failure,
    output::{Document, Report},
};

/// Show every setting in effect and where it came from
///
/// Each value comes from a line of instance.toml, follows from another key, or is the default. Secrets are
/// shown as `[redacted]`, and so are the variables in `env`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl show-config
  regctl show-config --defaults | less
  regctl show-config --json | jq '.settings[] | select(.origin.kind == \"file\")'")]
pub(crate) struct Args {
    /// Show every key that instance.toml can have, with its default and meaning; no instance is needed
    #[arg(long, conflicts_with = "show_secrets")]
    defaults: bool,
    /// Print secrets as they are
    #[arg(long)]
    show_secrets: bool,
}

/// The settings of an instance.
#[derive(Debug, Serialize)]
struct Shown {
    instance: PathBuf,
    settings: Vec<Effective>,
}

/// Every key there is.
#[derive(Debug, Serialize)]
struct Reference {
    tables: Vec<TableReference>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { defaults, show_secrets } = args;
    if defaults {
        return Ok(Report::good(&Reference { tables: reference() }));
    }
    let instance = context.layout.instance_toml();
    let parsed = load::load(&instance)?;
    let secrets = if show_secrets { ShownSecrets::Shown } else { ShownSecrets::Redacted };
    Ok(Report::good(&Shown { instance, settings: effective(&parsed.settings, secrets) }))
}

impl Document for Shown {
    const SCHEMA: u32 = 1;
}

impl Document for Reference {
    const SCHEMA: u32 = 1;
}

/// Where the comments of a table begin, unless one of its lines is longer.
const COMMENT_COLUMN: usize = 60;

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {}", self.instance.display())?;
        for group in self.settings.chunk_by(|one, other| one.table == other.table) {
            match group.first().map_or("", |first| first.table) {
                "" => writeln!(f)?,
                table => writeln!(f, "\n[{table}]")?,
            }
            for setting in group {
                let line = format!("{} = {}", setting.name, setting.toml());
                writeln!(f, "{line:<COMMENT_COLUMN$}  # {}", Comment(setting.origin))?;
            }
        }
        Ok(())
    }
}

/// Where a value came from, in words.
struct Comment(Origin);

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::File { line } => write!(f, "line {line}"),
            Origin::Derived { from } => write!(f, "from {from}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# Every key of instance.toml with its default.\n")?;
        self.tables.iter().try_for_each(|table| write_table(f, table))
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &TableReference) -> fmt::Result {
    writeln!(f)?;
    if !table.table.is_empty() {
        writeln!(f, "[{}]", table.table)?;
    }
    writeln!(f, "# {}{}", table.doc, Limits(table.support))?;
    table.keys.iter().try_for_each(|key| write_key(f, key))
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &KeyReference) -> fmt::Result {
    match key.support {
        SupportReference::Yes | SupportReference::DefaultOnly => {
            writeln!(f, "\n# {}: {}{}", key.doc, key.takes, Limits(key.support))?;
        }
        SupportReference::NotYet | SupportReference::Refused(_) => {
            return writeln!(f, "\n# {}: {}{}", key.name, key.doc, Limits(key.support));
        }
    }
    match key.default {
        Some(default) => writeln!(f, "{} = {default}", key.name),
        None => writeln!(f, "# {} =", key.name),
    }
}

/// What cannot be set, in words.
struct Limits(SupportReference);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SupportReference::Yes => Ok(()),
            SupportReference::DefaultOnly => f.write_str("; only the default is supported yet"),
            SupportReference::NotYet => f.write_str("; not supported yet"),
            SupportReference::Refused(reason) => write!(f, "; refused: {reason}"),
        }
    }
}
