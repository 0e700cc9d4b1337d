//! `regctl service-list`: which services there are.

use std::fmt;

use serde::Serialize;

use super::Context;
use crate::{
    exit::Failure,
    output::{Document, Report},
    state::{ServiceName, Services},
};

/// List the services; a star marks those that are enabled
///
/// What is enabled follows from instance.toml as it was last applied: the registry unless `registry.enable` is
/// false, nginx when there is a URL that needs it. Nothing has to run for this.
#[derive(Debug, clap::Args)]
#[command(
    name = "service-list",
    after_help = "\
Examples:
  regctl service-list
  regctl service-list --json | jq -r '.services[] | select(.enabled).name'"
)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Listed {
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
struct Service {
    name: ServiceName,
    enabled: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args {} = args;
    let services = Services::load(&context.layout)?;
    let service = |name| Service { name, enabled: services.get(name).enabled };
    Ok(Report::good(&Listed { services: ServiceName::ALL.map(service).into() }))
}

impl Document for Listed {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.services.iter().try_for_each(|Service { name, enabled }| {
            writeln!(f, "{name}{}", if *enabled { "*" } else { "" })
        })
    }
}
