//! Each kind of damage is found, and what can be is repaired; nothing else changes.

use std::fs;

use serde_json::json;

use super::{
    super::{Outcome, What},
    world::{World, descriptor, digest, image, outcomes, short, told, write},
};
use crate::verify::Report;

fn one_of(world: &World) -> oci::Digest {
    let link = world.tag_path("group/app", "v1", "current/link");
    fs::read_to_string(link).unwrap().parse().unwrap()
}

fn is_good(report: &Report) {
    assert_eq!(told(report), []);
    assert!(!report.is_left());
}

#[tokio::test]
async fn nothing_is_wrong_with_a_store_in_order() {
    let world = World::new();
    let report = world.read().await;
    is_good(&report);
    let names: Vec<_> = report.repositories.iter().filter_map(|it| it.name.as_deref()).collect();
    assert_eq!(names, ["bare", "group/app", "other"]);
    assert_eq!((report.blobs, report.hashed), (11, 11));
    let app = &report.repositories[1];
    assert_eq!((app.tags, app.manifests, app.blobs), (3, 4, 5));
}

#[tokio::test]
async fn a_corrupt_blob_goes_to_the_quarantine_and_a_push_brings_it_back() {
    let world = World::new();
    let layer = digest("only one");
    write(&world.blob_path(&layer), b"only 0ne");
    let path = format!("blobs/{}", short(&layer));
    let expected = (What::CorruptBlob, path.as_str(), &["both", "latest", "v1"][..]);
    let before = world.read().await;
    assert_eq!(before.findings().next().unwrap().tags, ["both", "latest", "v1"]);
    let report = world.repair().await;
    assert_eq!(outcomes(&report), [Outcome::Quarantined]);
    assert!(report.is_left());
    assert!(!world.blob_path(&layer).exists());
    let kept = walkdir::WalkDir::new(world.top("regctl-trash")).into_iter().map(Result::unwrap);
    let kept: Vec<_> = kept.filter(|it| it.file_name() == "data").collect();
    assert_eq!(fs::read(kept[0].path()).unwrap(), b"only 0ne");
    // The link stays: it is needed.
    let missing =
        (What::MissingBlob, path.clone(), vec!["both".into(), "latest".into(), "v1".into()]);
    assert_eq!(told(&world.read().await), [missing]);
    world.blob(b"only one");
    is_good(&world.read().await);
    assert_eq!(expected.0, What::CorruptBlob);
}

#[tokio::test]
async fn a_truncated_blob_that_nobody_needs_goes_with_its_link() {
    let world = World::new();
    let layer = world.blob(b"of a push that was given up");
    world.link(&world.layer_path("other", "of a push that was given up"), &layer);
    write(&world.blob_path(&layer), b"of a push");
    let name = short(&layer);
    let (blob, link) = (format!("blobs/{name}"), format!("other/_layers/{name}"));
    let expected = [
        (What::CorruptBlob, blob.as_str(), &[][..]),
        (What::DanglingLayerLink, link.as_str(), &[]),
    ];
    let report = world.heals(&expected, &["/data", "/_layers/"]).await;
    assert_eq!(outcomes(&report), [Outcome::Quarantined, Outcome::Repaired]);
    assert!(!report.is_left());
}

#[tokio::test]
async fn a_corrupt_blob_of_no_repository_is_found() {
    let world = World::new();
    let blob = world.blob(b"nobody's");
    write(&world.blob_path(&blob), b"nobody'z");
    let path = format!("blobs/{}", short(&blob));
    let report = world.heals(&[(What::CorruptBlob, &path, &[])], &["/data"]).await;
    assert_eq!(report.repositories.last().unwrap().name, None);
    assert!(!report.is_left());
}

#[tokio::test]
async fn a_missing_blob_under_a_tag_is_told_with_its_tags_and_its_link_stays() {
    let world = World::new();
    fs::remove_file(world.blob_path(&digest("shared"))).unwrap();
    let path = format!("blobs/{}", short(&digest("shared")));
    let report = world.repair().await;
    let app = &report.repositories[1];
    assert_eq!(app.broken_tags, ["both", "latest", "v1"]);
    assert!(app.findings.iter().all(|it| it.what == What::MissingBlob), "{:?}", app.findings);
    assert!(told(&report).iter().all(|it| it.1 == path));
    assert_eq!(report.repositories[2].broken_tags, ["v1"]);
    assert!(report.is_left() && !report.is_repairable());
    assert!(world.layer_path("group/app", "shared").exists());
}

