//! A folder with images, that can be damaged.

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::super::{Mender, Options, Outcome, Pace, Progress, Reader, Report, Sample, State, What};
use crate::config::Config;

pub(super) struct World {
    pub(super) scratch: TempDir,
}

/// What was found: what, the end of its path, and the tags that cannot be pulled.
pub(super) type Told = (What, String, Vec<String>);

impl World {
    /// A repository with two images that share a layer, one that was tagged before, and an index of both; another repository; and
    /// one without anything.
    pub(super) fn new() -> Self {
        let world = Self { scratch: tempfile::tempdir().unwrap() };
        world.image("group/app", "old", &["shared"], &["v1"]);
        let one = world.image("group/app", "one", &["only one", "shared"], &["v1", "latest"]);
        let two = world.image("group/app", "two", &["shared"], &[]);
        world.index("group/app", &[one, two], "both");
        world.image("other", "three", &["shared"], &["v1"]);
        for folder in ["bare/_manifests/tags", "bare/_layers"] {
            fs::create_dir_all(world.repositories(folder)).unwrap();
        }
        world
    }

    pub(super) fn top(&self, below: &str) -> PathBuf {
        self.scratch.path().join("data/docker/registry/v2").join(below)
    }

    pub(super) fn repositories(&self, below: &str) -> PathBuf {
        self.top("repositories").join(below)
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.top(&format!("blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2]))
    }

    pub(super) fn layer_path(&self, repository: &str, content: &str) -> PathBuf {
        let hex = digest(content).to_hex();
        self.repositories(&format!("{repository}/_layers/sha256/{hex}/link"))
    }

    pub(super) fn revision_path(&self, repository: &str, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.repositories(&format!("{repository}/_manifests/revisions/sha256/{hex}/link"))
    }

    pub(super) fn tag_path(&self, repository: &str, tag: &str, below: &str) -> PathBuf {
        self.repositories(&format!("{repository}/_manifests/tags/{tag}/{below}"))
    }

    pub(super) fn image(
        &self,
        repository: &str,
        name: &str,
        layers: &[&str],
        tags: &[&str],
    ) -> Digest {
        let config = format!("{{\"of\": \"{name}\"}}");
        for content in layers.iter().copied().chain([config.as_str()]) {
            self.blob(content.as_bytes());
            self.link(&self.layer_path(repository, content), &digest(content));
        }
        let layers: Vec<_> = layers.iter().map(|layer| descriptor(layer)).collect();
        self.manifest(repository, &image(&descriptor(&config), &layers), tags)
    }

    pub(super) fn index(&self, repository: &str, children: &[Digest], tag: &str) -> Digest {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let children: Vec<_> =
            children.iter().map(|it| json!({"mediaType": kind, "digest": it, "size": 0})).collect();
        let kind = "application/vnd.oci.image.index.v1+json";
        let document = json!({"schemaVersion": 2, "mediaType": kind, "manifests": children});
        self.manifest(repository, &document, &[tag])
    }

    pub(super) fn manifest(&self, repository: &str, document: &Value, tags: &[&str]) -> Digest {
        let manifest = self.blob(document.to_string().as_bytes());
        self.link(&self.revision_path(repository, &manifest), &manifest);
        for tag in tags {
            let index = format!("index/sha256/{}/link", manifest.to_hex());
            self.link(&self.tag_path(repository, tag, &index), &manifest);
            self.link(&self.tag_path(repository, tag, "current/link"), &manifest);
        }
        fs::create_dir_all(self.repositories(&format!("{repository}/_manifests/tags"))).unwrap();
        manifest
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, bytes);
        write(&self.blob_path(&digest), bytes);
        digest
    }

    pub(super) fn link(&self, path: &Path, digest: &Digest) {
        write(path, digest.to_string().as_bytes());
    }

    pub(super) fn config(&self) -> Config {
        self.config_with("")
    }

    pub(super) fn config_with(&self, more: &str) -> Config {
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n{more}",
            self.scratch.path().join("data").display()
        );
        Config::parse(&text, &[]).unwrap().config
    }

    pub(super) fn state(&self, percent: f64, restart: bool) -> State {
        let path = self.scratch.path().join("state");
        State::open(&path, "this store", Sample::percent(percent), restart).unwrap()
    }

