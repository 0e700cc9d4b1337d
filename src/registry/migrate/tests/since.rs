//! The last pass by what has changed.

use std::{
    fs,
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicBool},
};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::{Difference, Extra, Journal, Options, Pace, Sides, World, blob, write};
use crate::migrate::{Changes, Copied};

const OPTIONS: Options =
    Options { at_once: NonZeroUsize::new(3).expect("3 is not zero"), extra: Extra::Own };

/// A migration after its live pass.
struct Moved {
    sides: Sides,
    journal: Journal,
    difference: Difference,
}

impl Moved {
    async fn live(world: &World) -> Self {
        let sides = world.sides().await;
        let path = world.scratch.path().join("journal");
        let mut journal = Journal::open(&path, &sides.identity()).unwrap();
        let (stop, pace) = (AtomicBool::new(false), Arc::new(Pace::new(None)));
        let difference = sides.difference(&stop, &mut |_| ()).await.unwrap();
        sides.copy(&difference, &mut journal, OPTIONS, &pace, &stop, &mut |_| ()).await.unwrap();
        let difference = sides.difference(&stop, &mut |_| ()).await.unwrap();
        Self { sides, journal, difference }
    }

    async fn follow(&mut self, things: &Value) -> Option<(Copied, usize)> {
        let mut changes = Changes::default();
        let page = json!({ "schema": 1, "complete": true, "next": null, "things": things });
        changes.add_page(&page.to_string()).unwrap();
        let (stop, pace) = (AtomicBool::new(false), Arc::new(Pace::new(None)));
        let way = (&mut self.journal, OPTIONS, &pace);
        let sides = self.sides.clone();
        sides.follow(&mut self.difference, &changes, way, &stop, &mut |_| ()).await.unwrap()
    }
}

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

#[tokio::test]
async fn what_has_changed_is_copied_and_counted_as_if_all_was_compared() {
    let world = World::new();
    let mut moved = Moved::live(&world).await;
    let four = world.image("group/app", "four", &["shared", "new"], &["v2"]);
    world.tag("group/app", "v1", &four);
    let at = "repositories/group/app/_manifests/tags/latest";
    fs::remove_dir_all(world.source(at)).unwrap();
    let own = world.source(&blob(&digest("own")));
    fs::remove_dir_all(own.parent().unwrap()).unwrap();
    fs::create_dir_all(world.source("repositories/empty/_manifests/tags")).unwrap();
    fs::create_dir_all(world.source("repositories/empty/_layers")).unwrap();
    let tag = |tag| json!({ "kind": "tag", "repository": "group/app", "tag": tag });
    let history =
        |tag| json!({ "kind": "tag-index", "repository": "group/app", "tag": tag, "digest": four });
    let of =
        |kind, digest: Digest| json!({ "kind": kind, "repository": "group/app", "digest": digest });
    let blob = |digest: Digest| json!({ "kind": "blob", "digest": digest });
    let folder = |part| json!({ "kind": "folder", "repository": "empty", "part": part });
    let things = json!([
        tag("v1"),
        history("v1"),
        tag("v2"),
        history("v2"),
        tag("latest"),
        of("revision", four),
        of("layer", digest("new")),
        of("layer", digest("shared")),
        blob(four),
        blob(digest("new")),
        blob(digest("own")),
        blob(digest("never was there")),
        folder("layers"),
        folder("tags"),
    ]);
    let (copied, looked_at) = moved.follow(&things).await.unwrap();
    // And the history of the tag that went, and of the one that moved.
    assert_eq!(looked_at, 14);
    assert_eq!((copied.blobs.objects, copied.removed), (2, 2));
    world.assert_same();
    assert!(moved.difference.is_none(), "{:?}", moved.difference.named());
    // A target is one process's alone.
    let Moved { sides, difference, .. } = moved;
    sides.close().await;
    let fresh = world.difference().await;
    assert!(fresh.is_none());
    assert_eq!(difference.source, fresh.source);
    assert_eq!(difference.target, fresh.target);
}

#[tokio::test]
async fn nothing_else_is_looked_at_but_what_was_not_right_before() {
    let world = World::new();
    let strange = "repositories/others/_manifests/tags/v1/current/link";
    write(&world.target(strange), b"sha256:somebody's");
    let mut moved = Moved::live(&world).await;
    assert!(!moved.difference.is_none());
    // Nobody has said so: a real registry does.
    world.image("group/app", "four", &["new"], &["v2"]);
    let (copied, looked_at) = moved.follow(&json!([])).await.unwrap();
    assert_eq!((copied.is_nothing(), looked_at), (true, 1));
    assert_eq!(moved.difference.extra.total().objects, 1);
    fs::remove_file(world.target(strange)).unwrap();
    moved.follow(&json!([])).await.unwrap();
    assert!(moved.difference.is_none());
    moved.sides.close().await;
    assert!(!world.difference().await.is_none());
}

#[tokio::test]
async fn a_difference_with_problems_is_made_anew() {
    let world = World::new();
    let mut moved = Moved::live(&world).await;
    moved.difference.other.blobs.objects = 1;
    assert!(moved.follow(&json!([])).await.is_none());
}
