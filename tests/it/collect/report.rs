//! What a collection says.

use serde_json::Value;

use super::{folder::Folder, plain};

/// Without the spaces at the ends of lines.
const SAID: &str = include_str!("dry-run.txt");

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let folder = Folder::with(plain);
    let before = folder.files();
    let ran = folder.collect(&["-m", "--dry-run"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let said: String = ran.stdout.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    assert_eq!(said, SAID);
    assert_eq!(folder.files(), before);
}

#[test]
fn json_lists_what_went_with_the_step_and_the_reason() {
    let folder = Folder::with(plain);
    let ran = folder.collect(&["-m", "--json"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["dry_run"], false, "{report}");
    for counts in ["eligible", "removed"] {
        let counts = &report[counts];
        let numbers = ["manifests", "tag_indexes", "layers", "blobs"].map(|it| &counts[it]);
        assert_eq!(numbers, [1, 1, 2, 3], "{report}");
    }
    let steps: Vec<_> =
        report["deletions"].as_array().unwrap().iter().map(|it| &it["step"]).collect();
    assert_eq!(
        steps,
        ["tag_indexes", "revisions", "layers", "layers", "blobs", "blobs", "blobs"],
        "{report}"
    );
    let gone = report["deletions"][1]["path"].as_str().unwrap();
    assert!(!folder.storage().join(gone).exists());
    assert!(
        gone.starts_with("docker/registry/v2/repositories/app/_manifests/revisions/"),
        "{gone}"
    );
}

#[test]
fn a_run_in_quarantine_can_be_undone() {
    let folder = Folder::with(plain);
    let before = folder.files();
    let ran = folder.collect(&["-m", "--quarantine", "7d", "--json"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_ne!(folder.files(), before);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let run = report["run"].as_str().unwrap();
    let undone = folder.collect(&["--undo", run]);
    assert_eq!(undone.exit, 0, "{undone:?}");
    assert_eq!(folder.files(), before);
    let again = folder.collect(&["--undo", run]);
    assert_ne!(again.exit, 0, "{again:?}");
    assert!(again.stderr.contains("there is no quarantine of a run"), "{}", again.stderr);
}

#[test]
fn what_cannot_be_read_is_kept_and_said() {
    let folder = Folder::with(plain);
    folder.write("repositories/odd/_manifests/tags/v1/current/link", b"no digest");
    folder.image("odd", "kept");
    let ran = folder.collect(&["-m"]);
    assert_eq!(ran.exit, 5, "{ran:?}");
    assert!(
        ran.stdout.contains("repositories/odd/_manifests/tags/v1/current/link"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("1 manifests eligible for deletion"), "{}", ran.stdout);
    let kept = folder.image("odd", "kept");
    assert!(folder.path(&super::revision("odd", &kept)).exists());
}