#[tokio::test]
async fn a_dangling_layer_link_goes() {
    let world = World::new();
    world.link(&world.layer_path("other", "never came"), &digest("never came"));
    let path = format!("other/_layers/{}", short(&digest("never came")));
    let report = world.heals(&[(What::DanglingLayerLink, &path, &[])], &["/_layers/"]).await;
    assert!(!report.is_left());
    assert!(!world.layer_path("other", "never came").exists());
}

#[tokio::test]
async fn where_a_manifest_is_not_understood_no_link_goes() {
    let world = World::new();
    world.link(&world.layer_path("other", "never came"), &digest("never came"));
    let strange = serde_json::json!({"schemaVersion": 7});
    let manifest = world.manifest("other", &strange, &["strange"]);
    let expected = [
        (What::StrangeManifest, format!("other/_manifests/revisions/{}", short(&manifest))),
        (What::DanglingLayerLink, format!("other/_layers/{}", short(&digest("never came")))),
    ];
    let expected = [
        (expected[0].0, expected[0].1.as_str(), &["strange"][..]),
        (expected[1].0, expected[1].1.as_str(), &[]),
    ];
    let report = world.heals(&expected, &[]).await;
    assert!(report.is_left() && !report.is_repairable());
}

#[tokio::test]
async fn a_missing_layer_link_is_made_that_a_tagged_manifest_proves() {
    let world = World::new();
    let link = world.layer_path("group/app", "only one");
    fs::remove_dir_all(link.parent().unwrap()).unwrap();
    let path = format!("group/app/_layers/{}", short(&digest("only one")));
    let tags = &["both", "latest", "v1"][..];
    let report = world.heals(&[(What::MissingLayerLink, &path, tags)], &["/_layers/"]).await;
    assert!(!report.is_left());
    assert_eq!(fs::read_to_string(link).unwrap(), digest("only one").to_string());
}

#[tokio::test]
async fn a_missing_layer_link_is_made_that_history_proves_and_none_that_nothing_does() {
    let world = World::new();
    // `old` had the tag before; this one never had any.
    world.image("group/app", "never tagged", &["of that one"], &[]);
    let proved = world.layer_path("group/app", "{\"of\": \"old\"}");
    let unproved = world.layer_path("group/app", "of that one");
    fs::remove_file(&proved).unwrap();
    fs::remove_file(&unproved).unwrap();
    let report = world.repair().await;
    assert_eq!(
        report.findings().map(|it| it.what).collect::<Vec<_>>(),
        [What::MissingLayerLink; 2]
    );
    assert!(proved.exists() && !unproved.exists());
    assert_eq!(report.findings().filter(|it| it.is_left()).count(), 1);
}

