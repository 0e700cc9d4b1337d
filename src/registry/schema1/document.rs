//! What is read: the payload of a manifest, its entries, and the configuration of an image.

use oci::object;
use serde::de::IgnoredAny;

object! {
    /// The payload, with what only other kinds of manifest have.
    Payload {
        schema_version: i64 = "schemaVersion",
        media_type: String = "mediaType",
        name: String = "name",
        tag: String = "tag",
        layers: Vec<IgnoredAny> = "fsLayers",
        history: Vec<Entry> = "history",
        signatures: IgnoredAny = "signatures",
        config: IgnoredAny = "config",
        schema2_layers: IgnoredAny = "layers",
        manifests: IgnoredAny = "manifests",
    }
}

object! {
    /// An entry of the history.
    Entry {
        v1_compatibility: String = "v1Compatibility",
    }
}

object! {
    /// What an entry says.
    Image {
        id: String = "id",
        parent: String = "parent",
    }
}

object! {
    /// The configuration of an image of schema 2.
    ImageConfig {
        root_fs: RootFs = "rootfs",
        history: Vec<Step> = "history",
        architecture: String = "architecture",
    }
}

object! {
    /// The layers by the digests of their tar archives.
    RootFs {
        diff_ids: Vec<String> = "diff_ids",
        base_layer: String = "base_layer",
    }
}

object! {
    /// How a layer was made, or that there is none.
    Step {
        created: String = "created",
        author: String = "author",
        created_by: String = "created_by",
        comment: String = "comment",
        empty_layer: bool = "empty_layer",
    }
}
