//! Commands that regctl gives itself: the processes of services and of their logs. Nobody types them.

use super::Context;
use crate::{
    exit::Failure,
    output::Report,
    state::ServiceName,
    supervise::{self, Echo},
};

/// The first word of a command line of this kind.
pub(crate) const NAMES: [&str; 2] = ["__service", "__log"];

/// Processes that regctl makes for itself
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(name = NAMES[0])]
    Service(Service),
    #[command(name = NAMES[1])]
    Log(Log),
}

/// Becomes what the supervisor has asked for.
pub(crate) fn run(command: Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Service(args) => service_process(args, context),
        Command::Log(args) => log_process(args, context),
    }
}

/// The process of a service
#[derive(Debug, clap::Args)]
pub(crate) struct Service {
    #[arg(value_parser = service)]
    name: ServiceName,
    /// The supervisor's pid
    #[arg(long)]
    parent: u32,
}

/// The process that writes a service's log
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    #[arg(value_parser = service)]
    name: ServiceName,
    /// The supervisor's pid, for whoever looks at a list of processes
    #[arg(long)]
    parent: u32,
    /// Also to standard output
    #[arg(long)]
    echo: bool,
}

fn service_process(args: Service, context: &Context) -> Result<Report, Failure> {
    let Service { name, parent } = args;
    supervise::become_service(&context.layout, name, parent)?;
    Ok(Report::silent())
}

fn log_process(args: Log, context: &Context) -> Result<Report, Failure> {
    let Log { name, parent: _, echo } = args;
    let echo = if echo { Echo::Stdout } else { Echo::No };
    supervise::write_log(&context.layout, name, echo)?;
    Ok(Report::silent())
}

fn service(name: &str) -> Result<ServiceName, String> {
    ServiceName::parse(name).ok_or_else(|| "must be registry or nginx".to_owned())
}
