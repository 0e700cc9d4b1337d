//! What a chore ends with when it does not end well, and the exit code of each: a caller in a pipeline can tell a
//! failing test step (cargo's own code) from a wrong word on the command line (2).

use std::fmt;

/// Why a chore ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that does not exist.
    Usage(String),
    /// Programs are missing and this process cannot or may not install them.
    Missing(String),
    /// A program that was run ended with this code, after saying why itself.
    Step { name: String, code: u8 },
    /// Anything else.
    Other(anyhow::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Step { code, .. } => *code,
            Self::Missing(_) | Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Missing(text) => f.write_str(text),
            Self::Step { name, code } => write!(f, "`{name}` failed with exit code {code}"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
