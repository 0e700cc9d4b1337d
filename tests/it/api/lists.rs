//! Lists: every tag and every repository exactly once, in order, in pages of any size.

use serde_json::{Value, json};

use super::fixture::{Image, Registry, on_each_driver};
use crate::support::http::{Answer, Client, Request};

/// The target of the next page, if there is one.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("Link")?;
    let target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    Some(target.to_owned())
}

/// All entries, page by page; no page has more than `n`.
fn walk(client: &mut Client, target: &str, field: &str, n: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut target = Some(format!("{target}?n={n}"));
    while let Some(page) = target {
        let answer = client.get(&page).expect(200);
        let entries: Vec<String> = serde_json::from_value(answer.json()[field].clone()).unwrap();
        target = next(&answer);
        let full = entries.len() == n;
        assert!(full || target.is_none() && entries.len() < n, "{page}: {entries:?}");
        found.extend(entries);
    }
    found
}

fn retag(client: &mut Client, image: &Image, name: &str, tags: &[&str]) {
    image.push(client, name, tags[0]);
    for tag in &tags[1..] {
        client.put_manifest(name, tag, "", &image.manifest).expect(201);
    }
}

/// In the order of their bytes.
const TAGS: [&str; 9] =
    ["1.0", "1.0-rc", "1.10", "1.2", "A", "_hidden", "a", "latest", "sha256-abc"];

/// In the order of their components.
const REPOSITORIES: [&str; 8] = ["a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "a0", "library/app"];

/// OCI 1.1, listing tags: lexical order; 2.8 sorts nothing.
#[test]
pub(crate) fn tags_are_sorted_and_complete() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        let mut shuffled = TAGS;
        shuffled.reverse();
        retag(&mut client, &Image::of("app"), "group/app", &shuffled);
        let answer = client.get("/v2/group/app/tags/list").expect(200);
        assert_eq!(answer.json(), json!({ "name": "group/app", "tags": TAGS }));
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("Link"), None);
        for n in 1..=TAGS.len() + 1 {
            assert_eq!(walk(&mut client, "/v2/group/app/tags/list", "tags", n), TAGS, "n={n}");
        }
    });
}

/// OCI 1.1, listing tags: Link.
#[test]
fn the_next_page_is_a_path_with_last_and_n() {
    let registry = Registry::start();
    let mut client = registry.client();
    retag(&mut client, &Image::of("app"), "group/app", &["t1", "t2", "t3"]);
    let answer = client.get("/v2/group/app/tags/list?n=2").expect(200);
    let link = "</v2/group/app/tags/list?last=t2&n=2>; rel=\"next\"";
    assert_eq!(answer.header("Link"), Some(link));
    let last = client.get("/v2/group/app/tags/list?n=2&last=t2").expect(200);
    assert_eq!((last.json()["tags"].clone(), last.header("Link")), (json!(["t3"]), None));
}

/// OCI 1.1, listing tags: last; src/README.md: accept more.
#[test]
pub(crate) fn last_is_a_place_in_the_order_and_need_not_exist() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        retag(&mut client, &Image::of("app"), "group/app", &["b", "d", "f"]);
        for (query, tags) in [
            ("last=a", json!(["b", "d", "f"])),
            ("last=b", json!(["d", "f"])),
            ("last=c", json!(["d", "f"])),
            ("last=c&n=1", json!(["d"])),
            ("last=", json!(["b", "d", "f"])),
            ("last=f", json!([])),
            ("last=g&n=5", json!([])),
            ("n=0", json!([])),
            ("n=0&last=b", json!([])),
            ("n=1000000", json!(["b", "d", "f"])),
        ] {
            let answer = client.get(&format!("/v2/group/app/tags/list?{query}")).expect(200);
            assert_eq!(answer.json()["tags"], tags, "{query}");
            let more = query == "last=c&n=1";
            assert_eq!(next(&answer).is_some(), more, "{query}");
        }
    });
}

