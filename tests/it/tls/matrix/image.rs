//! The image of the matrix: one small layer, two platforms, and an index of both.

use std::{fs, path::Path};

use oci::{Algorithm, Digest};
use serde_json::json;

use crate::support::{
    Layout,
    image::{finish, named, store},
    program::{program, succeed},
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An OCI layout with the images `amd64`, `arm64` and `multi`.
pub(super) struct Image {
    layout: Layout,
    folder: tempfile::TempDir,
}

impl Image {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        build(folder.path());
        Self { layout: Layout::at(folder.path().to_owned()), folder }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// As skopeo names it.
    pub(super) fn name(&self, image: &str) -> String {
        self.layout.name(image)
    }

    /// Returns the digest of an image's config.
    pub(super) fn config(&self, image: &str) -> String {
        self.layout.config(image).to_string()
    }

    /// Writes an image as an archive of this kind, as skopeo names it, and returns the file.
    pub(super) fn archive(&self, kind: &str, name: &str) -> String {
        let file = self.folder.path().join(format!("{kind}.tar"));
        // skopeo adds to an archive that is there.
        let _ = fs::remove_file(&file);
        let file = file.to_str().unwrap().to_owned();
        let destination = format!("{kind}:{file}:{name}");
        crate::clients::skopeo::copy(&[], &self.name("amd64"), &destination);
        file
    }
}

fn build(folder: &Path) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let (mut names, mut children) = (Vec::new(), Vec::new());
    for architecture in ["amd64", "arm64"] {
        let (layer, diff_id) = layer(folder, architecture);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "rootfs": {"type": "layers", "diff_ids": [diff_id.to_string()]},
        });
        let config = store(folder, CONFIG, config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        let mut manifest = store(folder, MANIFEST, manifest.to_string().as_bytes());
        names.push(named(manifest.clone(), architecture));
        manifest["platform"] = json!({"architecture": architecture, "os": "linux"});
        children.push(manifest);
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    names.push(named(store(folder, INDEX, index.to_string().as_bytes()), "multi"));
    finish(folder, &names);
}

/// Packs one file; returns the layer's descriptor and the digest of its archive.
fn layer(folder: &Path, architecture: &str) -> (serde_json::Value, Digest) {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    fs::write(path("file"), format!("content for {architecture}")).unwrap();
    let mut tar = program("tar", &["--create", "--mtime=@0", "--owner=0", "--group=0"]);
    succeed(tar.arg("--directory").arg(scratch.path()).arg("--file").arg(path("tar")).arg("file"));
    let diff_id = Digest::of(Algorithm::Sha256, &fs::read(path("tar")).unwrap());
    succeed(program("gzip", &["--no-name"]).arg(path("tar")));
    (store(folder, LAYER, &fs::read(path("tar.gz")).unwrap()), diff_id)
}
