//! Checks between settings: each is right by itself, and they must also agree.

mod auth;
mod network;
mod nginx;
mod registry;
mod tls;

use std::ops::Range;

use super::{
    middleware, policy,
    problem::{Problem, shown},
    quota, redis, s3,
    settings::Settings,
    source::Source,
    table::{self, Kind},
};
use crate::secret::REDACTED;

/// What has been found so far.
pub(super) struct Findings<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// When certificates are looked at, in seconds since 1970.
    pub(super) now: i64,
}

impl Findings<'_> {
    pub(super) fn problem(&mut self, at: &Range<usize>, key: &str, message: String, hint: &str) {
        let problem = self.source.problem(at.start, key, message, Some(hint.to_owned()));
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, at: &Range<usize>, key: &str, message: String, hint: &str) {
        let problem = self.source.problem(at.start, key, message, Some(hint.to_owned()));
        self.warnings.push(problem);
    }

    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        self.source.line(at.start)
    }

    /// Returns how messages show a key and its written value.
    pub(super) fn assignment(&self, key: &str, value: &Range<usize>) -> String {
        let kind = table::find(key).map(|(_, row)| row.kind);
        match kind {
            Some(
                Kind::Secret | Kind::Password | Kind::SecretPem | Kind::Environment | Kind::Headers,
            ) => {
                format!("`{key} = {REDACTED}`")
            }
            _ => format!("`{key} = {}`", shown(self.source.slice(value))),
        }
    }
}

/// Runs every check.
pub(super) fn run(settings: &Settings, findings: &mut Findings<'_>) {
    registry::check(settings, findings);
    redis::check(settings, findings);
    s3::check(settings, findings);
    middleware::check(settings, findings);
    policy::check(settings, findings);
    quota::check(settings, findings);
    auth::check(settings, findings);
    network::check(settings, findings);
    nginx::check(settings, findings);
    tls::check(settings, findings);
}

/// Takes the old name of a table for the new one; one key under both names is an error.
pub(super) fn old_names(settings: &mut Settings, findings: &mut Findings<'_>) {
    const OLD: &str = "registry_nginx";
    let Some(opened) = settings.tables().find(|(path, _)| *path == OLD).map(|(_, at)| at.clone())
    else {
        return;
    };
    let message = "[registry_nginx] is the old name of [registry.nginx]".to_owned();
    findings.warn(&opened, OLD, message, "write [registry.nginx]");
    for (old, span) in settings.written_below("registry_nginx.") {
        let new = old.replacen(OLD, "registry.nginx", 1);
        if let Some(other) = settings.written(&new) {
            let line = findings.line(&other);
            let message = format!(
                "{} sets what `{new}` on line {line} sets already",
                findings.assignment(&old, &span)
            );
            findings.problem(&span, &old, message, "remove [registry_nginx], the old name");
        }
        settings.rename(&old, &new);
    }
}