/// Distribution 3: tags.maxtags.
#[test]
fn a_page_has_at_most_the_configured_number_of_tags() {
    let settings = json!({ "tags": { "maxtags": 2 } });
    let registry = Registry::with(&settings);
    let mut client = registry.client();
    retag(&mut client, &Image::of("app"), "group/app", &["t1", "t2", "t3"]);
    let answer = client.get("/v2/group/app/tags/list?n=100").expect(200);
    assert_eq!(answer.json()["tags"], json!(["t1", "t2"]));
    assert_eq!(next(&answer).as_deref(), Some("/v2/group/app/tags/list?last=t2&n=2"));
    // Without `n` everything, as everybody expects.
    let all = client.get("/v2/group/app/tags/list").expect(200);
    assert_eq!(all.json()["tags"], json!(["t1", "t2", "t3"]));
}

/// 2.8: catalog (registry/storage/catalog.go).
#[test]
pub(crate) fn repositories_are_sorted_by_component_and_complete() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        for name in REPOSITORIES.iter().rev() {
            client.push_blob(name, b"bytes");
        }
        let answer = client.get("/v2/_catalog").expect(200);
        assert_eq!(answer.json(), json!({ "repositories": REPOSITORIES }));
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("Link"), None);
        for n in 1..=REPOSITORIES.len() + 1 {
            let found = walk(&mut client, "/v2/_catalog", "repositories", n);
            assert_eq!(found, REPOSITORIES, "n={n}");
        }
    });
}

/// 2.8: catalog (registry/storage/catalog.go, lessPath).
#[test]
pub(crate) fn the_catalog_goes_on_after_a_name_that_does_not_exist() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        for name in REPOSITORIES {
            client.push_blob(name, b"bytes");
        }
        for (last, first) in [
            ("0", Some("a")),
            ("a/a", Some("a/b")),
            ("a/b/b", Some("a/b/c")),
            ("a/b/c/d", Some("a/b-c")),
            ("a/z", Some("a-b")),
            ("b", Some("library/app")),
            ("library/app", None),
            ("zzz", None),
        ] {
            let answer = client.get(&format!("/v2/_catalog?n=1&last={last}")).expect(200);
            assert_eq!(
                answer.json()["repositories"].get(0).and_then(Value::as_str),
                first,
                "{last}"
            );
        }
    });
}

/// 2.8: catalog.
#[test]
pub(crate) fn a_catalog_without_repositories_is_an_empty_list() {
    on_each_driver(|registry| {
        let answer = registry.client().get("/v2/_catalog").expect(200);
        assert_eq!(answer.text(), r#"{"repositories":[]}"#);
    });
}

/// 2.8: a page without n has 100 entries; catalog.maxentries.
#[test]
fn a_catalog_has_a_hundred_entries_unless_more_are_asked_for() {
    let registry = Registry::with(&json!({ "catalog": { "maxentries": 103 } }));
    let mut client = registry.client();
    let names: Vec<_> = (0..105).map(|at| format!("r{at:03}")).collect();
    let digest = client.push_blob("r000", b"bytes");
    for name in &names[1..] {
        let target = format!("/v2/{name}/blobs/uploads/?mount={digest}&from=r000");
        client.ask(&Request::new("POST", target).body("")).expect(201);
    }
    let answer = client.get("/v2/_catalog").expect(200);
    assert_eq!(answer.json()["repositories"], json!(names[..100]));
    assert_eq!(next(&answer).as_deref(), Some("/v2/_catalog?last=r099&n=100"));
    let most = client.get("/v2/_catalog?n=103").expect(200);
    assert_eq!(most.json()["repositories"], json!(names[..103]));
    assert_eq!(client.get("/v2/_catalog?n=104").expect(400).codes(), ["PAGINATION_NUMBER_INVALID"]);
    assert_eq!(walk(&mut client, "/v2/_catalog", "repositories", 50), names);
}

/// 2.8 (registry/storage/catalog.go): a repository has a folder `_layers`.
#[test]
pub(crate) fn an_upload_alone_is_no_repository() {
    on_each_driver(|registry| {
        let mut client = registry.client();
        client.begin_upload("group/app");
        assert_eq!(client.get("/v2/_catalog").expect(200).text(), r#"{"repositories":[]}"#);
        let tags = client.get("/v2/group/app/tags/list").expect(404);
        assert_eq!(tags.codes(), ["NAME_UNKNOWN"]);
    });
}
