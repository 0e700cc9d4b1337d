//! Whatever the policy, and in whatever order the tags are listed.

use proptest::prelude::*;
use registry::collect::Tagged;
use time::Duration;

use super::written::{NOW, policy, tagged};
use crate::cleanup::{
    date::Date,
    decide::{Applied, Decision, decide},
};

const NAMES: [&str; 12] = [
    "latest",
    "v1",
    "v2",
    "v10",
    "dev-1",
    "dev-2",
    "main",
    "a",
    "b",
    "rc",
    "sig(v1)",
    "sig(dev-1)",
];

fn tags() -> impl Strategy<Value = Vec<Tagged>> {
    let dates = (
        prop_oneof![Just("-"), Just("y1970"), Just("+3"), Just("1"), Just("8"), Just("40")],
        0..60,
    );
    let one = |name: &'static str| {
        (dates.clone(), any::<bool>(), 0..4_u8).prop_map(
            move |((created, pushed), is_shared, rare)| {
                let digest =
                    if is_shared { "shared" } else { name.trim_matches(|c| "sig()".contains(c)) };
                let missing = if rare == 0 { "!" } else { "" };
                tagged(&format!("{missing}{name}@{digest}:{created}/{pushed}"))
            },
        )
    };
    let all = NAMES.map(one).to_vec();
    all.prop_flat_map(|tags| {
        let count = tags.len();
        (Just(tags), proptest::collection::vec(any::<bool>(), count))
    })
    .prop_map(|(tags, there)| {
        tags.into_iter().zip(there).filter_map(|(tag, is_there)| is_there.then_some(tag)).collect()
    })
}

fn policies() -> impl Strategy<Value = Vec<String>> {
    let part = |words: &'static [&'static str]| proptest::sample::select(words);
    let one = (
        part(&["", "keep_n=1", "keep_n=3"]),
        part(&["", "older_than=7d", "older_than=30d"]),
        part(&["", "delete=v.*", "delete=dev.*|a", "delete=.*"]),
        part(&["", "keep=v1", "keep=.*1", "keep=sha256.*"]),
        part(&["", "protected=main", "protected=v*"]),
        part(&["", "no-latest"]),
        part(&["", "pushed_within=5d"]),
        part(&["", "idle"]),
    );
    let text = one.prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].join(" "));
    proptest::collection::vec(text, 1..3)
}

fn decisions(texts: &[String], tags: &[Tagged]) -> Vec<Decision> {
    let policies: Vec<_> = texts.iter().map(|text| policy(text)).collect();
    let applied: Vec<_> =
        policies.iter().map(|policy| Applied { policy, runs: policy.name != "idle" }).collect();
    decide(&applied, &|_| None, tags, NOW)
}

proptest! {
    #[test]
    fn no_rule_that_keeps_is_ever_broken(texts in policies(), tags in tags()) {
        let decided = decisions(&texts, &tags);
        prop_assert_eq!(decided.len(), tags.len());
        for text in &texts {
            let rules = policy(text).rules;
            let gone = |tag: &Tagged| decided.iter().any(|it| it.tag == tag.tag && it.goes());
            let mut selected = Vec::new();
            for tag in &tags {
                let name = tag.tag.as_str();
                let is_kept = rules.name_regex_keep.as_ref().is_some_and(|keep| keep.matches(name))
                    || rules.protected_tags.iter().any(|glob| glob.matches(name))
                    || (rules.keep_latest && name == "latest")
                    || tag.target.is_err();
                prop_assert!(!(is_kept && gone(tag)), "{} of {}", name, text);
                if name.starts_with("sha256-") || is_kept && !rules.protected_tags.iter().any(|glob| glob.matches(name)) {
                    continue;
                }
                if rules.name_regex_delete.matches(name) {
                    selected.push(tag);
                }
            }
            // As many of the newest stay as are to stay.
            let stay = |tag: &&&Tagged| !gone(tag);
            let least = rules.keep_n.unwrap_or(0).min(selected.len() as u64);
            prop_assert!(selected.iter().filter(stay).count() as u64 >= least, "{}", text);
            for tag in &selected {
                let date = Date::of(tag, NOW).unwrap();
                let is_young = |age: Option<std::time::Duration>, at| {
                    age.is_some_and(|age| NOW - at <= Duration::try_from(age).unwrap())
                };
                let stays = is_young(rules.older_than, date.at)
                    || is_young(rules.keep_pushed_within, tag.pushed.unwrap());
                prop_assert!(!(stays && gone(tag)), "{} of {}", tag.tag, text);
            }
        }
    }

    #[test]
    fn what_is_decided_does_not_depend_on_the_order_of_the_list(
        texts in policies(),
        (tags, shuffled) in tags().prop_flat_map(|tags| (Just(tags.clone()), Just(tags).prop_shuffle())),
    ) {
        prop_assert_eq!(decisions(&texts, &tags), decisions(&texts, &shuffled));
    }

    #[test]
    fn nothing_goes_where_no_policy_runs_and_a_signature_never_without_its_subject(
        texts in policies(),
        tags in tags(),
    ) {
        let decided = decisions(&texts, &tags);
        if texts.iter().all(|text| text.contains("idle")) {
            prop_assert!(decided.iter().all(|it| !it.goes()));
        }
        for (subject, signature) in [("v1", "sig(v1)"), ("dev-1", "sig(dev-1)")] {
            let signature = tagged(signature).tag;
            let leads = super::written::digest(subject);
            let stays = decided.iter().any(|it| {
                !it.goes() && it.tag.as_str() == subject && it.digest == Some(leads)
            });
            let is_gone = decided.iter().any(|it| it.tag == signature && it.goes());
            prop_assert!(!(stays && is_gone), "{}", subject);
        }
    }
}
