//! Manifests that name each other, so that there is no first one.

use oci::{Algorithm, Digest};
use serde_json::json;

use super::folder::{Folder, IMAGE, INDEX, blob, descriptor, image, revision};
use crate::collect::Untagged;

#[tokio::test]
async fn manifests_that_name_each_other_are_marked_once() {
    // Digests cannot, but in a store that was damaged; subjects can be named before they are there.
    for link in ["manifests", "subject"] {
        let folder = Folder::new();
        let layer_of_both = folder.layer("app", "needed");
        let digests = ["one", "other"].map(|it| Digest::of(Algorithm::Sha256, it.as_bytes()));
        for (own, next) in [(0, 1), (1, 0)] {
            let (own, next) = (digests[own], descriptor(INDEX, &digests[next]));
            let document = match link {
                "manifests" => json!({
                    "schemaVersion": 2, "mediaType": INDEX,
                    "manifests": [next, descriptor(IMAGE, &layer_of_both)],
                }),
                _ => {
                    let mut image = image(&layer_of_both, &[layer_of_both]);
                    image["subject"] = next;
                    image
                }
            };
            folder.write(&blob(&own), document.to_string().as_bytes());
            folder.write(&revision("app", &own), own.to_string().as_bytes());
        }
        folder.tag("app", "v1", &digests[0]);
        for untagged in [Untagged::Keep, Untagged::Remove] {
            folder.collect(untagged).await;
            for needed in [digests[0], digests[1], layer_of_both] {
                assert!(folder.exists(&blob(&needed)), "{link}");
            }
        }
        // Nothing but each other leads to them: they go, and the order is of no account.
        folder.remove("repositories/app/_manifests/tags/v1");
        folder.collect(Untagged::Remove).await;
        let left = folder.files().into_keys().filter(|path| path.starts_with("blobs/")).count();
        assert!(left == 0 || left == 3, "{link}: {left}");
    }
}
