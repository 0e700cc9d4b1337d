//! What is odd in a store, and keeps what could be needed.

use std::os::unix::fs::symlink;

use oci::{Algorithm, Digest, Tag};
use serde_json::json;
use storage::Disposal;

use super::folder::{Folder, IMAGE, blob, descriptor, image, layer, options, revision};
use crate::collect::{Empty, Note, Options, Step, Untagged, survey};

const REMOVE: Untagged = Untagged::Remove;
const KEEP: Untagged = Untagged::Keep;

#[tokio::test]
async fn an_untagged_image_goes_and_a_tagged_one_stays() {
    let folder = Folder::new();
    let (old, new) = (folder.image("app", "old"), folder.image("app", "new"));
    folder.tag("app", "v1", &old);
    folder.tag("app", "v1", &new);
    let (plan, _) = folder.collect(KEEP).await;
    assert!(plan.is_empty());
    let (plan, swept) = folder.collect(REMOVE).await;
    let counts = plan.counts();
    assert_eq!((counts.manifests, counts.tag_indexes, counts.layers, counts.blobs), (1, 1, 2, 3));
    assert_eq!((swept.removed, swept.vanished), (counts, 0));
    assert!(counts.bytes > 0);
    folder.assert_pulls("app", "v1");
    assert!(!folder.exists(&blob(&old)) && !folder.exists(&revision("app", &old)));
    let hex = old.hex();
    for gone in [
        format!("blobs/sha256/{}/{hex}", &hex.as_str()[..2]),
        format!("repositories/app/_manifests/revisions/sha256/{hex}"),
        format!("repositories/app/_manifests/tags/v1/index/sha256/{hex}"),
    ] {
        assert!(!folder.exists(&gone), "{gone}");
    }
    assert!(folder.plan(REMOVE).await.is_empty());
}

#[tokio::test]
async fn an_empty_store_has_nothing_to_collect() {
    let folder = Folder::new();
    assert!(folder.collect(REMOVE).await.0.is_empty());
    folder.write("repositories/app/_uploads/x", b"");
    let plan = folder.plan(REMOVE).await;
    assert_eq!((plan.is_empty(), plan.notes().keeping()), (true, 0));
}

#[tokio::test]
async fn blobs_without_any_folder_of_repositories_stay() {
    let folder = Folder::new();
    let image = folder.image("app", "old");
    let repositories = folder.top().join("repositories");
    std::fs::rename(&repositories, repositories.with_extension("away")).unwrap();
    let refused = survey::plan(&folder.open(), &options(REMOVE), &|_| false, &mut |_| {}).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("has 3 blobs") && refused.contains("no repositories"), "{refused}");
    assert!(folder.exists(&blob(&image)));
    // A folder that is there and empty says that there are none any more.
    std::fs::create_dir(&repositories).unwrap();
    assert_eq!(folder.collect(REMOVE).await.0.counts().blobs, 3);
}

#[tokio::test]
async fn the_folders_of_an_emptied_repository_stay() {
    let folder = Folder::new();
    folder.image("app", "untagged");
    folder.write("repositories/app/_manifests/tags/.keep", b"");
    folder.remove("repositories/app/_manifests/tags/.keep");
    folder.collect(REMOVE).await;
    for part in ["_layers", "_manifests", "_manifests/tags", "_manifests/revisions"] {
        assert!(folder.exists(&format!("repositories/app/{part}")), "{part}");
    }
    assert_eq!(folder.files().len(), 0);
}

#[tokio::test]
async fn an_emptied_repository_goes_whole_if_asked() {
    let folder = Folder::new();
    folder.image("group/app", "untagged");
    let base = folder.layer("group/app", "base");
    folder.layer("kept", "base");
    let config = folder.layer("kept", "{}");
    let kept = folder.manifest("kept", &image(&config, &[base]));
    folder.tag("kept", "v1", &kept);
    // One that holds another one with content.
    folder.image("outer", "untagged");
    let inner = folder.image("outer/inner", "tagged");
    folder.tag("outer/inner", "v1", &inner);
    // One with something in it that nobody knows.
    folder.image("odd", "untagged");
    folder.write("repositories/odd/notes.txt", b"do not delete");
    let within = "repositories/within/_manifests/tags/notes.txt";
    folder.image("within", "untagged");
    folder.write(within, b"do not delete");
    let asked = Options { empty: Empty::Remove, ..options(REMOVE) };
    let (plan, swept) = folder.collect_with(&asked, &Disposal::Delete).await;
    assert_eq!((plan.counts().repositories, swept.removed.repositories, swept.occupied), (4, 1, 3));
    for occupant in ["repositories/outer/inner", "repositories/odd/notes.txt", within] {
        let path = format!("docker/registry/v2/{occupant}");
        assert!(swept.occupants.contains(&path), "{path} is not in {:?}", swept.occupants);
    }
    assert!(folder.exists(within));
    assert!(!folder.exists("repositories/group"));
    assert!(
        folder.exists("repositories/outer/_layers") && folder.exists("repositories/odd/_layers")
    );
    folder.assert_pulls("kept", "v1");
    folder.assert_pulls("outer/inner", "v1");
    let again = folder.collect_with(&asked, &Disposal::Delete).await.1;
    assert_eq!((again.removed.repositories, again.occupied), (0, 3));
}

