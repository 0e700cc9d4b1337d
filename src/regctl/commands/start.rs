//! `regctl start`: services that are to run, from now on.

use super::{
    Context,
    selection::Selection,
    telling::{self, Unfinished, UntilSo},
};
use crate::{exit::Failure, output::Report, supervise::Change};

/// Start services, and wait until they serve
///
/// A service that runs already is left alone; one that crashes is tried at once, without the pause that is due.
/// It is as it was told when it answers requests: `ok: run: registry: (pid 25482) 0s`. When that takes longer than
/// --wait, the line begins with `timeout:` and the exit code is 1; the supervisor goes on trying.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl start
  regctl start nginx --wait 5s
  regctl start --no-wait")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    until: UntilSo,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, until } = args;
    telling::change(Change::Start, "start", &selection, (until, Unfinished::Left), context)
}
