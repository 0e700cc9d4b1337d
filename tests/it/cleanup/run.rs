//! Runs beside a registry that serves.

use std::{collections::BTreeSet, fs, process::Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use super::{
    alone::ALL,
    site::{COMMAND, Site, push},
};
use crate::{
    supervise::{pid, send},
    support::{daemon::Log, receiver::Receiver},
};

const NIGHTLY: &str = "[[cleanup_policy]]\nname = \"nightly\"\nrepositories = [\"**\"]\nkeep_n = 1\nolder_than = \"30d\"\n\
    protected_tags = \"stable\"\n";

/// Tags of all kinds; returns the digest of `old`.
fn fill(site: &Site) -> String {
    let mut pusher = site.pusher();
    let digest = push(&mut pusher, "group/app", "old", "2020-01-02T03:04:05Z");
    push(&mut pusher, "group/app", "older", "2019-01-02T03:04:05Z");
    push(&mut pusher, "group/app", "newest", "2021-01-02T03:04:05Z");
    push(&mut pusher, "group/app", "stable", "2018-01-02T03:04:05Z");
    push(&mut pusher, "group/app", "latest", "2018-01-02T03:04:05Z");
    // Reproducible: its push counts.
    push(&mut pusher, "group/app", "zero", "1970-01-01T00:00:00Z");
    let hex = digest.strip_prefix("sha256:").unwrap();
    push(&mut pusher, "group/app", &format!("sha256-{hex}.sig"), "2020-01-02T03:04:05Z");
    digest
}

#[test]
fn what_the_preview_says_is_what_the_run_does() {
    let site = Site::with(NIGHTLY);
    let digest = fill(&site);
    let before = site.tags("group/app");
    let preview = site.json(&["preview"]);
    assert_eq!(site.tags("group/app"), before);
    let signature = format!("sha256-{}.sig", digest.strip_prefix("sha256:").unwrap());
    let decisions = Site::decisions(&preview, "group/app");
    let said = |tag: &str| {
        let found = decisions.iter().find(|(name, _)| name == tag);
        found.unwrap_or_else(|| panic!("{tag}: {decisions:?}")).1.clone()
    };
    assert_eq!(said("latest"), "kept: latest");
    assert_eq!(said("zero"), "kept: keep_n 1/1");
    assert_eq!(said("old"), "deleted: older than 30d (created 2020-01-02, from image config)");
    assert_eq!(said("stable"), "kept: protected `stable`");
    assert_eq!(said(&signature), "deleted: its subject has no tag left");
    let freed = preview["freed"].as_u64().unwrap();
    assert!(freed > 0);
    let going: BTreeSet<_> = decisions.iter().filter(|(_, it)| it.starts_with("deleted")).collect();
    let csv = site.good(&["preview", "--csv"]).stdout;
    assert!(
        csv.starts_with("repository,tag,digest,date,date_source,decision,rule,policy\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), before.len() + 1);
    let text = site.good(&["preview"]).stdout;
    assert!(text.contains("group/app: 4 of 7 would go\n"), "{text}");
    let ran = site.good(&["run"]);
    assert!(ran.stdout.contains("4 tags went, 3 stay\n"), "{ran:?}");
    let after = site.tags("group/app");
    let gone: BTreeSet<_> = before.iter().filter(|tag| !after.contains(tag)).collect();
    assert_eq!(gone, going.iter().map(|(tag, _)| tag).collect());
    for tag in &after {
        site.is_pulled("group/app", tag);
    }
    // What a collection then frees is what was said.
    let collected = site.instance.run(&["registry-garbage-collect", "-m", "--json"]);
    let collected: serde_json::Value = serde_json::from_str(&collected.stdout).unwrap();
    assert_eq!(collected["removed"]["bytes"], json!(freed));
    for tag in after {
        site.is_pulled("group/app", &tag);
    }
}

#[test]
fn a_policy_runs_when_it_is_due_and_list_status_and_log_know_of_it() {
    let site = Site::with(NIGHTLY);
    fill(&site);
    assert!(site.good(&["list"]).stdout.contains("never"));
    site.good(&["run", "--quiet"]);
    let listed = site.json(&["list"]);
    let policy = &listed["policies"][0];
    assert_eq!((&policy["deleted"], &policy["kept"]), (&json!(4), &json!(3)));
    assert_eq!((&policy["due"], &policy["result"]), (&json!(false), &json!("done")));
    assert!(policy["next"].is_string(), "{policy}");
    let status = site.instance.run(&["status"]).stdout;
    assert!(status.contains("  cleanup policy nightly: done at 20"), "{status}");
    let log = site.instance.world.read("var/log/regctl/cleanup/current");
    assert!(log.contains("group/app:old sha256:"), "{log}");
    assert!(
        log.contains("(nightly: older than 30d (created 2020-01-02, from image config))"),
        "{log}"
    );
    // It is not due any more.
    push(&mut site.pusher(), "group/app", "ancient", "2015-01-01T00:00:00Z");
    let ran = site.good(&["run"]);
    assert!(ran.stdout.contains("no policy is due"), "{ran:?}");
    assert!(site.tags("group/app").contains(&"ancient".to_owned()));
    site.good(&["run", "--now", "--repository", "other/**"]);
    assert!(site.tags("group/app").contains(&"ancient".to_owned()));
    site.good(&["run", "nightly", "--now"]);
    assert!(!site.tags("group/app").contains(&"ancient".to_owned()));
}

#[test]
fn a_run_can_be_undone_while_the_manifests_are_there() {
    let site = Site::with(NIGHTLY);
    fill(&site);
    let before = site.tags("group/app");
    site.good(&["run", "--quiet"]);
    let run = site.json(&["list"])["policies"][0]["run"].as_str().unwrap().to_owned();
    // Somebody has used the name since.
    push(&mut site.pusher(), "group/app", "old", "2026-01-01T00:00:00Z");
    let undone = site.good(&["undo", &run]);
    assert!(undone.stdout.contains("group/app:old is there"), "{undone:?}");
    assert!(undone.stdout.contains("3 tags are back"), "{undone:?}");
    assert_eq!(site.tags("group/app"), before);
    for tag in before {
        site.is_pulled("group/app", &tag);
    }
    let unknown = site.run(&["undo", "20260101T000000Z-00000000"]);
    assert_eq!(unknown.exit, 1, "{unknown:?}");
}

#[test]
fn a_run_with_gc_frees_the_space_and_tells_of_the_tags() {
    let receiver = Receiver::start(200);
    let notified = format!(
        "[[registry.notifications]]\nname = \"hook\"\nurl = \"{}\"\n\
         ignore = {{ actions = [\"push\", \"pull\", \"mount\"] }}\n",
        receiver.url()
    );
    let site = Site::with(&format!("{notified}{NIGHTLY}"));
    fill(&site);
    let before = site.instance.store().blobs().len();
    site.good(&["run", "--gc"]);
    let mut tags: Vec<String> = receiver
        .take(4)
        .into_iter()
        .map(|(_, event)| event["target"]["tag"].as_str().unwrap().to_owned())
        .collect();
    tags.sort();
    assert!(tags.contains(&"old".to_owned()) && tags.contains(&"older".to_owned()), "{tags:?}");
    // Manifest, configuration and layer of each.
    assert_eq!(site.instance.store().blobs().len(), before - 4 * 3);
    assert_eq!(site.instance.store().problems(), [""; 0]);
}

#[test]
fn a_run_with_gc_says_one_document_and_frees_what_was_forecast() {
    let site = Site::with(NIGHTLY);
    fill(&site);
    let forecast = site.json(&["preview"])["freed"].clone();
    // Another document, or anything else beside it, is no JSON.
    let said = site.json(&["run", "--gc"]);
    assert_eq!(said["schema"], json!(1));
    let decisions = Site::decisions(&said["cleanup"], "group/app");
    assert_eq!(decisions.iter().filter(|(_, it)| it.starts_with("deleted")).count(), 4, "{said}");
    assert_eq!(said["collection"]["removed"]["bytes"], forecast, "{said}");
    let idle = site.json(&["run", "--gc"]);
    assert_eq!(idle["due"], json!([]), "{idle}");
}

#[test]
fn a_registry_that_is_read_only_keeps_its_tags_and_the_policy_stays_due() {
    let site = Site::with(NIGHTLY);
    fill(&site);
    let before = site.tags("group/app");
    assert_eq!(site.instance.run(&["set-readonly", "on"]).exit, 0);
    let ran = site.run(&["run", "--quiet"]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stderr.contains("read-only"), "{ran:?}");
    assert_eq!(site.tags("group/app"), before);
    let listed = site.json(&["list"]);
    assert_eq!(listed["policies"][0]["due"], json!(true));
    assert_eq!(listed["policies"][0]["result"], json!("failed"));
    assert_eq!(site.instance.run(&["set-readonly", "off"]).exit, 0);
    site.good(&["run", "--quiet"]);
    assert!(site.tags("group/app").len() < before.len());
}

#[test]
fn one_that_is_told_to_stop_ends_its_batch_says_how_far_it_is_and_the_next_one_does_the_rest() {
    const TAGS: usize = 1100;
    let site = Site::with(ALL);
    let mut pusher = site.pusher();
    push(&mut pusher, "app", "v0", "2020-01-02T03:04:05Z");
    let manifest = pusher.get("/v2/app/manifests/v0").unwrap().body;
    for number in 1..TAGS {
        let answer = pusher.push_manifest("app", &format!("v{number}"), &manifest);
        assert_eq!(answer.unwrap().status, 201);
    }
    let mut command = site.instance.world.command(&[COMMAND, "run"]);
    let mut command = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = Log::follow(command.stderr.take().unwrap());
    let runs = site.instance.world.path("var/opt/regctl/state/cleanup");
    let has_begun = || {
        let names = fs::read_dir(&runs).into_iter().flatten().map(|entry| entry.unwrap());
        names.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".json"))
    };
    site.instance.until("what goes is written down", has_begun);
    // The batch that is under way does not end before the command has heard.
    let registry = pid(&site.instance.registry());
    send(registry, Signal::SIGSTOP);
    send(command.id().try_into().unwrap(), Signal::SIGTERM);
    log.wait_for("told to stop: ends what is in hand");
    send(registry, Signal::SIGCONT);
    let said = log.wait_for("tags had their turn");
    assert_eq!(command.wait().unwrap().code(), Some(1));
    let left = site.tags("app").len();
    assert!(said.contains(&format!("stopped: {} of {TAGS} tags", TAGS - left)), "{left}: {said}");
    assert!(left > 0 && left < TAGS, "{left}");
    let ran = site.good(&["run", "--now"]);
    assert!(ran.stdout.contains(&format!("{left} tags went, 0 stay")), "{ran:?}");
}