#[tokio::test]
async fn children_of_an_index_are_followed_where_they_are_held() {
    let folder = Folder::new();
    // Case c: an index in `aa` names a child that is in `zz` only, whose layers a tagged index there needs.
    let child = folder.image("zz", "child");
    let there = folder.index("zz", &[child]);
    folder.tag("zz", "v1", &there);
    let sparse = folder.index("aa", &[child, Digest::of(Algorithm::Sha256, b"elsewhere")]);
    folder.tag("aa", "v1", &sparse);
    let nested = folder.index("aa", &[sparse]);
    folder.tag("aa", "nested", &nested);
    assert!(folder.plan(REMOVE).await.is_empty());
    // The sparse index alone keeps it as well.
    folder.remove("repositories/zz/_manifests/tags/v1");
    folder.collect(REMOVE).await;
    assert!(folder.exists(&blob(&child)) && folder.exists(&revision("zz", &child)));
    assert!(!folder.exists(&blob(&there)));
}

#[tokio::test]
async fn a_link_goes_with_the_last_manifest_that_needs_its_blob_anywhere() {
    // Case h: the outcome does not depend on the order of repositories.
    for (live, other) in [("aa", "zz"), ("zz", "aa")] {
        let folder = Folder::new();
        let tagged = folder.image(live, "same");
        folder.tag(live, "v1", &tagged);
        folder.image(other, "same");
        folder.collect(REMOVE).await;
        let blob_of_both = Digest::of(Algorithm::Sha256, b"layer of same");
        assert!(folder.exists(&layer(live, &blob_of_both)));
        assert!(folder.exists(&layer(other, &blob_of_both)));
        assert!(!folder.exists(&revision(other, &tagged)));
    }
}

#[tokio::test]
async fn a_deleted_child_of_an_index_keeps_its_content() {
    // Case i: the child's link was deleted by the API, the index still leads to it.
    let folder = Folder::new();
    let child = folder.image("app", "child");
    let index = folder.index("app", &[child]);
    folder.tag("app", "v1", &index);
    folder.remove(&revision("app", &child));
    for untagged in [KEEP, REMOVE] {
        folder.collect(untagged).await;
    }
    let layer_of_child = Digest::of(Algorithm::Sha256, b"layer of child");
    assert!(folder.exists(&blob(&child)) && folder.exists(&blob(&layer_of_child)));
    assert!(folder.exists(&layer("app", &layer_of_child)));
}

#[tokio::test]
async fn referrers_stay_with_their_subject_and_go_in_the_collection_after_it() {
    let folder = Folder::new();
    let subject = folder.image("app", "subject");
    folder.tag("app", "v1", &subject);
    let empty = folder.layer("app", "{}");
    let mut signature = image(&empty, &[folder.layer("app", "signature")]);
    signature["subject"] = descriptor(IMAGE, &subject);
    let signature = folder.manifest("app", &signature);
    // One that no tag lists, about the first.
    let mut second = image(&empty, &[folder.layer("app", "of the signature")]);
    second["subject"] = descriptor(IMAGE, &signature);
    let second = folder.manifest("app", &second);
    let list = folder.index("app", &[signature]);
    let fallback = Tag::of_referrers(&subject);
    folder.tag("app", fallback.as_str(), &list);
    // Cosign's older form is a tag like any other.
    let plain = folder.image("app", "plain");
    folder.tag("app", &format!("{fallback}.sig"), &plain);
    assert!(folder.plan(REMOVE).await.is_empty());

    folder.remove("repositories/app/_manifests/tags/v1");
    folder.collect(REMOVE).await;
    assert!(!folder.exists(&blob(&subject)));
    assert!(folder.exists(&blob(&signature)) && folder.exists(&blob(&second)));
    folder.assert_pulls("app", fallback.as_str());

    let (plan, _) = folder.collect(REMOVE).await;
    assert_eq!((plan.counts().tags, plan.counts().manifests), (1, 3));
    assert!(!folder.exists(&format!("repositories/app/_manifests/tags/{fallback}")));
    assert!(!folder.exists(&blob(&signature)) && !folder.exists(&blob(&second)));
    folder.assert_pulls("app", &format!("{fallback}.sig"));
    assert!(folder.plan(REMOVE).await.is_empty());
}

