//! What `cleanup-policy list` reports: the policies, when each has run, and when it runs again.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Context;
use crate::{
    cleanup::{PolicyRecord, Record},
    config::instance::Instance,
    exit::Failure,
    output::{Document, Report, Table},
};

/// The policies of an instance.
#[derive(Debug, Serialize)]
struct Listed {
    policies: Vec<ListedPolicy>,
    /// Policies that have run and are no longer there.
    forgotten: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct ListedPolicy {
    name: String,
    repositories: Vec<String>,
    enabled: bool,
    cadence: String,
    due: bool,
    /// When it runs next; null: at once, or never.
    next: Option<String>,
    #[serde(flatten)]
    record: PolicyRecord,
}

pub(super) fn list(instance: &Instance, context: &Context) -> Result<Report, Failure> {
    let record = Record::load(&context.layout)?;
    let now = OffsetDateTime::now_utc();
    let policies: Vec<ListedPolicy> = instance
        .cleanup
        .policies
        .iter()
        .map(|policy| {
            let last = record.last(policy);
            let next = last.and_then(|last| policy.cadence.next(last)).filter(|next| *next > now);
            let next = next.and_then(|next| next.replace_nanosecond(0).ok());
            ListedPolicy {
                name: policy.name.clone(),
                repositories: policy.repositories.iter().map(ToString::to_string).collect(),
                enabled: policy.enabled,
                cadence: policy.cadence.to_string(),
                due: policy.enabled && policy.cadence.is_due(last, now),
                next: next.and_then(|next| next.format(&Rfc3339).ok()),
                record: record.policies.get(&policy.name).cloned().unwrap_or_default(),
            }
        })
        .collect();
    let is_there = |name: &&String| !policies.iter().any(|policy| policy.name == **name);
    let forgotten = record.policies.keys().filter(is_there).cloned().collect();
    Ok(Report::good(&Listed { policies, forgotten }))
}

impl Document for Listed {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.policies.is_empty() {
            return writeln!(f, "there is no [[cleanup_policy]] in instance.toml");
        }
        let mut table = Table::new(&["policy", "repositories", "cadence", "last run", "next run"]);
        for policy in &self.policies {
            let ListedPolicy { name, repositories, cadence, record, .. } = policy;
            let last = record.last.clone().unwrap_or_else(|| "never".to_owned());
            let next = match (policy.enabled, policy.due, &policy.next) {
                (false, _, _) => "disabled".to_owned(),
                (true, true, _) => "due".to_owned(),
                (true, false, next) => next.clone().unwrap_or_else(|| "never".to_owned()),
            };
            table.row(&[name.clone(), repositories.join(" "), cadence.clone(), last, next]);
        }
        write!(f, "{table}")?;
        for policy in &self.policies {
            if let Some(run) = &policy.record.run {
                writeln!(f, "{}: {} (run {run})", policy.name, policy.record.line())?;
            }
        }
        Ok(())
    }
}
