//! Which services a command is about: those that are named, or all that are enabled.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::{PossibleValue, TypedValueParser},
};

use super::Context;
use crate::{
    exit::Failure,
    state::ServiceName,
    supervise::{Overview, ServiceStatus},
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Selection {
    /// The services; none means all that are enabled
    #[arg(value_name = "SERVICE", value_parser = Name)]
    services: Vec<String>,
}

/// Takes any word, so that an unknown service is told from a wrong command line, and names the known ones to
/// completions.
#[derive(Clone, Copy, Debug)]
struct Name;

impl Selection {
    /// Whether services are named.
    pub(crate) fn is_by_name(&self) -> bool {
        !self.services.is_empty()
    }

    /// Returns the services that are named, each once and in the order in which services start.
    pub(crate) fn named(&self) -> Result<Vec<ServiceName>, Failure> {
        let unknown = self.services.iter().find(|name| ServiceName::parse(name).is_none());
        if let Some(unknown) = unknown {
            return Err(Failure::UnknownService(unknown.clone()));
        }
        let is_named = |name: &ServiceName| self.services.iter().any(|it| it == name.as_str());
        Ok(ServiceName::ALL.into_iter().filter(is_named).collect())
    }

    /// Returns how those are that are meant.
    pub(crate) fn of<'a>(&self, overview: &'a Overview) -> Result<Vec<&'a ServiceStatus>, Failure> {
        let named = self.named()?;
        let is_meant = |service: &&ServiceStatus| match named.is_empty() {
            true => service.enabled,
            false => named.contains(&service.name),
        };
        Ok(overview.services.iter().filter(is_meant).collect())
    }

    /// Returns those that are meant and can run; a disabled one cannot be asked for by name.
    pub(crate) fn enabled(
        &self,
        overview: &Overview,
        context: &Context,
    ) -> Result<Vec<ServiceName>, Failure> {
        let meant = self.of(overview)?;
        match meant.iter().find(|service| !service.enabled) {
            Some(disabled) => Err(Failure::ServiceDisabled {
                service: disabled.name,
                instance_toml: context.layout.instance_toml(),
            }),
            None => Ok(meant.iter().map(|service| service.name).collect()),
        }
    }
}

impl TypedValueParser for Name {
    type Value = String;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        Ok(value.to_string_lossy().into_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = ServiceName::ALL.map(|name| PossibleValue::new(name.as_str()));
        Some(Box::new(names.into_iter()))
    }
}
