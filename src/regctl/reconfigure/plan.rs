//! A plan is what the files of an instance should be. Making one is pure; applying it writes.

use std::error::Error as StdError;

use registry::config::Parsed;

use crate::{
    config::Instance,
    render,
    state::{Layout, Secrets},
    sys::fs::{self, Existing},
};

/// The rendered files, each accepted by its reader.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The text of `config.yml`.
    pub(crate) config_yml: String,
    /// The same as its reader understands it, under the instance's environment.
    pub(crate) registry: Parsed,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error("the registry would refuse the config.yml made from this instance")]
    Refused(#[source] Box<dyn StdError + Send + Sync>),
}

impl Plan {
    /// Renders the files and has each one read by its reader.
    pub(crate) fn new(
        instance: &Instance,
        secrets: &Secrets,
        layout: &Layout,
    ) -> Result<Self, PlanError> {
        let config_yml = render::config_yml(instance, secrets, layout)?;
        let env = &instance.registry.env;
        let environment: Vec<_> =
            env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let registry = registry::Config::parse(&config_yml, &environment)
            .map_err(|error| PlanError::Refused(Box::new(error)))?;
        Ok(Self { config_yml, registry })
    }

    /// Writes what differs from the disk.
    pub(crate) fn apply(&self, layout: &Layout) -> Result<(), fs::Error> {
        let path = layout.config_yml();
        if fs::read_to_string(&path)?.as_deref() == Some(&self.config_yml) {
            return Ok(());
        }
        fs::write_atomic(&path, self.config_yml.as_bytes(), 0o640, Existing::Replace)
    }
}
