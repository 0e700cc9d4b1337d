//! `regctl restart`: services as new processes.

use super::{
    Context,
    selection::Selection,
    telling::{self, Unfinished, UntilSo},
};
use crate::{exit::Failure, output::Report, supervise::Change};

/// Restart services, and wait until the new processes serve
///
/// A service that is down is started; one that crashes is tried at once. The registry's socket stays open
/// meanwhile: connections wait, and are not refused. What it prints is always the new process.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl restart
  regctl restart registry --wait 2m")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    until: UntilSo,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, until } = args;
    telling::change(Change::Restart, "restart", &selection, (until, Unfinished::Left), context)
}
