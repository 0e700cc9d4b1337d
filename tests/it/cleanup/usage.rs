//! `regctl du`: what takes the space.

use serde_json::{Value, json};

use super::site::{Site, push};
use crate::faults::{Image, Rng};

fn usage(site: &Site, arguments: &[&str]) -> Value {
    let ran = site.instance.run(&[&["du", "--json"], arguments].concat());
    assert_eq!(ran.exit, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn what_is_shared_is_told_from_what_is_not_and_sums_are_those_of_the_disk() {
    let site = Site::with("");
    let empty = usage(&site, &[]);
    assert_eq!((&empty["rows"], &empty["stored"]), (&json!([]), &json!(0)));
    let mut pusher = site.pusher();
    let shared = Image::new(&mut Rng::new(1), &[5000]);
    shared.push(&mut pusher, "group/one/a", "v1").unwrap();
    shared.push(&mut pusher, "group/one/b", "v1").unwrap();
    shared.push(&mut pusher, "group/two/c", "v1").unwrap();
    push(&mut pusher, "group/two/c", "own", "2026-01-01T00:00:00Z");
    let bytes = shared.blobs.iter().map(Vec::len).sum::<usize>() + shared.manifest.len();
    let by_project = usage(&site, &[]);
    let rows = by_project["rows"].as_array().unwrap();
    let names: Vec<&Value> = rows.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["group/two", "group/one"]);
    assert_eq!((&rows[1]["logical"], &rows[1]["unique"]), (&json!(bytes), &json!(0)));
    assert_eq!(rows[0]["shared"], json!(bytes));
    assert_eq!(
        rows[0]["unique"].as_u64().unwrap() + bytes as u64,
        by_project["stored"].as_u64().unwrap()
    );
    assert_eq!(usage(&site, &["--depth", "1"])["rows"][0]["unique"], by_project["stored"]);
    assert_eq!(usage(&site, &["--by", "repository"])["rows"].as_array().unwrap().len(), 3);
    let top = usage(&site, &["--by", "tag", "--top", "1"]);
    assert_eq!(top["rows"].as_array().unwrap().len(), 1);
    assert_eq!(top["left_out"], json!(3));
    // A tag that goes leaves its image to a collection.
    let own = usage(&site, &["--by", "repository"])["rows"][0]["unique"].clone();
    let target = "/v2/group/two/c/manifests/own";
    assert_eq!(pusher.delete(target).unwrap().status, 202);
    let after = usage(&site, &["--by", "repository"]);
    assert_eq!((&after["freed"], &after["freed_with_untagged"]), (&json!(0), &own));
    assert_eq!(after["rows"][0]["untagged"], own);
    let text = site.instance.run(&["du"]).stdout;
    assert!(text.contains("a collection would free 0 B, and with -m "), "{text}");
}