#[tokio::test]
async fn a_tag_that_only_looks_like_one_of_referrers_is_a_tag() {
    let folder = Folder::new();
    let image = folder.image("app", "by digest");
    let gone = Digest::of(Algorithm::Sha256, b"gone");
    folder.tag("app", Tag::of_referrers(&gone).as_str(), &image);
    assert!(folder.plan(REMOVE).await.is_empty());
}

#[tokio::test]
async fn a_link_that_cannot_be_read_keeps_its_repository_and_no_other() {
    for (text, reason) in
        [("", "is empty"), ("sha256:zz", "holds no digest"), ("x\n", "holds no digest")]
    {
        for at in ["_manifests/tags/v1/current/link", "_manifests/revisions/sha256/HEX/link"] {
            let folder = Folder::new();
            let image = folder.image("broken", "untagged");
            let at = at.replace("HEX", image.hex().as_str());
            folder.write(&format!("repositories/broken/{at}"), text.as_bytes());
            let other = folder.image("other", "other");
            let (plan, _) = folder.collect(REMOVE).await;
            let path = format!("docker/registry/v2/repositories/broken/{at}");
            let note = Note::Link { path, reason: reason.to_owned() };
            assert_eq!(plan.notes().listed(), [note]);
            assert_eq!(plan.kept().blobs, 3, "{text:?} {at}");
            assert!(folder.exists(&blob(&image)));
            assert!(
                folder
                    .exists(&layer("broken", &Digest::of(Algorithm::Sha256, b"layer of untagged")))
            );
            assert!(!folder.exists(&blob(&other)));
        }
    }
}

#[tokio::test]
async fn a_link_with_an_end_of_line_counts_and_is_told() {
    let folder = Folder::new();
    let image = folder.image("app", "tagged");
    folder.tag("app", "v1", &image);
    let untagged = folder.image("app", "untagged");
    let link = "repositories/app/_manifests/tags/v1/current/link";
    folder.write(link, format!("{image}\n").as_bytes());
    let (plan, _) = folder.collect(REMOVE).await;
    let path = format!("docker/registry/v2/{link}");
    assert_eq!(plan.notes().listed(), [Note::Crooked { path }]);
    assert!(folder.exists(&blob(&image)) && !folder.exists(&blob(&untagged)));
}

#[tokio::test]
async fn a_manifest_that_is_not_understood_keeps_its_repository() {
    for document in ["{", "[]", "{}", "{\"schemaVersion\":2,\"mediaType\":\"text/plain\"}"] {
        let folder = Folder::new();
        let loose = folder.layer("app", "loose");
        let elsewhere = folder.layer("other", "elsewhere");
        let torn = folder.blob(document.as_bytes());
        folder.write(&revision("app", &torn), torn.to_string().as_bytes());
        let (plan, _) = folder.collect(REMOVE).await;
        assert!(matches!(plan.notes().listed(), [Note::Manifest { .. }]), "{document}");
        assert!(folder.exists(&blob(&loose)) && folder.exists(&layer("app", &loose)));
        assert!(!folder.exists(&blob(&elsewhere)));
    }
}

#[tokio::test]
async fn a_tag_without_its_manifest_keeps_the_repository_and_an_untagged_link_does_not() {
    let folder = Folder::new();
    let tagged = folder.image("tagged", "one");
    folder.tag("tagged", "v1", &tagged);
    folder.remove(&blob(&tagged));
    let untagged = folder.image("untagged", "two");
    folder.remove(&blob(&untagged));
    let (plan, _) = folder.collect(KEEP).await;
    assert_eq!((plan.notes().keeping(), plan.is_empty()), (2, true));
    folder.collect(REMOVE).await;
    assert!(folder.exists(&blob(&Digest::of(Algorithm::Sha256, b"layer of one"))));
    assert!(!folder.exists(&blob(&Digest::of(Algorithm::Sha256, b"layer of two"))));
    assert!(!folder.exists(&revision("untagged", &untagged)));
}

