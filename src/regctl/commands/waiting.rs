//! How long a command waits for another one: `--wait` and `--no-wait`, wherever a lock is taken.

use std::time::Duration;

use crate::{config, output::Printer, reconfigure::Claim, state::Patience};

/// How long to wait for another command
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Waiting {
    /// Wait this long for another command that is changing the instance
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    wait: Duration,
    /// Do not wait: exit 75 at once
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

impl Waiting {
    /// Claims the instance lock for a command.
    pub(crate) fn claim(self, command: &str) -> Claim<'_> {
        let patience = match self.no_wait {
            true => Patience::None,
            false => Patience::AtMost(self.wait),
        };
        Claim { command, patience }
    }
}

/// Says that somebody else holds a lock.
pub(crate) fn announce(printer: Printer) -> impl FnOnce(&str) {
    move |reason| printer.say(format!("waiting: {reason}"))
}

/// Reads a duration as settings have it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    config::values::duration(text)
        .ok_or_else(|| "must be a duration, such as \"90s\", \"10m\" or \"1h30m\"".to_owned())
}
