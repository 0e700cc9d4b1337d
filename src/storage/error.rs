//! What went wrong with one object: a kind to match, facts to print, a source to walk.

use std::{error, fmt, io};

/// What a caller may want to tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// The object or folder is not there.
    NotFound,
    /// The object is larger than the caller takes.
    TooLarge,
    /// Another writer holds the upload session.
    Busy,
    /// The store is full, or a quota of the store is used up.
    NoSpace,
    /// The store may not be written to: mounted read-only, or the process lacks the permission.
    Denied,
    /// The store does not answer, or wants to be asked later.
    Unavailable,
    /// The object ended before its size: another program changed it.
    Truncated,
    /// Anything else.
    Other,
}

/// A failed operation on one object of a store.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    operation: &'static str,
    key: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` ("read", "list", …) on `key`.
    pub fn new(kind: Kind, operation: &'static str, key: impl fmt::Display) -> Self {
        Self { kind, operation, key: key.to_string(), source: None }
    }

    /// The same for an error of the operating system, which decides the kind.
    pub fn io(operation: &'static str, key: impl fmt::Display, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::NoSpace,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
            io::ErrorKind::WouldBlock => Kind::Busy,
            io::ErrorKind::UnexpectedEof => Kind::Truncated,
            _ => Kind::Other,
        };
        Self { kind, operation, key: key.to_string(), source: Some(source.into()) }
    }

    /// The same for what a store has answered, which its driver has made a kind of.
    pub(crate) fn answered(
        kind: Kind,
        operation: &'static str,
        key: impl fmt::Display,
        source: impl error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { kind, operation, key: key.to_string(), source: Some(source.into()) }
    }

    /// What a caller may want to match.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the object is simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {} `{}`", self.operation, self.key)?;
        match (&self.source, self.kind) {
            (Some(_), _) | (None, Kind::Other) => Ok(()),
            (None, Kind::NotFound) => f.write_str(": not there"),
            (None, Kind::TooLarge) => f.write_str(": larger than allowed"),
            (None, Kind::Busy) => f.write_str(": another writer holds it"),
            (None, Kind::NoSpace) => f.write_str(": no space left"),
            (None, Kind::Denied) => f.write_str(": not permitted"),
            (None, Kind::Unavailable) => f.write_str(": the store does not answer"),
            (None, Kind::Truncated) => f.write_str(": shorter than its size"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Adds operation and object to an error of the operating system.
pub(crate) trait Context<T> {
    fn during(self, operation: &'static str, key: impl fmt::Display) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn during(self, operation: &'static str, key: impl fmt::Display) -> Result<T, Error> {
        self.map_err(|error| Error::io(operation, key, error.into()))
    }
}