    pub(super) async fn read(&self) -> Report {
        let mut state = self.state(100.0, true);
        self.read_with(&mut state, &mut |_| ()).await
    }

    pub(super) async fn read_with(
        &self,
        state: &mut State,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Report {
        self.read_as(&self.config(), state, watch).await
    }

    pub(super) async fn read_as(
        &self,
        config: &Config,
        state: &mut State,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Report {
        let reader = Reader::open(&config.storage.driver).await.unwrap().unwrap();
        let options = Options::of(config, NonZeroUsize::new(3).unwrap());
        let pace = Arc::new(Pace::new(None));
        let stop = AtomicBool::new(false);
        reader.read(&options, (state, &pace), &stop, watch).await.unwrap()
    }

    pub(super) async fn repair(&self) -> Report {
        let mut report = self.read().await;
        let mut mender = Mender::alone(&self.config()).await.unwrap();
        report.repair(&mut mender, &AtomicBool::new(false), &mut |_| ()).await.unwrap();
        mender.close().await;
        report
    }

    /// Looks for damage, which must be this; repairs it, and returns what came of each. What is left then is found again, and
    /// nothing else; nothing has changed but the paths that are expected to.
    pub(super) async fn heals(
        &self,
        expected: &[(What, &str, &[&str])],
        changed: &[&str],
    ) -> Report {
        let before = self.files();
        let expected: Vec<Told> = expected.iter().map(|it| owned(*it)).collect();
        assert_eq!(told(&self.read().await), expected);
        assert_eq!(self.files(), before, "reading changes nothing");
        let report = self.repair().await;
        assert_eq!(told(&report), expected);
        let left: Vec<_> =
            report.findings().filter(|it| it.is_left()).map(|it| it.path.clone()).collect();
        let again: Vec<_> = self.read().await.findings().map(|it| it.path.clone()).collect();
        assert_eq!(again, left, "what is left is found again");
        let after = self.files();
        let all: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differ: Vec<&String> =
            all.into_iter().filter(|path| before.get(*path) != after.get(*path)).collect();
        assert_eq!(differ.len(), changed.len(), "{differ:?}");
        for path in differ {
            assert!(changed.iter().any(|it| path.contains(it)), "{path} of {changed:?}");
        }
        report
    }

    /// Files with their bytes, and empty folders; without the registry's own, and without quarantines.
    pub(super) fn files(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let top = self.top("");
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(&top).into_iter().map(Result::unwrap) {
            let path = entry.path().strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
            if path.starts_with("regctl") || path.ends_with("_uploads") {
                continue;
            }
            if entry.file_type().is_file() {
                files.insert(path, Some(fs::read(entry.path()).unwrap()));
            } else if path.ends_with("_layers") || path.ends_with("/tags") {
                files.insert(path, None);
            }
        }
        files
    }
}

fn owned((what, path, tags): (What, &str, &[&str])) -> Told {
    (what, path.to_owned(), tags.iter().map(|tag| (*tag).to_owned()).collect())
}

/// What a report says; of paths what tells them apart.
pub(super) fn told(report: &Report) -> Vec<Told> {
    let short = |path: &str| {
        let path = path.strip_prefix("docker/registry/v2/").unwrap_or(path);
        let path = path.strip_prefix("repositories/").unwrap_or(path);
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !["link", "data", "sha256", "current"].contains(part) && part.len() != 2)
            .map(|part| if part.len() == 64 { part[..6].to_owned() } else { part.to_owned() })
            .collect();
        parts.join("/")
    };
    report.findings().map(|it| (it.what, short(&it.path), it.tags.clone())).collect()
}

pub(super) fn outcomes(report: &Report) -> Vec<Outcome> {
    report.findings().map(|it| it.outcome.clone()).collect()
}

pub(super) fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

/// The beginning of a digest.
pub(super) fn short(digest: &Digest) -> String {
    digest.to_hex()[..6].to_owned()
}

pub(super) fn descriptor(content: &str) -> Value {
    json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(content), "size": content.len()})
}

pub(super) fn image(config: &Value, layers: &[Value]) -> Value {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
