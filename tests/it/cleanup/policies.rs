//! Policies that are wrong: each has a message of its own, with its place.

use crate::support::World;

const HEAD: &str = "[[cleanup_policy]]\nname = \"a\"\nrepositories = \"**\"\nkeep_n = 5\n";

#[test]
fn each_mistake_is_named_with_its_place_and_what_helps() {
    for (text, place, what) in [
        ("[[cleanup_policy]]\nkeep_n = 5\n", "1:1", "`cleanup_policy.name"),
        (&format!("{HEAD}keep_m = 1\n"), "5:10", "did you mean `keep_n`?"),
        (&format!("{HEAD}name_regex_keep = \"(?!x).*\"\n"), "5:19", "belongs to PCRE"),
        (&format!("{HEAD}name_regex_delete = \"v[\"\n"), "5:21", "unclosed character class"),
        (&format!("{HEAD}cadence = \"2d\"\n"), "5:11", "one of \"1d\", \"7d\", \"14d\""),
        (&format!("{HEAD}older_than = 90\n"), "5:14", "write \"90s\""),
        (&format!("{HEAD}protected_tags = [\"a b\"]\n"), "5:19", "a name with `*`"),
        (&HEAD.replace("= 5", "= 0"), "4:10", "a whole number of at least 1"),
        (&HEAD.replace("keep_n = 5\n", ""), "1:1", "allow_all = true"),
        (&HEAD.replace("\"**\"", "[]"), "1:1", "is for no repository"),
        (&format!("{HEAD}{HEAD}"), "5:1", "the policy on line 1 has this name"),
    ] {
        let ran = World::with(text).run(&["check-config"]);
        assert_eq!(ran.exit, 78, "{text}: {ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(place) && said.contains(what), "{text}: {said}");
    }
}

#[test]
fn what_takes_everything_is_taken_when_it_is_meant() {
    let text = HEAD.replace("keep_n = 5", "allow_all = true");
    let ran = World::with(&text).run(&["check-config"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let old = World::with(&format!("{HEAD}name_regex = \"v.*\"\n")).run(&["check-config"]);
    assert_eq!(old.exit, 0, "{old:?}");
    assert!(
        format!("{}{}", old.stdout, old.stderr).contains("write `name_regex_delete`"),
        "{old:?}"
    );
}

#[test]
fn a_policy_that_is_not_there_is_named_with_the_nearest_one() {
    let world = World::with(&HEAD.replace("\"a\"", "\"nightly\""));
    let ran = world.run(&["cleanup-policy", "run", "nigtly"]);
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.stderr.contains("did you mean `nightly`?"), "{ran:?}");
}
