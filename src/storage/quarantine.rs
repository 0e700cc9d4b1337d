//! The name of a collection whose removals wait in quarantine.

use std::{fmt, str::FromStr};

/// The longest name.
const MAX_BYTES: usize = 64;

/// A name of letters, digits and hyphens. Names that begin with a time sort by it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RunId(Box<str>);

/// A text that is no [`RunId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the name of a run: 1 to {MAX_BYTES} letters, digits and hyphens")]
pub struct RunIdError;

impl RunId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_good = (1..=MAX_BYTES).contains(&text.len()) && text.chars().all(allowed);
        if is_good { Ok(Self(text.into())) } else { Err(RunIdError) }
    }
}

/// When something comes back: in the order of writes, so that nothing leads to what is not there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Turn {
    Blob,
    Layer,
    Revision,
    TagIndex,
    Tag,
}

impl Turn {
    pub(crate) const ALL: [Self; 5] =
        [Self::Blob, Self::Layer, Self::Revision, Self::TagIndex, Self::Tag];

    /// By its path in the store, below `docker/registry/v2`.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("blobs/") => Self::Blob,
            path if path.contains("/_layers/") => Self::Layer,
            path if path.contains("/_manifests/revisions/") => Self::Revision,
            path if path.contains("/index/") => Self::TagIndex,
            _ => Self::Tag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "a/b", "a b", "é", &"a".repeat(65)] {
            assert_eq!(bad.parse::<RunId>(), Err(RunIdError), "{bad}");
        }
        let run: RunId = "20261123T015500Z-0a1b".parse().unwrap();
        assert_eq!(run.to_string().parse(), Ok(run));
    }
}
