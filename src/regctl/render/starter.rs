//! The starter: the `instance.toml` that `init` writes, with live table headers, so that a key somebody
//! uncomments cannot fall into the wrong table.

use std::path::Path;

use serde::Serialize;

use super::engine::{self, Error};

const TEMPLATE: &str = include_str!("../../../templates/instance.toml");

/// What `init` has found out or was told.
#[derive(Debug, Serialize)]
pub(crate) struct Starter<'a> {
    /// `registry_external_url`, when there is one.
    pub(crate) url: Option<&'a str>,
    /// Whether others than this machine may connect, so that they must say who they are.
    pub(crate) is_public: bool,
    /// The host in the example of a URL.
    pub(crate) host: String,
    /// `registry_http_addr`.
    pub(crate) address: String,
    /// `rootdirectory`.
    pub(crate) storage: &'a Path,
}

/// Renders the starter.
pub(crate) fn starter(values: &Starter<'_>) -> Result<String, Error> {
    engine::render("instance.toml", TEMPLATE, values)
}
