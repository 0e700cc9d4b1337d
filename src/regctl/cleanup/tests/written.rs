//! Tags and policies as texts of one line.

use std::collections::BTreeSet;

use oci::{Algorithm, Digest};
use registry::collect::{Tagged, Target};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    cleanup::decide::{Applied, Decision, Immutable, decide},
    config::policy::{Cadence, Glob, Pattern, Policy, Rules},
};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

/// The digest of a word.
pub(super) fn digest(word: &str) -> Digest {
    Digest::of(Algorithm::Sha256, word.as_bytes())
}

/// `keep_n=5 older_than=90d delete=v.* keep=v1 protected=a,b* pushed_within=7d no-latest name=x all idle`
pub(super) fn policy(text: &str) -> Policy {
    let any = || Pattern::parse(".*").unwrap();
    let mut policy = Policy {
        name: "p".to_owned(),
        repositories: vec![Glob::parse("**").unwrap()],
        enabled: true,
        all: false,
        cadence: Cadence::parse("1d").unwrap(),
        rules: Rules {
            keep_n: None,
            older_than: None,
            name_regex_delete: any(),
            name_regex_keep: None,
            keep_latest: true,
            protected_tags: Vec::new(),
            keep_pushed_within: None,
        },
    };
    let rules = &mut policy.rules;
    let duration = |value: &str| crate::config::values::duration(value).unwrap();
    for word in text.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("keep_n", value) => rules.keep_n = Some(value.parse().unwrap()),
            ("older_than", value) => rules.older_than = Some(duration(value)),
            ("pushed_within", value) => rules.keep_pushed_within = Some(duration(value)),
            ("delete", value) => rules.name_regex_delete = Pattern::parse(value).unwrap(),
            ("keep", value) => rules.name_regex_keep = Some(Pattern::parse(value).unwrap()),
            ("protected", value) => {
                rules.protected_tags =
                    value.split(',').map(|glob| Glob::parse(glob).unwrap()).collect();
            }
            ("no-latest", _) => rules.keep_latest = false,
            ("name", value) => policy.name = value.to_owned(),
            ("all", _) => policy.all = true,
            ("idle", _) => policy.name = "idle".to_owned(),
            (other, _) => panic!("`{other}` is no part of a policy"),
        }
    }
    policy
}

/// `NAME[@DIGEST][:created[/pushed]]`, ages in days; `-` is nothing, `+1` the future, `y1970` that year, and `a|b` several images.
/// `!NAME` has no manifest, `NAME@a>b,c` is an index, and `sig(a)` is the name of a's signature.
pub(super) fn tagged(text: &str) -> Tagged {
    let (head, dates) = text.split_once(':').unwrap_or((text, "-/-"));
    let (created, pushed) = dates.split_once('/').unwrap_or((dates, dates));
    let (head, is_missing) = match head.strip_prefix('!') {
        Some(head) => (head, true),
        None => (head, false),
    };
    let (name, target) = head.split_once('@').unwrap_or((head, head));
    let name = match name.strip_prefix("sig(").and_then(|rest| rest.strip_suffix(')')) {
        Some(subject) => format!("sha256-{}.sig", digest(subject).to_hex()),
        None => name.to_owned(),
    };
    let (own, children) = target.split_once('>').unwrap_or((target, ""));
    let is_vague = children == "?";
    let children = children.split(',').filter(|child| !child.is_empty() && *child != "?");
    let leads_to: Vec<Digest> = [own].into_iter().chain(children).map(digest).collect();
    let target = Target {
        digest: digest(own),
        leads_to: (!is_vague).then_some(leads_to),
        created: created.split('|').filter_map(date).collect(),
    };
    let target = if is_missing { Err("its bytes are not there".to_owned()) } else { Ok(target) };
    Tagged { tag: name.parse().unwrap(), target, pushed: date(pushed) }
}

fn date(text: &str) -> Option<OffsetDateTime> {
    match text.split_at(text.len().min(1)) {
        ("" | "-", _) => None,
        ("+", days) => Some(NOW + Duration::days(days.parse().unwrap())),
        ("y", year) => Some(NOW.replace_year(year.parse().unwrap()).unwrap()),
        _ => Some(NOW - Duration::days(text.parse().unwrap())),
    }
}

pub(super) fn decided(policies: &str, tags: &str) -> Vec<Decision> {
    decided_with(policies, &|_| None, tags)
}

/// The same where some tags are set once.
pub(super) fn decided_with(policies: &str, immutable: &Immutable<'_>, tags: &str) -> Vec<Decision> {
    let policies: Vec<Policy> = policies.split(';').map(policy).collect();
    let applied: Vec<Applied<'_>> =
        policies.iter().map(|policy| Applied { policy, runs: policy.name != "idle" }).collect();
    let tags: Vec<Tagged> = tags.split_whitespace().map(tagged).collect();
    decide(&applied, immutable, &tags, NOW)
}

/// The names of those that go, signatures as they were written.
pub(super) fn deleted(policies: &str, tags: &str) -> BTreeSet<String> {
    let names: Vec<(String, &str)> = tags
        .split_whitespace()
        .map(|text| {
            let name = text.trim_start_matches('!').split([':', '@']).next().unwrap();
            (tagged(text).tag.to_string(), name)
        })
        .collect();
    let gone = decided(policies, tags).into_iter().filter(Decision::goes);
    gone.map(|decision| {
        let tag = decision.tag.to_string();
        names.iter().find(|(full, _)| *full == tag).unwrap().1.to_owned()
    })
    .collect()
}
