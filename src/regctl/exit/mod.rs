//! How commands end: documented codes, and the one place that chooses among them.
//!
//! [`Failure`] is everything that keeps a command from being done. What code that is, what is said of it and what
//! helps are each one exhaustive match, in a file of its own.

mod code;
mod failure;
mod hint;
mod message;

use std::process::ExitCode;

use crate::output::Verdict;

pub(crate) use failure::Failure;

/// The exit codes of regctl, as its man page lists them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Not done.
    Failed = 1,
    /// The command line was wrong. Clap says it; regctl says it of values.
    Usage = 2,
    /// A service does not run.
    NotRunning = 3,
    /// There is no such service, or no supervisor.
    NoService = 4,
    /// Done, with findings that need a look.
    Findings = 5,
    /// Somebody else holds a lock.
    Locked = 75,
    /// Permission denied.
    Permission = 77,
    /// The configuration is invalid.
    ConfigInvalid = 78,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Done,
            Verdict::Findings => Self::Findings,
            Verdict::NotRunning => Self::NotRunning,
            Verdict::NotDone => Self::Failed,
            Verdict::ConfigInvalid => Self::ConfigInvalid,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
