//! `[[quota]]`: how much repositories may hold together.

use registry::{Glob, config::Quota};

use super::{checks::Findings, settings::Settings, tables::Record};

const KEY: &str = "quota";

pub(super) fn quotas(settings: &Settings) -> Vec<Quota> {
    settings.tables_of(KEY).unwrap_or_default().iter().map(quota).collect()
}

fn quota(record: &Record) -> Quota {
    let texts = record.list("repositories").unwrap_or_default();
    let glob = |text: &String| Glob::parse(text).expect("the key table has it checked");
    let max_size = record.count("max_size").unwrap_or_default();
    Quota { repositories: texts.iter().map(glob).collect(), max_size }
}

/// Each is for something, and for something else than the others; a cache takes no pushes.
pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    let records = settings.tables_of(KEY).unwrap_or_default();
    for (index, record) in records.iter().enumerate() {
        let own = quota(record);
        if own.repositories.is_empty() {
            let message =
                format!("`{KEY}.repositories` is empty, so that the quota is for nothing");
            let hint = "write `repositories = [\"**\"]` for all";
            findings.problem(&record.span, KEY, message, hint);
        }
        let is_twin = |other: &&Record| quota(other).repositories == own.repositories;
        if let Some(twin) = records[..index].iter().find(is_twin) {
            let line = findings.line(&twin.span);
            let message =
                format!("`{KEY}.repositories`: the quota on line {line} is for the same names");
            findings.problem(&record.span, KEY, message, "keep one of them");
        }
        if settings.written("registry.proxy.remoteurl").is_some() {
            let message =
                format!("[[{KEY}]] is not for a cache of another registry, which takes no pushes");
            findings.problem(&record.span, KEY, message, "remove it, or [registry.proxy]");
        }
    }
}
