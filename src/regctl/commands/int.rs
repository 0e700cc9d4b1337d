//! `regctl int`: the signal INT.

use super::{Context, selection::Selection, telling};
use crate::{
    exit::Failure,
    output::Report,
    supervise::{Request, Sent},
};

/// Send services the signal INT
///
/// Says nothing and does not wait. A service that ends is started again at once: to stop it, `regctl stop`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl int registry")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection } = args;
    telling::send(&selection, context, |service| Request::Signal { service, signal: Sent::Int })
}
