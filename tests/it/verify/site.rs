//! An instance with images in its folder, which can be damaged.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;

use crate::{
    faults::{Image, Rng, pull},
    supervise::Instance,
    support::{Ran, pusher::digest},
};

pub(super) const COMMAND: &str = "verify";

pub(super) struct Site {
    pub(super) instance: Instance,
    /// The images that were pushed at first.
    pub(super) images: BTreeMap<String, Image>,
}

impl Site {
    /// A registry that serves two repositories; `more` is the rest of `[registry]`.
    pub(super) fn new(more: &str) -> Self {
        let instance = Instance::serving(more);
        let mut site = Self { instance, images: BTreeMap::new() };
        let mut rng = Rng::new(8101);
        let shared = rng.bytes(40_000);
        for (number, sizes) in [&[30_000, 200][..], &[300], &[20; 6]].into_iter().enumerate() {
            let mut layers: Vec<_> = sizes.iter().map(|size| rng.bytes(*size)).collect();
            layers.push(shared.clone());
            let image = Image::of(layers, rng.bytes(64));
            let (repository, tag) = (format!("group/app{}", number % 2), format!("v{number}"));
            image.push(&mut site.instance.pusher(), &repository, &tag).unwrap();
            site.images.insert(format!("{repository}:{tag}"), image);
        }
        site
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.instance.run(&[&[COMMAND], arguments].concat())
    }

    /// Runs it, and returns its JSON; it must end with this code.
    pub(super) fn report(&self, exit: i32, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.exit, exit, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    pub(super) fn top(&self, below: &str) -> PathBuf {
        self.instance.world.path("var/opt/regctl/storage/docker/registry/v2").join(below)
    }

    pub(super) fn blob(&self, content: &[u8]) -> PathBuf {
        self.top(&blob(content))
    }

    pub(super) fn layer(&self, repository: &str, content: &[u8]) -> PathBuf {
        self.top(&format!("repositories/{}", layer(repository, content)))
    }

    /// All that was pushed at first can be pulled.
    pub(super) fn serves(&self) {
        for (name, image) in &self.images {
            assert_eq!(self.pulled(name), Ok(image.digest()), "{name}");
        }
    }

    pub(super) fn pulled(&self, image: &str) -> Result<String, String> {
        let (repository, tag) = image.split_once(':').unwrap();
        pull(&mut self.instance.pusher(), repository, tag)
    }

    /// Every file of the folder, but for the registry's own, with its bytes.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let walk = walkdir::WalkDir::new(self.top("")).into_iter().map(Result::unwrap);
        let own = self.top("regctl");
        walk.filter(|entry| entry.file_type().is_file() && !entry.path().starts_with(&own))
            .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
            .collect()
    }
}

/// The path of a blob, below the top.
pub(super) fn blob(content: &[u8]) -> String {
    let hex = hex(content);
    format!("blobs/sha256/{}/{hex}/data", &hex[..2])
}

/// The path of a link, below `repositories`.
pub(super) fn layer(repository: &str, content: &[u8]) -> String {
    format!("{repository}/_layers/sha256/{}/link", hex(content))
}

pub(super) fn hex(content: &[u8]) -> String {
    digest(content).strip_prefix("sha256:").unwrap().to_owned()
}

/// What a report has found: what, and what became of it, sorted.
pub(super) fn found(report: &Value) -> Vec<(String, String)> {
    let repositories = report["repositories"].as_array().unwrap().iter();
    let findings = repositories.flat_map(|it| it["findings"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = findings.map(|it| (text(&it["what"]), text(&it["outcome"]))).collect();
    found.sort();
    found
}
