//! `[[cleanup_policy]]`: which tags go, with GitLab's parameters; and `[[immutable_tag]]`: which never do.

mod cadence;
mod pattern;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{checks::Findings, settings::Settings, tables::Record};
pub(crate) use cadence::Cadence;
pub(crate) use pattern::{Pattern, Unfit};
pub(crate) use registry::Glob;
use registry::config::ImmutableTags;

const KEY: &str = "cleanup_policy";
const IMMUTABLE: &str = "immutable_tag";

/// One policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) repositories: Vec<Glob>,
    pub(crate) enabled: bool,
    /// Whether it is also for repositories that another policy is for.
    pub(crate) all: bool,
    pub(crate) cadence: Cadence,
    pub(crate) rules: Rules,
}

/// Which tags stay and which go.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Rules {
    /// The newest of those that may go stay.
    pub(crate) keep_n: Option<u64>,
    /// Those that are younger stay.
    pub(crate) older_than: Option<Duration>,
    /// Which may go.
    pub(crate) name_regex_delete: Pattern,
    pub(crate) name_regex_keep: Option<Pattern>,
    /// Whether `latest` stays.
    pub(crate) keep_latest: bool,
    pub(crate) protected_tags: Vec<Glob>,
    /// Those that were pushed since stay, whatever the image says of its age.
    pub(crate) keep_pushed_within: Option<Duration>,
}

impl Policy {
    /// Whether a repository is one of those it is for.
    pub(crate) fn is_for(&self, repository: &str) -> bool {
        self.enabled && self.repositories.iter().any(|glob| glob.matches(repository))
    }
}

impl Rules {
    /// Whether every tag goes but those with a name that is named.
    fn spare_nothing(&self) -> bool {
        let Self { keep_n, older_than, keep_pushed_within, name_regex_delete, .. } = self;
        keep_n.is_none()
            && older_than.is_none_or(|age| age.is_zero())
            && keep_pushed_within.is_none_or(|age| age.is_zero())
            && name_regex_delete.matches_everything()
    }
}

pub(super) fn policies(settings: &Settings) -> Vec<Policy> {
    settings.tables_of(KEY).unwrap_or_default().iter().map(policy).collect()
}

/// `[[immutable_tag]]`.
pub(super) fn immutable_tags(settings: &Settings) -> Vec<ImmutableTags> {
    let records = settings.tables_of(IMMUTABLE).unwrap_or_default();
    let rule = |record: &Record| ImmutableTags {
        repositories: globs(record, "repositories"),
        tags: globs(record, "tags"),
    };
    records.iter().map(rule).collect()
}

fn globs(record: &Record, name: &str) -> Vec<Glob> {
    let texts = record.list(name).unwrap_or_default();
    texts.iter().map(|text| Glob::parse(text).expect(CHECKED)).collect()
}

const CHECKED: &str = "the key table has it checked";

fn policy(record: &Record) -> Policy {
    let pattern = |name| record.text(name).map(|text| Pattern::parse(&text).expect(CHECKED));
    let globs = |name| globs(record, name);
    let everything = || Pattern::parse(".*").expect("it is an expression");
    let cadence = record.text("cadence").unwrap_or_else(|| "1d".to_owned());
    Policy {
        name: record.text("name").expect(CHECKED),
        repositories: globs("repositories"),
        enabled: record.flag("enabled").unwrap_or(true),
        all: record.flag("all").unwrap_or(false),
        cadence: Cadence::parse(&cadence).expect(CHECKED),
        rules: Rules {
            keep_n: record.count("keep_n"),
            older_than: record.duration("older_than"),
            name_regex_delete: pattern("name_regex_delete")
                .or_else(|| pattern("name_regex"))
                .unwrap_or_else(everything),
            name_regex_keep: pattern("name_regex_keep"),
            keep_latest: record.flag("keep_latest").unwrap_or(true),
            protected_tags: globs("protected_tags"),
            keep_pushed_within: record.duration("keep_pushed_within"),
        },
    }
}

/// Two policies have two names, and none takes everything by accident; rules are for something.
pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    for record in settings.tables_of(IMMUTABLE).unwrap_or_default() {
        for (name, all) in [("repositories", "[\"**\"]"), ("tags", "[\"*\"]")] {
            if record.list(name).is_some_and(|globs| globs.is_empty()) {
                let message =
                    format!("`{IMMUTABLE}.{name}` is empty, so that the rule is for nothing");
                let hint = format!("write `{name} = {all}` for all");
                findings.problem(&record.span, IMMUTABLE, message, &hint);
            }
        }
    }
    let records = settings.tables_of(KEY).unwrap_or_default();
    for (index, record) in records.iter().enumerate() {
        let Policy { name, rules, .. } = policy(record);
        let before = &records[..index];
        if let Some(twin) = before.iter().find(|other| other.text("name") == record.text("name")) {
            let line = findings.line(&twin.span);
            let message =
                format!("`{KEY}.name = \"{name}\"`: the policy on line {line} has this name");
            findings.problem(&record.span, KEY, message, "give each policy a name of its own");
        }
        if record.list("repositories").is_some_and(|globs| globs.is_empty()) {
            let message = format!("`{KEY}.repositories`: the policy `{name}` is for no repository");
            findings.problem(&record.span, KEY, message, "write `repositories = [\"**\"]` for all");
        }
        if rules.spare_nothing() && record.flag("allow_all") != Some(true) {
            let message = format!(
                "the policy `{name}` deletes every tag but `latest` and those with names that are kept"
            );
            let hint = "add `keep_n`, `older_than` or a narrower `name_regex_delete`, or `allow_all = true` if that is meant";
            findings.problem(&record.span, KEY, message, hint);
        }
        if record.text("name_regex").is_some() {
            let message = format!("`{KEY}.name_regex` is the old name of `name_regex_delete`");
            let hint = match record.text("name_regex_delete") {
                Some(_) => "remove it: `name_regex_delete` is there and counts",
                None => "write `name_regex_delete`",
            };
            findings.warn(&record.span, KEY, message, hint);
        }
    }
}
