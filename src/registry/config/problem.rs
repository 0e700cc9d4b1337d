//! What is wrong with a configuration, and what is merely odd.
//!
//! A [`Problem`] keeps the registry from starting; a [`Warning`] does not. Both say where the value
//! came from, because a variable of the environment may have changed what the file says.

use std::{fmt, io, path::PathBuf};

/// Every problem of one configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invalid {
    /// At least one, in the order in which they were found.
    pub problems: Vec<Problem>,
}

/// One thing that must be changed before the registry can start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The key's path, `http.addr`; empty when the document itself is at fault.
    pub key: String,
    /// The value as written; none when it is secret or not a single value.
    pub value: Option<String>,
    /// What is wrong, or what is allowed.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
}

/// One thing that is accepted, and probably not what was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// The key's path; empty when the document itself is meant.
    pub key: String,
    /// What was noticed and what becomes of it.
    pub message: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origin {
    /// Nowhere: the key is missing.
    #[default]
    Absent,
    /// The file; both numbers count from 1.
    File {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A variable of the environment, by name.
    Environment(String),
}

/// Why a file gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not text.
    #[error("`{}` is not UTF-8: the byte at offset {offset} in line {line} belongs to no character", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first bad byte, counted from 0.
        offset: usize,
        /// Its line, counted from 1.
        line: usize,
    },
    /// The file is longer than any configuration.
    #[error("`{}` is longer than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest file that is read.
        limit: usize,
    },
    /// The file was read, and what it says cannot be used.
    #[error("the configuration in `{}` is invalid", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Every problem.
        source: Invalid,
    },
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        match (self.key.as_str(), &self.value) {
            ("", _) => {}
            (key, None) => write!(f, "`{key}`: ")?,
            (key, Some(value)) => write!(f, "`{key}` is `{value}`: ")?,
        }
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        match self.key.as_str() {
            "" => f.write_str(&self.message),
            key => write!(f, "`{key}`: {}", self.message),
        }
    }
}

/// Ready to stand before a message: `line 3, column 9: `, or nothing.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::File { line, column } => write!(f, "line {line}, column {column}: "),
            Self::Environment(name) => write!(f, "{name}: "),
        }
    }
}
