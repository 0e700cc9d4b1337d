//! GitLab's published semantics, line by line: "How the cleanup policy works" in
//! `doc/user/packages/container_registry/reduce_container_registry_storage.md`, with what regctl adds.

use super::written::{decided, decided_with, deleted};

/// 1. Collects all the tags for a given repository in a list.
const COLLECTS: &str = "docs 1";
/// 2. Excludes the tag named `latest`.
const LATEST: &str = "docs 2";
/// 3. Evaluates the `name_regex` (tags to expire), excluding non-matching names.
const DELETE: &str = "docs 3";
/// 4. Excludes from the list any tags matching the `name_regex_keep` value (tags to preserve).
const KEEP: &str = "docs 4";
/// 5. Excludes any tags that do not have a manifest.
const MANIFEST: &str = "docs 5";
/// 6. Orders the remaining tags by `created_date`.
const ORDER: &str = "docs 6";
/// 7. Excludes the N tags based on the `keep_n` value (Number of tags to retain).
const KEEP_N: &str = "docs 7";
/// 8. Excludes the tags more recent than the `older_than` value (Expiration interval).
const OLDER: &str = "docs 8";
/// 9. Excludes any protected tags.
const PROTECTED: &str = "docs 9";
/// 10. Deletes the remaining tags in the list from the container registry.
const DELETES: &str = "docs 10";
/// `\A(...)\z`: an expression matches a whole name; it is RE2's.
const ANCHORED: &str = "docs, regex pattern examples";
/// Tags sharing a digest: deleting one by its digest removed all (#351538, #377417, #325429, #219915).
const SHARED: &str = "gitlab#351538";
/// An OCI index has no date: never deleted.
const INDEX: &str = "gitlab#439156";
/// Reproducible builds say 1970: deleted first.
const ABSURD: &str = "gitlab#378731";
/// A random sample, and pages of a thousand with `keep_n` for each.
const WHOLE: &str = "gitlab#219915";
/// What GitLab does not know.
const OURS: &str = "regctl";