#[tokio::test]
async fn what_has_urls_is_not_missed_and_gets_no_link() {
    let world = World::new();
    let config = "{\"of\": \"windows\"}";
    world.blob(config.as_bytes());
    world.link(&world.layer_path("other", config), &digest(config));
    let mut foreign = descriptor("base");
    foreign["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    foreign["urls"] = json!(["https://example.com/base"]);
    let mut elsewhere = descriptor("elsewhere");
    elsewhere["urls"] = json!(["https://example.com/elsewhere"]);
    world.manifest("other", &image(&descriptor(config), &[foreign, elsewhere]), &["windows"]);
    // Another repository has one of them.
    world.image("group/app", "four", &["base"], &["v4"]);
    is_good(&world.repair().await);
    assert!(!world.layer_path("other", "base").exists());
}

#[tokio::test]
async fn a_missing_entry_of_a_tags_history_is_made() {
    let world = World::new();
    let one = one_of(&world);
    let entry = world.tag_path("group/app", "v1", &format!("index/sha256/{}", one.to_hex()));
    fs::remove_dir_all(&entry).unwrap();
    let path = format!("group/app/_manifests/tags/index/{}", short(&one));
    let report = world.heals(&[(What::MissingTagIndex, &path, &[])], &["/index/"]).await;
    assert!(!report.is_left());
    assert_eq!(fs::read_to_string(entry.join("link")).unwrap(), one.to_string());
}

#[tokio::test]
async fn missing_folders_are_made() {
    let world = World::new();
    fs::remove_dir(world.repositories("bare/_layers")).unwrap();
    world.image("only/layers", "x", &[], &[]);
    fs::remove_dir_all(world.repositories("only/layers/_manifests")).unwrap();
    let expected = [
        (What::MissingFolder, "bare/_layers", &[][..]),
        (What::MissingFolder, "only/layers/_manifests/tags", &[]),
    ];
    let changed = ["bare/_layers", "only/layers/_manifests/tags"];
    let report = world.heals(&expected, &changed).await;
    assert!(!report.is_left());
}

#[tokio::test]
async fn links_that_lead_nowhere_are_written_anew_where_it_is_known_what_they_hold() {
    let world = World::new();
    let one = one_of(&world);
    let history = format!("index/sha256/{}/link", one.to_hex());
    write(&world.layer_path("group/app", "only one"), b"");
    write(&world.revision_path("group/app", &one), digest("another").to_string().as_bytes());
    write(&world.tag_path("group/app", "latest", "current/link"), format!("{one}\n").as_bytes());
    write(&world.tag_path("group/app", "v1", &history), b"sha256:half");
    // The manifest is known by its path, so what it needs is looked at when it is back.
    let name = short(&one);
    let revision = format!("group/app/_manifests/revisions/{name}");
    let first = world.repair().await;
    let found: Vec<_> = told(&first).into_iter().map(|(what, path, _)| (what, path)).collect();
    let dangling = format!("group/app/_layers/{}", short(&digest("only one")));
    assert!(found.contains(&(What::BadLink, revision)), "{found:?}");
    assert!(!found.contains(&(What::DanglingLayerLink, dangling)), "{found:?}");
    let second = world.repair().await;
    assert!(!second.is_left(), "{second:?}");
    is_good(&world.read().await);
    let read = |path| fs::read_to_string(path).unwrap();
    assert_eq!(read(world.layer_path("group/app", "only one")), digest("only one").to_string());
    assert_eq!(read(world.revision_path("group/app", &one)), one.to_string());
    assert_eq!(read(world.tag_path("group/app", "latest", "current/link")), one.to_string());
    assert_eq!(read(world.tag_path("group/app", "v1", &history)), one.to_string());
}

#[tokio::test]
async fn a_link_of_a_tag_that_says_nothing_stays_and_is_told() {
    let world = World::new();
    write(&world.tag_path("other", "v1", "current/link"), b"");
    fs::remove_file(world.tag_path("group/app", "latest", "current/link")).unwrap();
    let expected = [
        (What::TagWithoutLink, "group/app/_manifests/tags/latest", &["latest"][..]),
        (What::BadLink, "other/_manifests/tags", &["v1"]),
    ];
    let report = world.heals(&expected, &[]).await;
    assert_eq!(report.repositories[1].broken_tags, ["latest"]);
    assert!(!report.is_repairable());
}

#[tokio::test]
async fn an_indexs_child_that_the_repository_has_not_is_told() {
    let world = World::new();
    let one = one_of(&world);
    fs::remove_file(world.revision_path("group/app", &one)).unwrap();
    let path = format!("group/app/_manifests/revisions/{}", short(&one));
    let report = world.repair().await;
    let expected = [
        (What::MissingManifest, path.clone(), vec!["latest".to_owned()]),
        (What::MissingManifest, path.clone(), vec!["v1".to_owned()]),
        (What::MissingChild, path, vec!["both".to_owned()]),
    ];
    assert_eq!(told(&report), expected);
    assert_eq!(report.repositories[1].broken_tags, ["both", "latest", "v1"]);
    assert!(report.is_left() && !report.is_repairable());
}

#[tokio::test]
async fn a_corrupt_manifest_breaks_its_tags_and_those_of_its_index() {
    let world = World::new();
    let one = one_of(&world);
    let bytes = fs::read(world.blob_path(&one)).unwrap();
    write(&world.blob_path(&one), &[bytes.as_slice(), b" "].concat());
    let report = world.repair().await;
    let path = format!("blobs/{}", short(&one));
    let tags = ["both", "latest", "v1"].map(str::to_owned).to_vec();
    assert_eq!(told(&report), [(What::CorruptBlob, path, tags)]);
    assert_eq!(outcomes(&report), [Outcome::Quarantined]);
    assert!(report.is_left());
    world.blob(&bytes);
    is_good(&world.read().await);
}

#[tokio::test]
async fn a_repair_that_is_not_right_any_more_is_not_made() {
    let world = World::new();
    let link = world.layer_path("group/app", "only one");
    fs::remove_file(&link).unwrap();
    world.link(&world.layer_path("other", "never came"), &digest("never came"));
    let corrupt = digest("shared");
    write(&world.blob_path(&corrupt), b"scared");
    let mut report = world.read().await;
    // Meanwhile the manifest goes, the blob comes, and the other one is put right.
    let one = one_of(&world);
    fs::remove_file(world.revision_path("group/app", &one)).unwrap();
    world.blob(b"never came");
    world.blob(b"shared");
    let files = world.files();
    let mut mender = super::super::Mender::alone(&world.config()).await.unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    report.repair(&mut mender, &stop, &mut |_| ()).await.unwrap();
    mender.close().await;
    let repairable: Vec<_> = report.findings().filter(|it| it.repairable).collect();
    assert!(repairable.len() >= 3);
    for finding in repairable {
        assert_eq!(finding.outcome, Outcome::Changed, "{finding:?}");
    }
    assert_eq!(world.files(), files);
}

#[tokio::test]
async fn a_link_that_cannot_be_read_is_told_with_the_tags_that_need_it_and_stays() {
    let world = World::new();
    let link = world.layer_path("group/app", "only one");
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    let path = format!("group/app/_layers/{}", short(&digest("only one")));
    let tags = &["both", "latest", "v1"][..];
    let report = world.heals(&[(What::Unreadable, &path, tags)], &[]).await;
    assert!(report.is_left() && !report.is_repairable());
    assert!(link.is_dir());
}

#[tokio::test]
async fn upstreams_links_of_sha512_lead_to_other_digests() {
    let world = World::new();
    let own = oci::Digest::of(oci::Algorithm::Sha512, b"long");
    let link = format!("other/_layers/sha512/{}/link", own.to_hex());
    world.link(&world.repositories(&link), &digest("long"));
    world.blob(b"long");
    let config = "{}";
    world.blob(config.as_bytes());
    world.link(&world.layer_path("other", config), &digest(config));
    let layer =
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": own, "size": 4});
    world.manifest("other", &image(&descriptor(config), &[layer]), &["long"]);
    is_good(&world.repair().await);
    write(&world.blob_path(&digest("long")), b"lang");
    let report = world.read().await;
    let path = format!("blobs/{}", short(&digest("long")));
    assert_eq!(told(&report), [(What::CorruptBlob, path, vec!["long".to_owned()])]);
}

#[tokio::test]
async fn a_cache_lacks_nothing() {
    let world = World::new();
    let one = one_of(&world);
    fs::remove_dir_all(world.layer_path("group/app", "only one").parent().unwrap()).unwrap();
    fs::remove_file(world.blob_path(&digest("shared"))).unwrap();
    fs::remove_file(world.revision_path("group/app", &one)).unwrap();
    write(&world.blob_path(&digest("only one")), b"0nly one");
    let config = world.config_with("proxy: {remoteurl: 'http://127.0.0.1:1'}\n");
    let mut state = world.state(100.0, true);
    let report = world.read_as(&config, &mut state, &mut |_| ()).await;
    let whats: Vec<_> = report.findings().map(|it| it.what).collect();
    assert_eq!(whats, [What::CorruptBlob], "{report:#?}");
    assert!(world.read().await.findings().count() > 3);
}
