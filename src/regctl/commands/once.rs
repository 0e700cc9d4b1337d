//! `regctl once`: services that run until they end by themselves.

use super::{
    Context,
    selection::Selection,
    telling,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::Report,
    state::Lock,
    supervise::{Request, ask},
};

/// Start services, and leave them down when they end
///
/// Says nothing and does not wait until it is so. A service that runs already is not started again when it ends; `regctl start`
/// undoes that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl once registry")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, waiting } = args;
    let Context { layout, printer, .. } = context;
    selection.named()?;
    selection.enabled(&ask(layout, &Request::Status)?, context)?;
    let claim = waiting.claim("once");
    let waits = waiting::announce(*printer);
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    telling::forget_stops(claim.command, context)?;
    telling::send(&selection, context, |service| Request::Once { service })
}