#[tokio::test]
async fn sha512_content_and_alias_links_are_kept() {
    let folder = Folder::new();
    let sha512 = |bytes: &[u8]| Digest::of(Algorithm::Sha512, bytes);
    // Native: as this registry writes it.
    let native = sha512(b"native");
    folder.write(&blob(&native), b"native");
    folder.write(&layer("app", &native), native.to_string().as_bytes());
    // An alias: the bytes are stored by their sha256.
    let stored = folder.blob(b"alias");
    let alias = sha512(b"alias");
    folder.write(&layer("app", &alias), stored.to_string().as_bytes());
    let config = folder.layer("app", "{}");
    let document = image(&config, &[native, alias]);
    let bytes = document.to_string();
    let by_alias = folder.blob(bytes.as_bytes());
    let manifest = sha512(bytes.as_bytes());
    folder.write(&revision("app", &manifest), by_alias.to_string().as_bytes());
    folder.tag("app", "v1", &manifest);
    let tag = "repositories/app/_manifests/tags/v1/current/link";
    folder.write(tag, manifest.to_string().as_bytes());
    let loose = sha512(b"loose");
    folder.write(&blob(&loose), b"loose");
    folder.write(&layer("app", &loose), loose.to_string().as_bytes());
    let before = folder.files();
    folder.collect(REMOVE).await;
    let gone: Vec<_> = before.into_keys().filter(|path| !folder.exists(path)).collect();
    assert_eq!(gone, [blob(&loose), layer("app", &loose)]);
}

#[tokio::test]
async fn schema_1_foreign_layers_and_embedded_data_keep_what_is_there() {
    let folder = Folder::new();
    let base = folder.layer("app", "base");
    let schema1 = json!({ "schemaVersion": 1, "fsLayers": [{ "blobSum": base }] });
    let schema1 = folder.manifest("app", &schema1);
    folder.tag("app", "old", &schema1);
    let config = folder.layer("app", "{}");
    let foreign = folder.layer("app", "foreign");
    let mut document = image(&config, &[foreign, Digest::of(Algorithm::Sha256, b"not here")]);
    document["layers"][0]["urls"] = json!(["https://example.com/foreign"]);
    document["layers"][1]["data"] = json!("bm90IGhlcmU=");
    let with_foreign = folder.manifest("app", &document);
    folder.tag("app", "foreign", &with_foreign);
    let plan = folder.plan(REMOVE).await;
    assert_eq!((plan.is_empty(), plan.notes().total()), (true, 0));
}

#[tokio::test]
async fn repositories_without_tags_or_layers_are_collected_like_others() {
    // Cases d and e: 2.8.2 gives up on the first, 3 on the second.
    let folder = Folder::new();
    let by_digest = folder.image("no-tags", "one");
    let bare = folder.image("no-layers", "two");
    folder.remove("repositories/no-layers/_layers");
    assert!(folder.plan(KEEP).await.is_empty());
    folder.collect(REMOVE).await;
    assert!(!folder.exists(&blob(&by_digest)) && !folder.exists(&blob(&bare)));
}

#[tokio::test]
async fn an_open_upload_keeps_the_links_that_are_younger() {
    let id = "0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5";
    for (started, stays) in
        [("2001-01-01T00:00:00Z", true), ("2999-01-01T00:00:00Z", false), ("soon", true)]
    {
        let folder = Folder::new();
        let pushed = folder.layer("app", "pushed already");
        let upload = format!("repositories/app/_uploads/{id}");
        folder.write(&format!("{upload}/startedat"), started.as_bytes());
        folder.write(&format!("{upload}/data"), b"half");
        let elsewhere = folder.layer("other", "loose");
        folder.collect(REMOVE).await;
        let is_there = folder.exists(&blob(&pushed)) && folder.exists(&layer("app", &pushed));
        assert_eq!(is_there, stays, "{started}");
        assert!(!folder.exists(&blob(&elsewhere)));
        assert!(folder.exists(&format!("{upload}/data")));
    }
}

