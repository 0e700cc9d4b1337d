//! What becomes of each tag of a repository, and by which rule.
//!
//! What any policy that is for the repository keeps, stays, also where that policy does not run today. What is left goes if a policy
//! that runs says so. Then the tags that follow a manifest: they stay as long as a tag that stays leads to it.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    time::Duration,
};

use oci::{Digest, Tag};
use registry::collect::Tagged;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::{
    date::Date,
    rules::{self, Dated, Said, protection},
    subject,
};
use crate::config::{
    policy::{Policy, Rules},
    values::duration_text,
};

/// A policy that is for a repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied<'a> {
    pub(crate) policy: &'a Policy,
    /// Whether it runs now, or only says what stays.
    pub(crate) runs: bool,
}

/// What becomes of a tag.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Decision {
    #[serde(serialize_with = "text")]
    pub(crate) tag: Tag,
    pub(crate) digest: Option<Digest>,
    pub(crate) date: Option<Date>,
    pub(crate) outcome: Outcome,
    /// The rule, in words.
    pub(crate) rule: String,
    /// The policy that says so; none where it is for everybody.
    pub(crate) policy: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Kept,
    Deleted,
}

/// A list of referrers, or a signature, may be there before the tag of what it is about.
const BEFORE_ITS_SUBJECT: Duration = Duration::from_secs(86_400);

/// The policies that are for a repository: the first one, and each with `all`.
pub(crate) fn applying<'a>(
    policies: &'a [Policy],
    repository: &str,
    runs: impl Fn(&Policy) -> bool,
) -> Vec<Applied<'a>> {
    let mut is_first = true;
    let fitting = policies.iter().filter(|policy| policy.is_for(repository));
    let counting = fitting.filter(|policy| policy.all || std::mem::take(&mut is_first));
    counting.map(|policy| Applied { policy, runs: runs(policy) }).collect()
}

/// By which rule a tag is set once.
pub(crate) type Immutable<'a> = dyn Fn(&Tag) -> Option<String> + 'a;

