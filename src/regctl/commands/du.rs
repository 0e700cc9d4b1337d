//! `regctl du`: what takes the space of the storage, and what a collection would free.

use std::{ffi::OsString, process};

use clap::ValueEnum as _;

use super::{Context, internal::AS_REGISTRY, usage::Grouping};
use crate::{
    config::load,
    exit::Failure,
    output::{Format, Report, Verdict, Volume},
    state::Services,
    sys::{
        signals::Signals,
        worker::{self, Ended, Error as WorkerError},
    },
};

/// Show what takes the space of the storage
///
/// For each project, repository or tag: the bytes of all that it holds, each blob once; those that nothing else holds, and those that others
/// share; and those that only manifests without a tag hold. Below stands what a collection would free, without and with -m.
/// The registry goes on meanwhile, and nothing is changed but how far quotas are used, which is shown and corrected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl du
  regctl du --by repository --top 10
  regctl du --by project --depth 1
  regctl du --by tag --json | jq '.rows[] | select(.unique > 1000000000)'")]
pub(crate) struct Args {
    /// What to add up
    #[arg(long, value_enum, default_value = "project")]
    by: Grouping,
    /// How many components of a name make a project
    #[arg(long, value_name = "COUNT", default_value = "2", value_parser = clap::value_parser!(u8).range(1..))]
    depth: u8,
    /// Only so many rows, the largest ones
    #[arg(long, value_name = "COUNT")]
    top: Option<usize>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let Context { layout, printer, .. } = context;
    let instance = load::load(&layout.instance_toml())?.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(layout.instance_toml()));
    }
    let mut words: Vec<OsString> = vec![AS_REGISTRY.into(), "--root".into(), layout.root().into()];
    words.extend(["--parent".into(), process::id().to_string().into()]);
    words.extend(["registry".into(), "usage".into(), layout.config_yml().into()]);
    words.extend(["--references".into(), layout.references().into()]);
    let by = args.by.to_possible_value();
    let by = by.map(|value| value.get_name().to_owned()).unwrap_or_default();
    words.extend(["--by".into(), by.into()]);
    words.extend(["--depth".into(), args.depth.to_string().into()]);
    if let Some(top) = args.top {
        words.extend(["--top".into(), top.to_string().into()]);
    }
    words.extend((printer.format() == Format::Json).then(|| "--json".into()));
    words.extend((printer.volume() == Volume::Quiet).then(|| "--quiet".into()));
    let signals = Signals::block().map_err(WorkerError::Wait)?;
    let environment = Services::load(layout)?.registry.environment;
    match worker::work(signals, words, environment, None)? {
        Ended::Code(0) => Ok(Report::silent()),
        Ended::Code(5) => Ok(Report::silent_with(Verdict::Findings)),
        ended => Err(Failure::Worker(ended)),
    }
}
