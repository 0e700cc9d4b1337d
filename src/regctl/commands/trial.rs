//! A tag is pulled from a registry's new storage before anybody may push to it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    migrate::TagName,
    state::Layout,
    supervise::{self, PullError, Pulled},
};

/// What the registry is to do after it has moved, since it could before.
#[derive(Debug)]
pub(super) struct Trial {
    /// None: there is no tag that can be pulled from the former storage.
    tag: Option<(TagName, Pulled)>,
    /// The health checks that failed before.
    unhealthy: BTreeMap<String, String>,
}

/// A tag that was pulled from the new storage.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tried {
    #[serde(flatten)]
    pub(super) name: TagName,
    #[serde(flatten)]
    pub(super) pulled: Pulled,
}

/// Why a registry is not left on its new storage.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the registry on the new storage is ill: {name}: {reason}")]
    Ill { name: String, reason: String },
    #[error("with the new storage {0}")]
    Pull(String),
    #[error("`{image}` is {found} in the new storage, and was {expected}")]
    Other { image: String, expected: String, found: String },
}

impl Trial {
    /// Chooses the smallest of some tags that the running registry has with all that they name.
    pub(super) fn choose(layout: &Layout, names: Vec<TagName>) -> Self {
        let whole = names.into_iter().filter_map(|name| {
            let pulled = supervise::pull(layout, (&name.repository, &name.tag), false).ok()?;
            Some((name, pulled))
        });
        let tag = whole.min_by_key(|(_, pulled)| pulled.bytes);
        Self { tag, unhealthy: supervise::failing_checks(layout) }
    }

    /// Has the running registry pull the tag to its last byte; returns what that was.
    pub(super) fn run(&self, layout: &Layout) -> Result<Option<Tried>, Error> {
        let mut ill = supervise::failing_checks(layout).into_iter();
        if let Some((name, reason)) = ill.find(|(name, _)| !self.unhealthy.contains_key(name)) {
            return Err(Error::Ill { name, reason });
        }
        let Some((name, before)) = &self.tag else { return Ok(None) };
        let TagName { repository, tag } = name;
        let pulled = supervise::pull(layout, (repository, tag), true).map_err(|error| {
            let cause = match &error {
                PullError::Ask(_, source) => format!(": {source}"),
                PullError::Refused { .. } => String::new(),
            };
            Error::Pull(format!("{error}{cause}"))
        })?;
        if pulled != *before {
            let image = format!("{repository}:{tag}");
            let (expected, found) = (before.digest.clone(), pulled.digest);
            return Err(Error::Other { image, expected, found });
        }
        Ok(Some(Tried { name: name.clone(), pulled }))
    }
}
