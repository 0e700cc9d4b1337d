//! `regctl set-readonly`: pulls only, or not, without a restart.

use std::{fmt, path::PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::{
    Context,
    held::Held,
    services::Supervised,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::{Document, Printer, Report},
    reconfigure::{self, Pending, Reach, Switched},
    supervise,
};

/// Switch read-only on or off, live
///
/// Read-only, the registry serves pulls and refuses pushes and deletes with 405. This edits the one key
/// `registry.storage.maintenance.readonly.enabled` in instance.toml, changes it in config.yml, and tells the running
/// registry; nothing restarts. Other edits of instance.toml stay as they are, unapplied, and are pointed out.
///
/// A collection or a migration may hold the registry read-only whatever the setting says. `off` is refused then, and
/// names who holds it. What a command left behind that was killed is cleared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl set-readonly on
  regctl set-readonly off --no-wait
  regctl set-readonly status --json | jq .effective")]
pub(crate) struct Args {
    /// What to switch to, or `status` to ask
    #[arg(value_enum)]
    state: State,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum State {
    /// Serve pulls only
    On,
    /// Take pushes and deletes again
    Off,
    /// Say how it is, and change nothing
    Status,
}

/// What was switched.
#[derive(Debug, Serialize)]
struct Set {
    setting: bool,
    changed: bool,
    effective: bool,
    takes_effect: &'static str,
    #[serde(skip)]
    reach: Reach,
    /// Files that other edits would change.
    pending: Vec<PathBuf>,
    /// Holds of processes that are gone.
    cleared_holds: Vec<Held>,
}

/// How it is.
#[derive(Debug, Serialize)]
struct Shown {
    effective: bool,
    setting: bool,
    /// What config.yml says; null when there is none that can be read.
    applied: Option<bool>,
    /// What the running registry says; null when none answers.
    running: Option<bool>,
    holds: Vec<Held>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { state, waiting } = args;
    let enabled = match state {
        State::Status => return status(context),
        State::On => true,
        State::Off => false,
    };
    let Context { layout, printer, .. } = context;
    let waits = |reason: &str| waiting::announce(*printer)(reason);
    let claim = waiting.claim("set-readonly");
    let registry = Supervised(layout);
    let switched = reconfigure::set_read_only(layout, enabled, claim, waits, &registry)?;
    let Switched { is_changed, effective, reach, pending, cleared } = switched;
    let pending = announce(*printer, pending);
    Ok(Report::good(&Set {
        setting: enabled,
        changed: is_changed,
        effective,
        takes_effect: match reach {
            Reach::Live => "live",
            Reach::NextStart => "next start",
            Reach::NextReconfigure => "next reconfigure",
        },
        reach,
        pending,
        cleared_holds: cleared.iter().map(Held::of).collect(),
    }))
}

/// Points to edits that are not applied, and returns the files that they would change.
fn announce(printer: Printer, pending: Pending) -> Vec<PathBuf> {
    const LEAD: &str = "other edits of instance.toml are not applied";
    match pending {
        Pending::Files(files) => {
            if !files.is_empty() {
                let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                let names = names.join(", ");
                printer.warn(format!("{LEAD}: `regctl reconfigure` would change {names}"));
            }
            files
        }
        Pending::Refused(error) => {
            let reason = Failure::from(*error);
            printer.warn(format!("{LEAD}, and would be refused: {reason}"));
            Vec::new()
        }
    }
}

fn status(context: &Context) -> Result<Report, Failure> {
    let status = reconfigure::read_only_status(&context.layout)?;
    Ok(Report::good(&Shown {
        effective: status.setting || status.holds.are_read_only(),
        setting: status.setting,
        applied: status.applied,
        running: supervise::is_read_only(&context.layout),
        holds: status.holds.all.iter().map(Held::of).collect(),
    }))
}

impl Document for Set {
    const SCHEMA: u32 = 1;
}

impl Document for Shown {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hold in &self.cleared_holds {
            writeln!(f, "cleared the {} hold of {}", hold.kind, hold)?;
        }
        let already = if self.changed { "" } else { "already " };
        writeln!(f, "read-only is {already}{}", word(self.setting))?;
        match self.reach {
            Reach::Live => Ok(()),
            Reach::NextStart => {
                writeln!(f, "no running registry was told: it takes effect at the next start")
            }
            Reach::NextReconfigure => {
                writeln!(f, "it takes effect with the first `regctl reconfigure`")
            }
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effective, setting, applied, running, holds } = self;
        writeln!(f, "read-only: {}", word(*effective))?;
        writeln!(f, "setting: {}", word(*setting))?;
        for hold in holds {
            writeln!(f, "{} hold: {}", hold.kind, hold)?;
        }
        match applied {
            Some(applied) if applied != effective => {
                let applied = word(*applied);
                writeln!(f, "config.yml says {applied}: `regctl reconfigure` applies it")?;
            }
            _ => {}
        }
        match running {
            Some(running) if running != effective => {
                writeln!(f, "the running registry says {}", word(*running))
            }
            _ => Ok(()),
        }
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
