//! `regctl stop`: services that are to be down, until somebody starts them.

use super::{
    Context,
    selection::Selection,
    telling::{self, Unfinished, UntilSo},
};
use crate::{exit::Failure, output::Report, supervise::Change};

/// Stop services, and wait until they have ended
///
/// A service is asked to end, finishes the requests under way for at most `http_draintimeout`, and is killed ten
/// seconds after that. It stays down, over `regctl reconfigure` too, until it is started or the supervisor is.
/// When it has not ended within --wait, the line begins with `timeout:` and the exit code is 1; it ends later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl stop
  regctl stop nginx --wait 2m
  regctl stop registry --no-wait")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    until: UntilSo,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, until } = args;
    telling::change(Change::Stop, "stop", &selection, (until, Unfinished::Left), context)
}
