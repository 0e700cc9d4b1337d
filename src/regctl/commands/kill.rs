//! `regctl kill`: the signal KILL.

use super::{Context, selection::Selection, telling};
use crate::{
    exit::Failure,
    output::Report,
    supervise::{Request, Sent},
};

/// Send services the signal KILL, with all that they have started
///
/// Says nothing and does not wait. A service that was up is started again at once; what it was about to answer is cut
/// off. To stop it, `regctl graceful-kill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl kill registry")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection } = args;
    telling::send(&selection, context, |service| Request::Signal { service, signal: Sent::Kill })
}