/// Source, policies, tags, and those that go.
const CASES: &[(&str, &str, &str, &str)] = &[
    (COLLECTS, "older_than=7d", "a:10 b:20 c:30", "a b c"),
    (COLLECTS, "older_than=7d", "", ""),
    (COLLECTS, "older_than=7d", "a:10", "a"),
    (LATEST, "older_than=7d", "latest:100 a:100", "a"),
    (LATEST, "keep_n=1", "latest:1 a:2 b:3", "b"),
    (LATEST, "older_than=7d delete=latest", "latest:100", ""),
    (LATEST, "older_than=7d no-latest", "latest:100 a:100", "a latest"),
    (LATEST, "older_than=7d", "Latest:100 latest-1:100", "Latest latest-1"),
    (LATEST, "keep_n=1 no-latest", "latest:1 a:2 b:3", "a b"),
    (DELETE, "delete=dev-.*", "dev-1:5 v1:5", "dev-1"),
    (DELETE, "delete=dev-.* older_than=7d", "dev-1:5 dev-2:9 v1:90", "dev-2"),
    (DELETE, "delete=dev-.* keep_n=1", "dev-1:3 dev-2:2 v9:1", "dev-1"),
    (DELETE, "delete=x", "a:9 b:9", ""),
    (ANCHORED, "delete=v", "v1:9 v:9 1v:9", "v"),
    (ANCHORED, "delete=v.+", "v1:9 v:9 dev1:9", "v1"),
    (ANCHORED, "delete=main|dev", "main:9 dev:9 maindev:9 main1:9", "dev main"),
    (ANCHORED, "delete=(?i)RC.*", "rc1:9 RC2:9 1rc:9", "RC2 rc1"),
    (
        ANCHORED,
        "delete=(?:v.+|main|release)",
        "v1:9 main:9 release:9 releases:9",
        "main release v1",
    ),
    (ANCHORED, "delete=.*", "a:9 b.c-d_e:9", "a b.c-d_e"),
    (ANCHORED, "delete=[0-9a-f]{8}", "01234567:9 0123456:9 012345678:9", "01234567"),
    (KEEP, "older_than=7d keep=v.*", "v1:90 a:90", "a"),
    (KEEP, "delete=v.* keep=v1", "v1:9 v2:9", "v2"),
    (KEEP, "keep_n=1 keep=v.*", "v1:1 v2:2 a:3 b:4", "b"),
    (KEEP, "older_than=7d keep=v", "v1:90 v:90", "v1"),
    (KEEP, "delete=.* keep=.*", "a:9 b:9", ""),
    (KEEP, "older_than=7d keep=main|release-.*", "main:99 release-1:99 mainline:99", "mainline"),
    (MANIFEST, "older_than=7d", "!a:90 b:90", "b"),
    (MANIFEST, "keep_n=1", "!a:1 b:2 c:3", "c"),
    (MANIFEST, "delete=.*", "!a !b", ""),
    (ORDER, "keep_n=2", "c:3 a:1 d:4 b:2", "c d"),
    (ORDER, "keep_n=2", "v10:1 v9:2 v8:3", "v8"),
    (ORDER, "keep_n=1", "a:5 b:5 c:5", "a b"),
    (ORDER, "keep_n=1", "old:9/0 new:1/8", "old"),
    (KEEP_N, "keep_n=5", "a:1 b:2 c:3", ""),
    (KEEP_N, "keep_n=3", "a:1 b:2 c:3", ""),
    (KEEP_N, "keep_n=1", "a:1 b:2 c:3", "b c"),
    (KEEP_N, "keep_n=2 delete=d.*", "d1:1 d2:2 d3:3 x:0 y:0", "d3"),
    (KEEP_N, "keep_n=1", "latest:0 a:1 b:2", "b"),
    (KEEP_N, "keep_n=1000", "a:1 b:2", ""),
    (OLDER, "older_than=7d", "a:6 b:8", "b"),
    (OLDER, "older_than=7d", "a:7 b:8", "b"),
    (OLDER, "older_than=90d", "a:89 b:91 c:365", "b c"),
    (OLDER, "keep_n=1 older_than=7d", "a:1 b:2 c:9", "c"),
    (OLDER, "keep_n=1 older_than=7d", "a:9 b:10 c:11", "b c"),
    (OLDER, "keep_n=2 older_than=7d", "a:9 b:10", ""),
    (PROTECTED, "older_than=7d protected=v*", "v1:90 a:90", "a"),
    (PROTECTED, "keep_n=1 protected=v*", "v1:1 a:2 b:3", "a b"),
    (PROTECTED, "keep_n=1 protected=v*", "a:1 v1:2 b:3", "b"),
    (
        PROTECTED,
        "older_than=7d protected=main,stable-?",
        "main:9 stable-1:9 stable-10:9",
        "stable-10",
    ),
    (
        DELETES,
        "keep_n=1 older_than=7d delete=d.* keep=d9 protected=d8",
        "d1:1 d2:9 d3:8 d8:99 d9:99 e:99",
        "d2 d3",
    ),
    (DELETES, "delete=.*", "a:0 b:1", "a b"),
    (SHARED, "delete=dev", "dev@x:9 prod@x:9", "dev"),
    (SHARED, "keep_n=1", "a@x:1 b@x:2 c@x:3", "b c"),
    (SHARED, "older_than=7d protected=prod", "dev@x:90 prod@x:90", "dev"),
    (INDEX, "older_than=7d", "a@i>m,n:9|30/40 b@j>m:2|30/40", "a"),
    (INDEX, "keep_n=1", "a@i>m,n:9|1/0 b@j>m:2|30/0", "b"),
    (INDEX, "older_than=7d", "a@i>m:-/9 b@j>m:-/3", "a"),
    (ABSURD, "older_than=7d", "a:y1970/3 b:y1970/9", "b"),
    (ABSURD, "keep_n=1", "a:y1970/1 b:2/2", "b"),
    (ABSURD, "older_than=7d", "a:y2012/3 b:y2013/3", "b"),
    (ABSURD, "older_than=7d", "a:+1/9 b:+400/3", "a"),
    (ABSURD, "keep_n=1", "a:+9/9 b:5/5", "a"),
    (ABSURD, "older_than=7d", "a@i>m,n:y1970|3/99 b@j>m:y1970|y1970/99", "b"),
    (ABSURD, "older_than=7d", "a b:-/-", ""),
    (ABSURD, "keep_n=1", "a b:5", "b"),
    (WHOLE, "keep_n=1", "a:9 b:8 c:7 d:6 e:5 f:4 g:3 h:2 i:1", "a b c d e f g h"),
    (OURS, "older_than=7d pushed_within=5d", "a:90/3 b:90/9", "b"),
    (OURS, "keep_n=1 pushed_within=5d", "a:1/50 b:2/3 c:3/50", "c"),
    (OURS, "older_than=7d delete=d.*;older_than=1d delete=p.* all", "d1:9 d2:3 p1:2 p2:0", "d1 p1"),
    (OURS, "older_than=7d;older_than=1d all", "a:9 b:3 c:0", "a"),
    (OURS, "older_than=1d;keep_n=1 all idle", "a:9 b:10", "b"),
    (OURS, "older_than=1d idle", "a:9 b:10", ""),
    (OURS, "older_than=1d;older_than=30d keep=a all idle", "a:90 b:90 c:9", "b"),
    (OURS, "older_than=7d", "a@x:1 sig(x):90", ""),
    (OURS, "older_than=7d", "a@x:9 sig(x):1", "a sig(x)"),
    (OURS, "keep_n=1", "a@x:1 sig(x):0 b@y:2 sig(y):0", "b sig(y)"),
    (OURS, "older_than=7d", "a@x:9 b@x:1 sig(x):90", "a"),
    (OURS, "older_than=7d", "a@i>m,n:1 sig(m):90 sig(i):90 sig(n):90", ""),
    (OURS, "older_than=7d", "a@i>m,n:9 sig(m):90 sig(i):90", "a sig(i) sig(m)"),
    (OURS, "older_than=7d", "a@x:1 sig(x)@s:90 sig(s):90", ""),
    (OURS, "older_than=7d", "a@x:9 sig(x)@s:90 sig(s):90", "a sig(s) sig(x)"),
    (OURS, "older_than=7d", "sig(gone):90/90", "sig(gone)"),
    (OURS, "older_than=7d", "sig(gone):90/6", ""),
    (OURS, "delete=x.*", "sig(gone):-/0", ""),
    (OURS, "delete=x.*", "sig(gone):-/2 a:1", ""),
    (OURS, "delete=sha256-.*", "sig(gone):-/2 a:1", "sig(gone)"),
    (OURS, "older_than=7d keep=sha256-.*", "a@x:9 sig(x):90", "a"),
    (OURS, "older_than=7d protected=*.sig", "a@x:9 sig(x):90", "a"),
    (OURS, "older_than=7d", "a@i>?:1 sig(gone):90", ""),
    (OURS, "older_than=7d", "a@i>?:9 sig(gone):90", "a sig(gone)"),
    (OURS, "older_than=7d", "a@x:9 !sig(x):90", "a"),
    (OURS, "older_than=7d idle", "a@x:9 sig(gone):90", ""),
];

