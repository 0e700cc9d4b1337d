//! `regctl graceful-kill`: stop, and then no mercy.

use super::{
    Context,
    selection::Selection,
    telling::{self, Unfinished, UntilSo},
};
use crate::{exit::Failure, output::Report, supervise::Change};

/// Stop services, and kill what has not ended in time
///
/// As `regctl stop`; what is left of a service after --wait is killed with everything that it has started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl graceful-kill registry
  regctl graceful-kill --wait 5s")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    until: UntilSo,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, until } = args;
    telling::change(Change::Stop, "graceful-kill", &selection, (until, Unfinished::Killed), context)
}
