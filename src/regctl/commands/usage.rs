//! `regctl registry usage`: what `du` has found out about the storage, in a process of the registry's user.

use std::{fmt, path::PathBuf};

use registry::{
    Config,
    collect::{self, Access, By, Error as CollectError, Remembered, Row, Store, Usage},
    quota::Count,
};
use serde::Serialize;

use super::{Context, fills, remembered};
use crate::{
    exit::Failure,
    output::{Document, Progress, Report, Table, Verdict, bar, size},
    sys::runtime,
};

/// Say what takes the space of a storage
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(help = "The registry's config.yml")]
    pub(super) config: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "project")]
    by: Grouping,
    #[arg(long, default_value = "2")]
    depth: u8,
    #[arg(long)]
    top: Option<usize>,
    /// Where the instance remembers what manifests refer to
    #[arg(long)]
    references: Option<PathBuf>,
}

/// What is added up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Grouping {
    /// The first components of the names of repositories
    Project,
    Repository,
    Tag,
}

/// What takes space.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    usage: Usage,
    /// How many rows are left out.
    left_out: usize,
    #[serde(skip)]
    by: Grouping,
}

pub(super) fn run(args: &Args, config: &Config, context: &Context) -> Result<Report, Failure> {
    let by = match args.by {
        Grouping::Project => By::Project(usize::from(args.depth)),
        Grouping::Repository => By::Repository,
        Grouping::Tag => By::Tag,
    };
    let mut progress = Progress::new(context.printer);
    let mut watch = |news| match news {
        collect::Progress::Begun(phase, total) => progress.begin(phase.as_str(), total),
        collect::Progress::Advanced(count) => progress.advance(count),
        collect::Progress::Gone(_) => {}
    };
    let cache = remembered::references(config, args.references.as_ref());
    let remembered = cache.as_deref().map_or(Remembered::Nothing, Remembered::Read);
    // What is pushed from here on is looked for in its records, too.
    let count = Count::begin(config.quotas.as_ref());
    let work = async {
        match Store::open(&config.storage.driver, Access::Look).await {
            // Nothing was ever pushed.
            Err(CollectError::Missing(_)) => {
                Ok(Usage { quotas: count.give_up("there is no storage"), ..Usage::default() })
            }
            store => store?.usage(by, remembered, count, &mut watch).await,
        }
    };
    let mut usage = runtime::block_on(work).map_err(Failure::Input)??;
    progress.end();
    let top = args.top.unwrap_or(usize::MAX);
    let left_out = usage.rows.len().saturating_sub(top);
    usage.rows.truncate(top);
    let verdict = if usage.notes == 0 { Verdict::Good } else { Verdict::Findings };
    Ok(Report::of(&Told { usage, left_out, by: args.by }, verdict))
}

impl Document for Told {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { rows, stored, freed, freed_with_untagged, notes, quotas } = &self.usage;
        let name = match self.by {
            Grouping::Project => "project",
            Grouping::Repository => "repository",
            Grouping::Tag => "tag",
        };
        let mut table = Table::new(&[name, "logical", "unique", "shared", "untagged", ""]);
        let most = rows.iter().map(|row| row.logical).max().unwrap_or(0);
        for Row { name, logical, unique, shared, untagged } in rows {
            let sizes = [logical, unique, shared, untagged].map(|bytes| size(*bytes));
            let [logical_text, unique, shared, untagged] = sizes;
            table.row(&[name.clone(), logical_text, unique, shared, untagged, bar(*logical, most)]);
        }
        write!(f, "{table}")?;
        if self.left_out > 0 {
            writeln!(f, "… and {} more", self.left_out)?;
        }
        writeln!(
            f,
            "{} stored; a collection would free {}, and with -m {}",
            size(*stored),
            size(*freed),
            size(*freed_with_untagged)
        )?;
        fills::table(quotas, f)?;
        match notes {
            0 => Ok(()),
            count => writeln!(
                f,
                "{count} things could not be read: `regctl registry-garbage-collect --dry-run` names them"
            ),
        }
    }
}
