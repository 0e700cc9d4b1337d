//! `regctl events`: what waits for the endpoints of `[[registry.notifications]]`.

use std::fmt;

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use crate::{
    exit::Failure,
    output::{self, Document, Report, Verdict},
    supervise::{self, EndpointState, EventsWish},
};

/// Look at the events that wait for webhooks, and replay or drop them
///
/// Every endpoint of [[registry.notifications]] has a queue of its own. An event that cannot be delivered for a day (maxage in
/// [registry.events]), that has failed more often than maxretries allows, or that its receiver refuses as such is given up, and kept:
/// `replay` puts these at the end of the queue again.
///
/// All of this is asked of the running registry.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl events list
  regctl events replay gitlab
  regctl events drop gitlab --yes")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the endpoints, with what waits for each and what was given up
    ///
    /// Exits 5 when an endpoint takes no events, or some were given up or lost.
    #[command(after_help = "\
Examples:
  regctl events list
  regctl events list --json | jq '.endpoints[] | select(.pending > 0).name'")]
    List,
    /// Deliver the events of an endpoint after all that were given up
    ///
    /// They go to the end of its queue, the oldest first, as many as there is room for.
    #[command(after_help = "\
Examples:
  regctl events replay gitlab")]
    Replay {
        /// The endpoint's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Drop the events of an endpoint that were given up, or those that wait
    ///
    /// They are gone for good.
    #[command(after_help = "\
Examples:
  regctl events drop gitlab
  regctl events drop gitlab --pending --yes")]
    Drop {
        /// The endpoint's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Drop those that wait, instead of those that were given up
        #[arg(long)]
        pending: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Every endpoint.
#[derive(Debug, Serialize)]
struct Listed {
    endpoints: Vec<EndpointState>,
}

/// What was done to how many events.
#[derive(Debug, Serialize)]
struct Done {
    endpoint: String,
    events: u64,
    #[serde(rename = "done")]
    what: &'static str,
}

pub(crate) fn run(Args { command }: Args, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::List => list(context),
        Command::Replay { name } => change(name, EventsWish::Replay, context),
        Command::Drop { name, pending, yes } => {
            let wish = if pending { EventsWish::ForgetPending } else { EventsWish::ForgetDead };
            let of = if pending { "wait for" } else { "were given up for" };
            if !yes && !is_wanted(&format!("Drop all events that {of} `{name}`"))? {
                return Ok(Report::silent());
            }
            change(name, wish, context)
        }
    }
}

/// Asks whoever is at the terminal.
fn is_wanted(question: &str) -> Result<bool, Failure> {
    let message = "there is no terminal to ask on whether events may be dropped: say --yes";
    let wanted = output::confirm(question).map_err(Failure::Input)?;
    wanted.ok_or_else(|| Failure::Usage(message.to_owned()))
}

fn list(context: &Context) -> Result<Report, Failure> {
    let listed = Listed { endpoints: supervise::events(&context.layout)? };
    let is_odd = |it: &EndpointState| it.trouble.is_some() || it.dead > 0 || it.lost > 0;
    let verdict = match listed.endpoints.iter().any(is_odd) {
        true => Verdict::Findings,
        false => Verdict::Good,
    };
    Ok(Report::of(&listed, verdict))
}

fn change(name: String, wish: EventsWish, context: &Context) -> Result<Report, Failure> {
    let events = supervise::do_with_events(&context.layout, &name, wish)?;
    let what = match wish {
        EventsWish::Replay => "back in the queue",
        EventsWish::ForgetDead | EventsWish::ForgetPending => "dropped",
    };
    Ok(Report::good(&Done { endpoint: name, events, what }))
}

impl Document for Listed {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.endpoints.is_empty() {
            return writeln!(f, "nobody is told of events: there is no [[registry.notifications]]");
        }
        for endpoint in &self.endpoints {
            let EndpointState { name, url, pending, dead, delivered, .. } = endpoint;
            writeln!(f, "{name} ({url}): {pending} wait, {dead} given up, {delivered} delivered")?;
            if endpoint.lost > 0 {
                writeln!(f, "  {} were lost: there was no room for them", endpoint.lost)?;
            }
            if !endpoint.durable {
                writeln!(f, "  they wait in memory, and end with the process")?;
            }
            if !endpoint.delivering {
                writeln!(f, "  the registry's former process still delivers")?;
            }
            if let Some(trouble) = &endpoint.trouble {
                writeln!(f, "  the last attempt failed: {trouble}")?;
            }
        }
        Ok(())
    }
}

impl Document for Done {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, events, what } = self;
        writeln!(
            f,
            "{endpoint}: {events} {}, {what}",
            if *events == 1 { "event" } else { "events" }
        )
    }
}
