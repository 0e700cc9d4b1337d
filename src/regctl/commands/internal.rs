//! Processes that last and are meant to be small: the supervisor's, as the system starts it, and those that it makes, which
//! nobody types.
//!
//! Their command lines are read by hand: most of what clap reads of the program would stay in memory for good.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::{
    config::load::Environment,
    exit::{Exit, Failure},
    output::{Format, Printer, Volume},
    state::{Layout, ServiceName},
    supervise::{self, Echo, LOG_COMMAND, SERVICE_COMMAND, Supervisor},
};

/// What such a process is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// `__service NAME --root DIR --parent PID`
    Service { root: PathBuf, name: ServiceName, parent: u32 },
    /// `__log NAME --root DIR --parent PID [--echo]`
    Log { root: PathBuf, name: ServiceName, echo: Echo },
    /// `[--root DIR] supervise`, as the system's unit has it; every other form goes through clap.
    Supervise { root: PathBuf },
}

impl Command {
    /// Reads a command line that regctl has written, the program's own name first.
    pub(crate) fn parse(arguments: &[OsString], environment: &Environment) -> Option<Self> {
        let words: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        if let Some(root) = supervised(&words, environment) {
            return Some(Self::Supervise { root });
        }
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

/// The root of `[--root DIR] supervise`.
fn supervised(words: &[&OsStr], environment: &Environment) -> Option<PathBuf> {
    let root = match words {
        [_, command] if *command == "supervise" => match &environment.root {
            Some(root) => root.clone(),
            None => PathBuf::from("/"),
        },
        [_, option, root, command] if *option == "--root" && *command == "supervise" => {
            PathBuf::from(root)
        }
        _ => return None,
    };
    // Others are made absolute, or refused, with the rest of the command line.
    (root.is_absolute() && root.to_str().is_some()).then_some(root)
}

/// The words before those of a command that is to run as the registry's user: `__as-registry --root DIR --parent PID`.
pub(super) const AS_REGISTRY: &str = "__as-registry";

/// Becomes the registry's user, if the command line says so; returns the command line that is left.
///
/// Call it before there are threads, and before the environment is read.
pub(crate) fn take_over(arguments: Vec<OsString>) -> Result<Vec<OsString>, Exit> {
    let [_, command, _, root, _, parent, ..] = &arguments[..] else { return Ok(arguments) };
    if command != AS_REGISTRY {
        return Ok(arguments);
    }
    let layout = Layout::new(PathBuf::from(root));
    let parent = parent.to_str().and_then(|parent| parent.parse().ok()).unwrap_or_default();
    if let Err(error) = supervise::become_registry(&layout, parent) {
        return Err(failed(&Failure::from(error)));
    }
    let mut left = arguments;
    left.drain(1..6);
    Ok(left)
}

/// Becomes what was asked for.
pub(crate) fn run(command: &Command) -> Exit {
    let ended: Result<(), Failure> = match command {
        Command::Service { root, name, parent } => {
            supervise::become_service(&Layout::new(root.clone()), *name, *parent)
                .map_err(Failure::from)
        }
        Command::Log { root, name, echo } => {
            supervise::write_log(&Layout::new(root.clone()), *name, *echo).map_err(Failure::from)
        }
        Command::Supervise { root } => Supervisor::new(&Layout::new(root.clone()), Echo::No)
            .map(Supervisor::run)
            .map_err(Failure::from),
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> Exit {
    // Into a log: without color.
    let hint = failure.hint();
    Printer::new(Format::Text, Volume::Normal, true).error(failure, hint.as_deref());
    failure.exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Command::parse(&words, &Environment::default())
    }

    #[test]
    fn the_line_of_a_unit_starts_a_supervisor() {
        let supervise = |root: &str| Some(Command::Supervise { root: root.into() });
        assert_eq!(parse("/usr/bin/regctl supervise"), supervise("/"));
        assert_eq!(parse("regctl --root /srv supervise"), supervise("/srv"));
        for line in ["regctl --root srv supervise", "regctl supervise --json", "regctl supervise x"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
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
