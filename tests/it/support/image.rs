//! A real image: the files of Debian packages on this machine in layers, for two platforms, as an OCI layout.
//!
//! It is made once and kept in the target folder, since packing some ten megabytes takes seconds and every
//! client wants it. Nothing is downloaded: an installed package is a list of files.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::program;

/// Changes whenever what [`Layout::shared`] makes changes.
const SHARED: &str = "image-1";

/// The packages of a layer each; the image of the second platform has its own last one.
const COMMON: [&str; 3] = ["coreutils", "perl-base", "dpkg"];
const PLATFORMS: [(&str, &str); 2] = [("amd64", "skopeo"), ("arm64", "tar")];

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A folder in the form of the OCI image layout.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
}

/// A layer's descriptor and the digest of its tar archive.
struct Layer {
    descriptor: Value,
    diff_id: Digest,
}

impl Layout {
    /// The shared image under the names `amd64`, `arm64` and `multi`, the index of both.
    pub(crate) fn shared() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.join(SHARED);
        if !folder.exists() {
            let staged = tempfile::tempdir_in(target).unwrap();
            let made = staged.path().join(SHARED);
            build(&made);
            match fs::rename(&made, &folder) {
                // Another test made it in the meantime.
                Err(error) if is_there(error.kind()) => {}
                result => result.unwrap(),
            }
        }
        Self { folder }
    }

    /// A layout that a client wrote.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns an image as skopeo names it.
    pub(crate) fn name(&self, image: &str) -> String {
        format!("oci:{}:{image}", self.folder.display())
    }

    /// Returns the digest of an image's manifest or index.
    pub(crate) fn digest(&self, image: &str) -> Digest {
        let index = fs::read(self.folder.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let manifests = index["manifests"].as_array().unwrap();
        let named = |descriptor: &&Value| {
            descriptor["annotations"]["org.opencontainers.image.ref.name"] == image
        };
        let descriptor = manifests.iter().find(named).unwrap();
        descriptor["digest"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn blob(&self, digest: &Digest) -> Vec<u8> {
        fs::read(blob_path(&self.folder, digest)).unwrap()
    }

    /// Returns the document of a manifest, an index or a config.
    pub(crate) fn document(&self, digest: &Digest) -> Value {
        serde_json::from_slice(&self.blob(digest)).unwrap()
    }

    /// Returns the digest of the config, which Docker calls the image's ID.
    pub(crate) fn config(&self, image: &str) -> Digest {
        let manifest = self.document(&self.digest(image));
        manifest["config"]["digest"].as_str().unwrap().parse().unwrap()
    }

    /// Returns every blob by the name of its file.
    pub(crate) fn blobs(&self) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(self.folder.join("blobs/sha256"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }
}

/// Stores a blob and returns its descriptor.
pub(crate) fn store(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    fs::write(blob_path(folder, &digest), bytes).unwrap();
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
}

/// Writes the files that make a folder a layout; the descriptors carry the names of their images.
pub(crate) fn finish(folder: &Path, manifests: &[Value]) {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// Returns a descriptor with the name of its image.
pub(crate) fn named(mut descriptor: Value, image: &str) -> Value {
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": image});
    descriptor
}

fn blob_path(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs").join(digest.algorithm().as_str()).join(digest.to_hex())
}

fn is_there(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

fn build(folder: &Path) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let common: Vec<Layer> = COMMON.iter().map(|package| layer(folder, package)).collect();
    let mut names = Vec::new();
    let mut children = Vec::new();
    for (architecture, package) in PLATFORMS {
        let own = layer(folder, package);
        let layers: Vec<&Layer> = common.iter().chain([&own]).collect();
        let mut descriptor = manifest(folder, architecture, &layers);
        names.push(named(descriptor.clone(), architecture));
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        children.push(descriptor);
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    names.push(named(store(folder, INDEX, index.to_string().as_bytes()), "multi"));
    finish(folder, &names);
}

fn manifest(folder: &Path, architecture: &str, layers: &[&Layer]) -> Value {
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["perl", "-v"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = store(folder, CONFIG, config.to_string().as_bytes());
    let layers: Vec<&Value> = layers.iter().map(|layer| &layer.descriptor).collect();
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    store(folder, MANIFEST, manifest.to_string().as_bytes())
}

/// Packs what an installed package has under `/usr`.
fn layer(folder: &Path, package: &str) -> Layer {
    let scratch = tempfile::tempdir().unwrap();
    let (list, archive) = (scratch.path().join("list"), scratch.path().join("layer.tar"));
    let is_packed = |path: &&str| path.starts_with("/usr/") && Path::new(path).exists();
    let files = program::run("dpkg-query", &["--listfiles", package]);
    let files: Vec<_> = files.lines().filter(is_packed).map(|path| &path[1..]).collect();
    fs::write(&list, files.join("\n")).unwrap();
    program::succeed(
        program::program("tar", &["--create", "--directory=/", "--no-recursion", "--format=gnu"])
            .args(["--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
            .arg("--file")
            .arg(&archive)
            .arg("--files-from")
            .arg(&list),
    );
    let diff_id = Digest::of(Algorithm::Sha256, &fs::read(&archive).unwrap());
    program::succeed(program::program("gzip", &["--no-name", "-1"]).arg(&archive));
    let packed = fs::read(archive.with_added_extension("gz")).unwrap();
    Layer { descriptor: store(folder, LAYER, &packed), diff_id }
}
