//! What one policy says of the tags of a repository, in GitLab's order.
//!
//! `latest` stays; of the others those may go whose names match `name_regex_delete` and not `name_regex_keep`; of these, those without a
//! manifest stay, the newest `keep_n`, and what is younger than `older_than`; then what is protected. What is left goes.

use std::{cmp::Reverse, time::Duration};

use registry::collect::Tagged;
use time::OffsetDateTime;

use super::date::Date;
use crate::config::{policy::Rules, values::duration_text};

/// What a policy says of one tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// It stays, whatever other policies say.
    Keep(String),
    /// It is none of this policy's.
    Pass(String),
    Delete(String),
}

/// A tag with its date.
pub(super) type Dated<'a> = (&'a Tagged, Option<Date>);

/// What the rules say of each tag, in the order of the tags. Those that follow a manifest are not among them.
pub(super) fn apply(rules: &Rules, tags: &[Dated<'_>], now: OffsetDateTime) -> Vec<Said> {
    let mut said: Vec<Option<Said>> =
        tags.iter().map(|(tagged, _)| by_name(rules, tagged)).collect();
    let mut left: Vec<usize> = (0..tags.len()).filter(|&index| said[index].is_none()).collect();
    // Nobody knows how old they are: they may be new. Of the same age, the last name is the newest.
    left.sort_by_key(|&index| {
        let (tagged, date) = &tags[index];
        (date.is_some(), Reverse(date.map(|date| date.at)), Reverse(&tagged.tag))
    });
    for (place, &index) in left.iter().enumerate() {
        let (tagged, date) = &tags[index];
        said[index] = Some(by_age(rules, tagged, *date, place, now));
    }
    let unsaid = || Said::Pass("not looked at".to_owned());
    said.into_iter().map(|said| said.unwrap_or_else(unsaid)).collect()
}

/// None: it may go, as far as its name says.
fn by_name(rules: &Rules, tagged: &Tagged) -> Option<Said> {
    let name = tagged.tag.as_str();
    let keep = |reason: String| Some(Said::Keep(reason));
    if rules.keep_latest && name == "latest" {
        return keep("latest".to_owned());
    }
    if let Some(pattern) = rules.name_regex_keep.as_ref().filter(|pattern| pattern.matches(name)) {
        return keep(format!("name_regex_keep `{pattern}`"));
    }
    if let Err(reason) = &tagged.target {
        return keep(format!("no manifest: {reason}"));
    }
    if !rules.name_regex_delete.matches(name) {
        return match protection(rules, name) {
            Some(reason) => keep(reason),
            None => {
                let pattern = &rules.name_regex_delete;
                Some(Said::Pass(format!("not matched by name_regex_delete `{pattern}`")))
            }
        };
    }
    None
}

/// `place` counts from the newest of those that may go.
fn by_age(
    rules: &Rules,
    tagged: &Tagged,
    date: Option<Date>,
    place: usize,
    now: OffsetDateTime,
) -> Said {
    let Some(date) = date else { return Said::Keep("nobody knows its age".to_owned()) };
    let place = u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1);
    if let Some(keep) = rules.keep_n.filter(|keep| place <= *keep) {
        return Said::Keep(format!("keep_n {place}/{keep}"));
    }
    let is_within = |age: Duration, at: OffsetDateTime| now - at <= age;
    if let Some(age) = rules.older_than.filter(|age| is_within(*age, date.at)) {
        return Said::Keep(format!("not older than {} ({date})", duration_text(age)));
    }
    let pushed = tagged.pushed.unwrap_or(now);
    if let Some(age) = rules.keep_pushed_within.filter(|age| is_within(*age, pushed)) {
        return Said::Keep(format!("pushed within {} ({})", duration_text(age), pushed.date()));
    }
    if let Some(reason) = protection(rules, tagged.tag.as_str()) {
        return Said::Keep(reason);
    }
    Said::Delete(match (rules.older_than, rules.keep_n) {
        (Some(age), _) => format!("older than {} ({date})", duration_text(age)),
        (None, Some(keep)) => format!("keep_n {place}/{keep} ({date})"),
        (None, None) => format!("name_regex_delete `{}` ({date})", rules.name_regex_delete),
    })
}

pub(super) fn protection(rules: &Rules, name: &str) -> Option<String> {
    let glob = rules.protected_tags.iter().find(|glob| glob.matches(name))?;
    Some(format!("protected `{glob}`"))
}
