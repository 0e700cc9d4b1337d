//! Real folders, written file by file as Distribution leaves them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};
use storage::{Access, Disposal, Filesystem, FilesystemConfig};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::collect::{Beside, Empty, Options, Plan, Swept, Untagged, survey, sweep};

pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Nobody tells a sweep to stop.
pub(super) static NEVER: AtomicBool = AtomicBool::new(false);

/// A storage folder.
pub(super) struct Folder {
    scratch: TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        Self { scratch: tempfile::tempdir().unwrap() }
    }

    pub(super) fn root(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn top(&self) -> PathBuf {
        self.root().join("docker/registry/v2")
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.top().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.top().join(path).exists()
    }

    pub(super) fn remove(&self, path: &str) {
        let path = self.top().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Bytes, and where they are.
    pub(super) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, bytes);
        self.write(&blob(&digest), bytes);
        digest
    }

    pub(super) fn layer(&self, repository: &str, content: &str) -> Digest {
        let digest = self.blob(content.as_bytes());
        self.write(&layer(repository, &digest), digest.to_string().as_bytes());
        digest
    }

    pub(super) fn manifest(&self, repository: &str, document: &Value) -> Digest {
        let digest = self.blob(document.to_string().as_bytes());
        self.write(&revision(repository, &digest), digest.to_string().as_bytes());
        // What every push of a manifest leaves, too.
        fs::create_dir_all(self.top().join(format!("repositories/{repository}/_layers"))).unwrap();
        digest
    }

    /// An image with a configuration and one layer of its own.
    pub(super) fn image(&self, repository: &str, name: &str) -> Digest {
        let config = self.layer(repository, &format!("{{\"config of\": \"{name}\"}}"));
        let layer = self.layer(repository, &format!("layer of {name}"));
        self.manifest(repository, &image(&config, &[layer]))
    }

    pub(super) fn index(&self, repository: &str, children: &[Digest]) -> Digest {
        let children: Vec<_> = children.iter().map(|child| descriptor(IMAGE, child)).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.manifest(repository, &index)
    }

    pub(super) fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let folder = format!("repositories/{repository}/_manifests/tags/{tag}");
        let hex = digest.hex();
        let text = digest.to_string();
        self.write(&format!("{folder}/index/sha256/{hex}/link"), text.as_bytes());
        self.write(&format!("{folder}/current/link"), text.as_bytes());
    }

    pub(super) fn open(&self) -> Filesystem {
        let options = FilesystemConfig { root_directory: self.root().to_owned(), max_threads: 25 };
        Filesystem::open_existing(&options, Access::Alone).unwrap()
    }

    pub(super) async fn plan(&self, untagged: Untagged) -> Plan {
        survey::plan(&self.open(), &options(untagged), &|_| false, &mut |_| ()).await.unwrap()
    }

    /// A whole collection.
    pub(super) async fn collect(&self, untagged: Untagged) -> (Plan, Swept) {
        self.collect_with(&options(untagged), &Disposal::Delete).await
    }

    pub(super) async fn collect_with(
        &self,
        options: &Options,
        disposal: &Disposal,
    ) -> (Plan, Swept) {
        let store = self.open();
        let plan = survey::plan(&store, options, &|_| false, &mut |_| ()).await.unwrap();
        let swept = sweep::sweep(&store, &plan, disposal, &NEVER, &mut |_| ()).await.unwrap();
        assert_eq!(swept.failures, Vec::<String>::new());
        (plan, swept)
    }

    /// Every file with its bytes, but for what is this program's own.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.walk().filter(|entry| entry.file_type().is_file());
        files.map(|entry| (self.inside(entry.path()), fs::read(entry.path()).unwrap())).collect()
    }

    pub(super) fn folders(&self) -> BTreeSet<String> {
        let folders = self.walk().filter(|entry| entry.file_type().is_dir());
        folders.map(|entry| self.inside(entry.path())).collect()
    }

    fn walk(&self) -> impl Iterator<Item = walkdir::DirEntry> {
        let own = [self.top().join("regctl"), self.top().join("regctl-trash")];
        let walk = WalkDir::new(self.top()).into_iter();
        walk.filter_entry(move |entry| !own.iter().any(|own| entry.path() == own))
            .map(Result::unwrap)
    }

    fn inside(&self, path: &Path) -> String {
        path.strip_prefix(self.top()).unwrap().to_str().unwrap().to_owned()
    }

    /// That all that a tag leads to can be pulled.
    pub(super) fn assert_pulls(&self, repository: &str, tag: &str) {
        let link = format!("repositories/{repository}/_manifests/tags/{tag}/current/link");
        let link = fs::read(self.top().join(link)).unwrap();
        let digest = std::str::from_utf8(&link).unwrap().parse().unwrap();
        self.assert_manifest(repository, &digest);
    }

    fn assert_manifest(&self, repository: &str, digest: &Digest) {
        assert!(self.exists(&revision(repository, digest)), "{repository}@{digest} has no link");
        let bytes = fs::read(self.top().join(blob(digest))).unwrap();
        assert_eq!(Digest::of(digest.algorithm(), &bytes), *digest);
        let referred = oci::Referred::from_stored(&bytes).unwrap();
        for child in &referred.children {
            self.assert_manifest(repository, child);
        }
        for digest in &referred.blobs {
            assert!(
                self.exists(&layer(repository, digest)),
                "{digest} of {repository} has no link"
            );
            assert!(self.exists(&blob(digest)), "{digest} of {repository} is gone");
        }
    }
}

pub(super) fn options(untagged: Untagged) -> Options {
    Options {
        untagged,
        empty: Empty::Keep,
        beside: Beside::Nobody,
        grace: None,
        cache: None,
        quotas: Vec::new(),
    }
}

pub(super) fn image(config: &Digest, layers: &[Digest]) -> Value {
    let layers: Vec<_> = layers.iter().map(|layer| descriptor("text/plain", layer)).collect();
    json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers,
    })
}

pub(super) fn descriptor(media_type: &str, digest: &Digest) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": 1 })
}

pub(super) fn blob(digest: &Digest) -> String {
    let hex = digest.to_hex();
    format!("blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
}

pub(super) fn layer(repository: &str, digest: &Digest) -> String {
    format!("repositories/{repository}/_layers/{}/{}/link", digest.algorithm(), digest.hex())
}

pub(super) fn revision(repository: &str, digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    format!("repositories/{repository}/_manifests/revisions/{algorithm}/{hex}/link")
}
