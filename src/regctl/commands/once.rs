//! `regctl once`: services that run until they end by themselves.

use super::{Context, selection::Selection, telling};
use crate::{
    exit::Failure,
    output::Report,
    supervise::{Request, ask},
};

/// Start services, and leave them down when they end
///
/// Says nothing and does not wait. A service that runs already is not started again when it ends; `regctl start`
/// undoes that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl once registry")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection } = args;
    selection.named()?;
    selection.enabled(&ask(&context.layout, &Request::Status)?, context)?;
    telling::send(&selection, context, |service| Request::Once { service })
}
