//! Every state that pushes and deletes can leave a folder in.

use oci::Algorithm;
use serde_json::Value;

use super::wire::Wire;
use crate::{clients::skopeo, support::Layout};

/// Who writes: the peer cannot delete a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Ours,
    Peer,
    /// It answers 500 to an empty blob, whose multipart upload has no part, and leaves the tags of a manifest that is
    /// deleted: it does neither here.
    PeerOfBucket,
}

/// The tags that are left at the end.
pub(crate) const TAGS: [&str; 7] = [
    "deleted/manifest:v2",
    "deleted/tag:v2",
    "image/empty-layer:v1",
    "image/multi-layer:again",
    "image/multi-layer:v1",
    "index/docker:multi",
    "index/oci:multi",
];

/// Repositories without a tag that are listed all the same.
pub(crate) const UNTAGGED: [&str; 2] = ["only/blob", "only/digest"];

/// An upload session and what it holds.
pub(crate) struct Open {
    pub(crate) repository: &'static str,
    pub(crate) location: String,
    pub(crate) received: &'static [u8],
}

/// Brings a folder into every state and returns the session that stays open.
pub(crate) fn write(wire: &Wire, writer: Writer) -> Open {
    images(wire, writer);
    if writer != Writer::PeerOfBucket {
        deletions(wire, writer);
    }
    let manifest = wire.push_parts("only/digest", Algorithm::Sha256, b"found by digest only");
    let digest = oci::Digest::of(Algorithm::Sha256, &manifest).to_string();
    wire.push_manifest("only/digest", &digest, &manifest);
    wire.push_blob("only/blob", Algorithm::Sha256, b"of no manifest");
    let (repository, received) = ("only/session", b"first half, ");
    let location = wire.append(&wire.begin(repository), received);
    Open { repository, location, received }
}

fn images(wire: &Wire, writer: Writer) {
    let image = Layout::shared();
    for tag in ["v1", "again"] {
        let name = wire.image(&format!("image/multi-layer:{tag}"));
        skopeo::copy(&[], &image.name("amd64"), &name);
    }
    skopeo::copy(&["--all"], &image.name("multi"), &wire.image("index/oci:multi"));
    let docker = ["--all", "--format", "v2s2"];
    skopeo::copy(&docker, &image.name("multi"), &wire.image("index/docker:multi"));
    if writer != Writer::PeerOfBucket {
        wire.push_image("image/empty-layer", "v1", b"");
    }
}

fn deletions(wire: &Wire, writer: Writer) {
    let gone = wire.push_image("deleted/manifest", "v1", b"its manifest is deleted");
    wire.push_image("deleted/manifest", "v2", b"its neighbour is deleted");
    wire.delete("deleted/manifest", &gone.to_string());
    wire.push_image("deleted/tag", "v2", b"the tag beside it is deleted");
    let only = wire.push_image("deleted/last-tag", "v1", b"the only tag is deleted");
    match writer {
        Writer::Ours => {
            wire.push_image("deleted/tag", "v1", b"its tag is deleted");
            wire.delete("deleted/tag", "v1");
            wire.delete("deleted/last-tag", "v1");
        }
        Writer::PeerOfBucket => {}
        Writer::Peer => wire.delete("deleted/last-tag", &only.to_string()),
    }
}

/// Gives each child of an index a tag of its own.
///
/// Without one, the peer's `garbage-collect -m` takes the children's layers (distribution#3178).
pub(crate) fn tag_children(wire: &Wire) {
    for repository in ["index/oci", "index/docker"] {
        let index = wire.bytes(&format!("{repository}/manifests/multi"));
        let index: Value = serde_json::from_slice(&index).unwrap();
        for child in index["manifests"].as_array().unwrap() {
            let digest = child["digest"].as_str().unwrap();
            let manifest = wire.bytes(&format!("{repository}/manifests/{digest}"));
            let architecture = child["platform"]["architecture"].as_str().unwrap();
            wire.push_manifest(repository, architecture, &manifest);
        }
    }
}
