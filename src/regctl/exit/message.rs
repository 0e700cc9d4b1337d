//! What is said of a failure.

use std::{error::Error as StdError, fmt};

use super::Failure;
use crate::sys::worker::Ended;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::NoInstance(path) => {
                write!(f, "there is no instance: `{}` does not exist", path.display())
            }
            Self::Config(invalid) => invalid.fmt(f),
            Self::InstanceExists(path) => {
                write!(f, "`{}` exists and is never overwritten", path.display())
            }
            Self::Starter(invalid) => {
                f.write_str("these values make no good instance.toml; nothing was written")?;
                invalid.problems.iter().try_for_each(|problem| write!(f, "\n  {}", problem.message))
            }
            Self::Disabled(path) => {
                write!(
                    f,
                    "`registry.enable = false` in `{}`: there is nothing to run",
                    path.display()
                )
            }
            Self::NoFreePort(first) => write!(f, "no port is free from {first} upwards"),
            Self::File(error) => chain(f, error),
            Self::Secrets(error) => chain(f, error),
            Self::SecretsExist(path) => {
                write!(f, "`{}` exists and is never overwritten", path.display())
            }
            Self::Lock(error) => chain(f, error),
            Self::Desired(error) => chain(f, error),
            Self::Apply(error) => chain(f, error),
            Self::ReadOnly(error) => chain(f, error),
            Self::Serve(error) => chain(f, error),
            Self::Act(error) => chain(f, error),
            Self::Disturbs(error) => chain(f, error),
            Self::Start(error) => chain(f, error),
            Self::Supervisor(error) => chain(f, error),
            Self::Ask(error) => chain(f, error),
            Self::UnknownService(name) => write!(f, "there is no service `{name}`"),
            Self::ServiceDisabled { service, .. } => {
                write!(f, "{service} is disabled by its settings")
            }
            Self::Reload(error) => chain(f, error),
            Self::Events(error) => chain(f, error),
            Self::Collect(error) => chain(f, error),
            Self::Migrate(error) => chain(f, error),
            Self::Verify(error) => chain(f, error),
            Self::Mend(error) => chain(f, error),
            Self::Switch(error) => chain(f, error),
            Self::Swap { path, error } => {
                write!(f, "`{}`: ", path.display())?;
                chain(f, error)
            }
            Self::SamePlace { source, target } => {
                write!(f, "the target {target} is, or is within, or holds the source {source}")
            }
            Self::Unapplied(files) => {
                let names: Vec<_> = files.iter().map(|it| format!("`{}`", it.display())).collect();
                write!(
                    f,
                    "edits of instance.toml are not applied, and a switch would apply them to {}: ",
                    names.join(", ")
                )?;
                f.write_str("run `regctl reconfigure` first, or take them back")
            }
            Self::Pause(error) => chain(f, error),
            Self::Holds(error) => chain(f, error),
            Self::Record(error) => chain(f, error),
            Self::Runs(error) => chain(f, error),
            Self::Changes(error) => chain(f, error),
            Self::Work(error) => chain(f, error),
            Self::Worker(ended) => match ended {
                Ended::Code(code) => {
                    write!(f, "the work ended with exit code {code}; it is said above why")
                }
                Ended::Interrupted(signal) => {
                    write!(f, "interrupted by {signal}: the next run does the rest")
                }
                Ended::Killed(signal) => write!(
                    f,
                    "somebody has killed the work with {signal}: the next run does the rest"
                ),
            },
            Self::Services(error) => chain(f, error),
            Self::Service(error) => chain(f, error),
            Self::Log(error) => chain(f, error),
            Self::NoUsers(path) => {
                write!(f, "the registry of `{}` asks nobody who they are", path.display())
            }
            Self::UsersElsewhere(path) => write!(
                f,
                "the registry of `{}` takes tokens: its users are those of the server that issues them",
                path.display()
            ),
            Self::Users(error) => chain(f, error),
            Self::Input(error) => write!(f, "failed to read what this command needs: {error}"),
            Self::Output(error) => write!(f, "failed to write to stdout: {error}"),
        }
    }
}

/// Writes an error with its causes, each of which speaks for its own layer.
fn chain(f: &mut fmt::Formatter<'_>, error: &dyn StdError) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {cause}")?;
        source = cause.source();
    }
    Ok(())
}
