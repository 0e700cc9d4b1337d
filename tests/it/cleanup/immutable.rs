//! Tags that are set once: clients are refused, policies keep them, and other rules count at once.

use super::site::{Site, push};
use crate::support::{Peer, pusher::digest};

const SETTINGS: &str = "storage_delete_enabled = true
[[immutable_tag]]
repositories = [\"app\", \"group/**\"]
tags = [\"v*\", \"release-?\"]

[[cleanup_policy]]
name = \"nightly\"
repositories = [\"**\"]
keep_n = 1
";

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_tag_that_is_set_once_is_neither_moved_nor_deleted() {
    let mut site = Site::with(SETTINGS);
    let mut pusher = site.pusher();
    let first = push(&mut pusher, "app", "v1", "2020-01-01T00:00:00Z");
    let second = push(&mut pusher, "app", "main", "2026-01-01T00:00:00Z");
    let manifest = |pusher: &mut crate::support::pusher::Pusher, reference: &str| {
        let answer = pusher.get(&format!("/v2/app/manifests/{reference}")).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    let (one, other) = (manifest(&mut pusher, "v1"), manifest(&mut pusher, "main"));
    // What it is already it may be set to once more.
    assert_eq!(pusher.push_manifest("app", "v1", &one).unwrap().status, 201);
    let refused = [
        pusher.push_manifest("app", "v1", &other).unwrap(),
        pusher.delete("/v2/app/manifests/v1").unwrap(),
        pusher.delete(&format!("/v2/app/manifests/{first}")).unwrap(),
        pusher.delete("/v2/app/tags/reference/v1").unwrap(),
    ];
    for answer in refused {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 403, "{body}");
        for words in ["\"DENIED\"", "tag `v1` is immutable here, by the rule `v*`"] {
            assert!(body.contains(words), "{words}: {body}");
        }
    }
    // A push by digest that names the tag is refused as a whole.
    let third = [&other[..], b"\n"].concat();
    let reference = format!("{}?tag=v1&tag=next", digest(&third));
    assert_eq!(pusher.push_manifest("app", &reference, &third).unwrap().status, 403);
    assert_eq!(site.tags("app"), ["main", "v1"]);
    assert_eq!(manifest(&mut pusher, "v1"), one);
    // Other tags, and other repositories, are as before.
    assert_eq!(pusher.push_manifest("app", "main", &one).unwrap().status, 201);
    assert_eq!(pusher.delete(&format!("/v2/app/manifests/{second}")).unwrap().status, 202);
    push(&mut pusher, "other", "v1", "2020-01-01T00:00:00Z");
    push(&mut pusher, "other", "v1", "2020-01-02T00:00:00Z");

    // No policy takes it.
    let preview = site.json(&["preview"]);
    let decisions = Site::decisions(&preview, "app");
    assert!(
        decisions.contains(&("v1".to_owned(), "kept: immutable `v*`".to_owned())),
        "{decisions:?}"
    );
    site.good(&["run"]);
    assert!(site.tags("app").contains(&"v1".to_owned()));

    // Debian's takes what is rendered; it knows no such rule.
    let peer = Peer::rendered(&site.instance.world);
    let answer = crate::support::client().get(peer.url("/v2/app/manifests/v1"));
    let answer = answer.header("Accept", "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(answer.send().unwrap().status(), 200);
    drop(peer);

    // Another rule counts at once, and nothing is restarted.
    site.instance.edit(|text| text.replace("\"v*\", ", ""));
    let ran = site.instance.run(&["reconfigure"]);
    assert!(ran.exit == 0 && ran.stdout.contains("reloaded registry"), "{ran:?}");
    assert_eq!(pusher.delete("/v2/app/manifests/v1").unwrap().status, 202);
}

#[test]
fn a_rule_that_is_for_nothing_is_named() {
    for (text, words) in [
        (
            "[[immutable_tag]]\nrepositories = []\ntags = [\"v*\"]\n",
            "`immutable_tag.repositories` is empty, so that the rule is for nothing",
        ),
        (
            "[[immutable_tag]]\ntags = [\"v*\"]\n",
            "`immutable_tag.repositories = [[immutable_tag]]`: must be written",
        ),
        (
            "[[immutable_tag]]\nrepositories = [\"**\"]\ntags = [\"v[0-9]\"]\n",
            "must be a name with `*` (anything but a slash), `**` (anything) and `?` (one character)",
        ),
    ] {
        let ran = crate::support::World::with(text).run(&["check-config"]);
        assert!(ran.exit == 78 && ran.stdout.contains(words), "{words}: {ran:?}");
    }
}
