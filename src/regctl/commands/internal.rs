//! Commands that regctl gives itself: the processes of services and of their logs. Nobody types them.
//!
//! They are read by hand: such a process is meant to be small, and half of what clap needs is never needed again.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::{
    exit::{Exit, Failure},
    output::{Format, Printer, Volume},
    state::{Layout, ServiceName},
    supervise::{self, Echo, LOG_COMMAND, SERVICE_COMMAND},
};

/// What such a process is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// `__service NAME --root DIR --parent PID`
    Service { root: PathBuf, name: ServiceName, parent: u32 },
    /// `__log NAME --root DIR --parent PID [--echo]`
    Log { root: PathBuf, name: ServiceName, echo: Echo },
}

impl Command {
    /// Reads a command line that the supervisor has written, the program's own name first.
    pub(crate) fn parse(arguments: &[OsString]) -> Option<Self> {
        let words: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        let [_, command, name, root_word, root, parent_word, parent, rest @ ..] = &words[..] else {
            return None;
        };
        if *root_word != "--root" || *parent_word != "--parent" {
            return None;
        }
        let (root, name) = (PathBuf::from(root), ServiceName::parse(name.to_str()?)?);
        let parent = parent.to_str()?.parse().ok()?;
        match (command.to_str()?, rest) {
            (SERVICE_COMMAND, []) => Some(Self::Service { root, name, parent }),
            (LOG_COMMAND, []) => Some(Self::Log { root, name, echo: Echo::No }),
            (LOG_COMMAND, [echo]) if *echo == "--echo" => {
                Some(Self::Log { root, name, echo: Echo::Stdout })
            }
            _ => None,
        }
    }
}

/// Becomes what the supervisor has asked for.
pub(crate) fn run(command: &Command) -> Exit {
    let ended: Result<(), Failure> = match command {
        Command::Service { root, name, parent } => {
            supervise::become_service(&Layout::new(root.clone()), *name, *parent)
                .map_err(Failure::from)
        }
        Command::Log { root, name, echo } => {
            supervise::write_log(&Layout::new(root.clone()), *name, *echo).map_err(Failure::from)
        }
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(failure) => {
            // Into the log: without color, and without what helps whoever types.
            Printer::new(Format::Text, Volume::Normal, true).error(&failure, None);
            failure.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Command::parse(&words)
    }

    #[test]
    fn only_what_the_supervisor_writes_is_read() {
        let (root, name) = (PathBuf::from("/srv"), ServiceName::Registry);
        assert_eq!(
            parse("regctl __service registry --root /srv --parent 7"),
            Some(Command::Service { root: root.clone(), name, parent: 7 })
        );
        assert_eq!(
            parse("regctl __log registry --root /srv --parent 7 --echo"),
            Some(Command::Log { root, name, echo: Echo::Stdout })
        );
        for line in [
            "regctl",
            "regctl status registry",
            "regctl __service redis --root /srv --parent 7",
            "regctl __service registry --root /srv --parent x",
            "regctl __service registry --root /srv --parent 7 --echo",
            "regctl __log registry --parent 7 --root /srv",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