#[test]
fn tags_go_and_stay_as_gitlab_has_it() {
    let mut wrong = Vec::new();
    for (source, policies, tags, expected) in CASES {
        let gone = deleted(policies, tags).into_iter().collect::<Vec<_>>();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        if gone != expected {
            wrong
                .push(format!("{source}: [{policies}] of [{tags}]: {gone:?} go, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(CASES.len() >= 60);
}

#[test]
fn what_is_set_once_stays_whatever_policies_say_and_counts_as_one_of_the_newest() {
    let rule = |tag: &oci::Tag| tag.as_str().starts_with('v').then(|| "v*".to_owned());
    let decided = decided_with("keep_n=1", &rule, "v2:1 b:2 a@v1:3 v1:9 sig(v1):9");
    let lines: Vec<String> = decided.iter().map(|it| format!("{} {it}", it.tag)).collect();
    for (tag, expected) in [("v1", "kept: immutable `v*`"), ("v2", "kept: immutable `v*`")] {
        assert!(lines.contains(&format!("{tag} {expected}")), "{lines:#?}");
    }
    let gone: Vec<&str> = decided.iter().filter(|it| it.goes()).map(|it| it.tag.as_str()).collect();
    assert_eq!(gone, ["a", "b"], "{lines:#?}");
}

#[test]
fn each_tag_has_the_rule_that_decided() {
    let tags = "latest:100 v1:100 a:1 b:2 c:40/3 d:50/60 e:y1970/70 main:80 x:90 !m:1";
    let policies =
        "keep_n=2 older_than=30d pushed_within=5d delete=[a-e]|v1|main keep=v1 protected=main";
    let lines: Vec<String> =
        decided(policies, tags).iter().map(|it| format!("{} {it}", it.tag)).collect();
    assert_eq!(
        lines,
        [
            "a kept: keep_n 1/2",
            "b kept: keep_n 2/2",
            "c kept: pushed within 5d (2026-11-20)",
            "d deleted: older than 30d (created 2026-10-04, from image config)",
            "e deleted: older than 30d (pushed 2026-09-14, from the tag's link)",
            "latest kept: latest",
            "m kept: no manifest: its bytes are not there",
            "main kept: protected `main`",
            "v1 kept: name_regex_keep `v1`",
            "x kept: not matched by name_regex_delete `[a-e]|v1|main`",
        ]
    );
    let lines = decided("keep_n=1;older_than=1d all idle", "a:1 b:2 c:0");
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    assert_eq!(lines[1], "deleted: keep_n 3/1 (created 2026-11-21, from image config)");
}
