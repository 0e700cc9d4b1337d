//! `regctl supervise`: what the system starts, so that the services run.

use super::Context;
use crate::{
    exit::Failure,
    output::Report,
    supervise::{Echo, Supervisor},
};

/// Keep the services up, as they were last configured
///
/// This is what the systemd unit runs. Services are started, started again when they end, with pauses from
/// one second up to a minute when they end at once, and stopped at TERM. Nothing is read from instance.toml:
/// `regctl reconfigure` says what runs. In a container or a terminal use `regctl run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl supervise
  regctl --root ~/registry supervise")]
pub(crate) struct Args {}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args {} = args;
    Supervisor::new(&context.layout, Echo::No)?.run();
    Ok(Report::silent())
}