/// Decides about all tags of a repository; the decisions are sorted by tag.
pub(crate) fn decide(
    policies: &[Applied<'_>],
    immutable: &Immutable<'_>,
    tags: &[Tagged],
    now: OffsetDateTime,
) -> Vec<Decision> {
    let (followers, others): (Vec<&Tagged>, Vec<&Tagged>) =
        tags.iter().partition(|tagged| subject::stem(&tagged.tag).is_some());
    let dated: Vec<Dated<'_>> =
        others.into_iter().map(|tagged| (tagged, Date::of(tagged, now))).collect();
    let said: Vec<(Applied<'_>, Vec<Said>)> =
        policies.iter().map(|it| (*it, rules::apply(&it.policy.rules, &dated, now))).collect();
    let mut decisions: Vec<Decision> = Vec::with_capacity(tags.len());
    for (index, (tagged, date)) in dated.iter().enumerate() {
        let said = said.iter().map(|(applied, said)| (*applied, said[index].clone()));
        decisions.push(match immutable(&tagged.tag) {
            Some(rule) => Decision::immutable(tagged, *date, &rule),
            None => combine(tagged, *date, said),
        });
    }
    let staying = Staying::of(tags, &decisions);
    decisions.extend(follow((policies, immutable), &followers, &staying, now));
    decisions.sort_by(|one, other| one.tag.cmp(&other.tag));
    decisions
}

/// Keeping wins; then whoever runs and deletes.
fn combine<'a>(
    tagged: &Tagged,
    date: Option<Date>,
    said: impl Iterator<Item = (Applied<'a>, Said)>,
) -> Decision {
    let (mut kept, mut deleted, mut waiting, mut passed) = (None, None, None, None);
    for (Applied { policy, runs }, said) in said {
        let name = || Some(policy.name.clone());
        match said {
            Said::Keep(rule) => kept = kept.or_else(|| Some((rule, name()))),
            Said::Delete(rule) if runs => deleted = deleted.or_else(|| Some((rule, name()))),
            Said::Delete(rule) => {
                waiting = waiting.or_else(|| Some((format!("not due yet: {rule}"), name())));
            }
            Said::Pass(rule) => passed = passed.or_else(|| Some((rule, name()))),
        }
    }
    let (outcome, (rule, policy)) = match (kept, deleted, waiting.or(passed)) {
        (Some(why), _, _) => (Outcome::Kept, why),
        (None, Some(why), _) => (Outcome::Deleted, why),
        (None, None, Some(why)) => (Outcome::Kept, why),
        (None, None, None) => (Outcome::Kept, ("no policy is for it".to_owned(), None)),
    };
    Decision::new(tagged, date, outcome, rule, policy)
}

impl Decision {
    fn new(
        tagged: &Tagged,
        date: Option<Date>,
        outcome: Outcome,
        rule: String,
        policy: Option<String>,
    ) -> Self {
        let digest = tagged.target.as_ref().ok().map(|target| target.digest);
        Self { tag: tagged.tag.clone(), digest, date, outcome, rule, policy }
    }

    /// It is set once, whatever policies say.
    fn immutable(tagged: &Tagged, date: Option<Date>, rule: &str) -> Self {
        Self::new(tagged, date, Outcome::Kept, format!("immutable `{rule}`"), None)
    }

    /// Whether it goes.
    pub(crate) fn goes(&self) -> bool {
        self.outcome == Outcome::Deleted
    }
}

/// What the tags lead to, and what those lead to that stay.
struct Staying {
    /// The names of what may follow them.
    stems: HashSet<String>,
    /// The same of those that go.
    leaving: HashSet<String>,
    /// Whether a tag that stays leads to something unknown.
    is_vague: bool,
}

impl Staying {
    fn of(tags: &[Tagged], decisions: &[Decision]) -> Self {
        let going: HashSet<&Tag> =
            decisions.iter().filter(|it| it.goes()).map(|it| &it.tag).collect();
        let mut staying = Self { stems: HashSet::new(), leaving: HashSet::new(), is_vague: false };
        for tagged in tags.iter().filter(|tagged| subject::stem(&tagged.tag).is_none()) {
            staying.add(tagged, !going.contains(&tagged.tag));
        }
        staying
    }

    fn add(&mut self, tagged: &Tagged, stays: bool) {
        let leads_to = tagged.target.as_ref().ok().map(|target| &target.leads_to);
        let Some(Some(digests)) = leads_to else {
            self.is_vague |= stays;
            return;
        };
        let stems = digests.iter().map(|digest| Tag::of_referrers(digest).to_string());
        if stays { self.stems.extend(stems) } else { self.leaving.extend(stems) }
    }
}

/// Decides about tags that follow a manifest; what they lead to may have followers of its own.
fn follow(
    (policies, immutable): (&[Applied<'_>], &Immutable<'_>),
    followers: &[&Tagged],
    staying: &Staying,
    now: OffsetDateTime,
) -> Vec<Decision> {
    let mut stems = staying.stems.clone();
    let mut kept: BTreeMap<&Tag, Decision> = BTreeMap::new();
    loop {
        let mut is_new = false;
        for tagged in followers {
            if kept.contains_key(&tagged.tag) {
                continue;
            }
            let by_rule = immutable(&tagged.tag);
            let by_rule =
                by_rule.map(|rule| Decision::immutable(tagged, Date::of(tagged, now), &rule));
            let stays = || stays(policies, tagged, (&stems, staying), now);
            if let Some(decision) = by_rule.or_else(stays) {
                kept.insert(&tagged.tag, decision);
                is_new = true;
                let leads_to = tagged.target.iter().filter_map(|target| target.leads_to.as_ref());
                let digests = leads_to.flatten();
                stems.extend(digests.map(|digest| Tag::of_referrers(digest).to_string()));
            }
        }
        if !is_new {
            break;
        }
    }
    let goes = |tagged: &Tagged| {
        let policy = policies.iter().find(|it| it.runs).map(|it| it.policy.name.clone());
        let rule = "its subject has no tag left".to_owned();
        Decision::new(tagged, Date::of(tagged, now), Outcome::Deleted, rule, policy)
    };
    followers.iter().map(|it| kept.remove(&it.tag).unwrap_or_else(|| goes(it))).collect()
}

/// None: it goes.
fn stays(
    policies: &[Applied<'_>],
    tagged: &Tagged,
    (stems, staying): (&HashSet<String>, &Staying),
    now: OffsetDateTime,
) -> Option<Decision> {
    let stem = subject::stem(&tagged.tag)?;
    let keep = |rule: String, policy: Option<&Policy>| {
        let policy = policy.map(|policy| policy.name.clone());
        Some(Decision::new(tagged, Date::of(tagged, now), Outcome::Kept, rule, policy))
    };
    for Applied { policy, .. } in policies {
        if let Some(rule) = kept_by_name(&policy.rules, &tagged.tag) {
            return keep(rule, Some(policy));
        }
    }
    if let Err(reason) = &tagged.target {
        return keep(format!("no manifest: {reason}"), None);
    }
    if stems.contains(stem) {
        return keep("its subject has a tag".to_owned(), None);
    }
    if staying.is_vague {
        return keep("a tag that stays leads to what is not understood".to_owned(), None);
    }
    if !policies.iter().any(|applied| applied.runs) {
        return keep("no policy is due".to_owned(), None);
    }
    // Its subject may have its tags in another repository: only whoever names it means it.
    let name = tagged.tag.as_str();
    let is_named = |it: &Applied<'_>| it.runs && it.policy.rules.name_regex_delete.matches(name);
    if !staying.leaving.contains(stem) && !policies.iter().any(is_named) {
        return keep("no policy that is due names it in `name_regex_delete`".to_owned(), None);
    }
    // Nothing of this run leaves it alone: it may be older than the tag that it waits for.
    let grace = policies.iter().filter_map(|it| it.policy.rules.older_than).max();
    let grace = grace.unwrap_or_default().max(BEFORE_ITS_SUBJECT);
    let is_young = tagged.pushed.is_none_or(|pushed| now - pushed <= grace);
    if !staying.leaving.contains(stem) && is_young {
        let rule = format!(
            "its subject has no tag yet, and it is not older than {}",
            duration_text(grace)
        );
        return keep(rule, None);
    }
    None
}

fn kept_by_name(rules: &Rules, tag: &Tag) -> Option<String> {
    let pattern = rules.name_regex_keep.as_ref().filter(|pattern| pattern.matches(tag.as_str()));
    let kept = pattern.map(|pattern| format!("name_regex_keep `{pattern}`"));
    kept.or_else(|| protection(rules, tag.as_str()))
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.outcome, self.rule)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "kept",
            Self::Deleted => "deleted",
        })
    }
}

fn text<S: Serializer>(tag: &Tag, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(tag)
}