#[tokio::test]
async fn what_is_younger_than_the_grace_stays() {
    let folder = Folder::new();
    let image = folder.image("app", "untagged");
    let loose = folder.layer("app", "loose");
    let bytes = folder.blob(b"bytes alone");
    let hour = std::time::Duration::from_secs(3600);
    let young = Options { grace: Some(hour), ..options(REMOVE) };
    let (plan, _) = folder.collect_with(&young, &Disposal::Delete).await;
    assert!(plan.is_empty());
    let old = std::time::SystemTime::now() - 2 * hour;
    for path in [blob(&loose), layer("app", &loose), blob(&bytes)] {
        let file = std::fs::File::options().write(true).open(folder.top().join(path)).unwrap();
        file.set_modified(old).unwrap();
    }
    folder.collect_with(&young, &Disposal::Delete).await;
    assert!(!folder.exists(&blob(&loose)) && !folder.exists(&blob(&bytes)));
    assert!(folder.exists(&blob(&image)));
}

#[tokio::test]
async fn what_is_leased_stays_with_all_that_it_leads_to() {
    let folder = Folder::new();
    let (leased, other) = (folder.image("app", "leased"), folder.image("app", "other"));
    let loose = folder.layer("app", "loose");
    let is_leased = |digest: &Digest| *digest == leased || *digest == loose;
    let store = folder.open();
    let options = options(REMOVE);
    let plan = survey::plan(&store, &options, &is_leased, &mut |_| ()).await.unwrap();
    let blobs: Vec<_> = plan.items(Step::Blobs).collect();
    assert_eq!(blobs.len(), 3);
    assert!(blobs.contains(&storage::Item::Blob(other)));
}

#[tokio::test]
async fn nothing_goes_where_links_may_be_that_nobody_can_see() {
    let hide = |folder: &Folder, at: &str| {
        let outside = folder.root().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let at = folder.top().join(at);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(outside, at).unwrap();
    };
    for at in [
        "repositories/linked",
        "repositories/app/_layers",
        "repositories/app/_manifests/revisions",
        "repositories/app/_layers/sha256",
    ] {
        let folder = Folder::new();
        let loose = folder.layer("other", "loose");
        hide(&folder, at);
        let (plan, _) = folder.collect(REMOVE).await;
        assert_eq!((plan.is_empty(), plan.kept().blobs), (true, 1), "{at}");
        assert!(matches!(plan.notes().listed(), [Note::Hidden { .. }]), "{at}");
        assert!(folder.exists(&blob(&loose)));
    }
    // Tags that nobody can see keep their repository.
    let folder = Folder::new();
    let image = folder.image("app", "image");
    let loose = folder.layer("other", "loose");
    hide(&folder, "repositories/app/_manifests/tags");
    folder.collect(REMOVE).await;
    assert!(folder.exists(&blob(&image)) && !folder.exists(&blob(&loose)));
}

#[tokio::test]
async fn a_repository_whose_name_no_registry_takes_keeps_everything() {
    let folder = Folder::new();
    folder.image("Upper", "image");
    let loose = folder.layer("other", "loose");
    let (plan, _) = folder.collect(REMOVE).await;
    assert!(plan.is_empty() && plan.notes().keeping() > 0);
    assert!(folder.exists(&blob(&loose)));
}

#[tokio::test]
async fn strangers_stay_and_are_told() {
    let folder = Folder::new();
    let strangers = [
        "lost+found/x",
        "blobs/sha256/zz/x",
        "blobs/md5/x",
        "repositories/lost+found/x",
        "repositories/app/_layers/sha256/short/link",
        "repositories/app/_manifests/tags/-bad/x",
        "repositories/app/_referrers/x",
        "blobs/sha256/00/file",
    ];
    for path in strangers {
        folder.write(path, b"?");
    }
    let (plan, _) = folder.collect(REMOVE).await;
    assert_eq!((plan.is_empty(), plan.notes().keeping()), (true, 0));
    assert!(plan.notes().total() >= 7, "{:?}", plan.notes());
    for path in strangers {
        assert!(folder.exists(path), "{path}");
    }
}

#[tokio::test]
async fn folders_that_a_crash_has_emptied_go() {
    let folder = Folder::new();
    let (deleted, loose) = (folder.image("app", "deleted"), folder.layer("app", "loose"));
    folder.remove(&revision("app", &deleted));
    folder.remove(&layer("app", &loose));
    folder.remove(&blob(&loose));
    folder.collect(KEEP).await;
    let leaves = folder.folders().into_iter().filter(|path| path.len() > 100);
    assert_eq!(leaves.count(), 0, "{:?}", folder.folders());
}
