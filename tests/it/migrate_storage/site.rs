//! An instance with images in its folder, and a bucket to which it can move.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use crate::{
    faults::{Image, Rng, pull},
    supervise::Instance,
    support::{Ran, pusher::Pusher, seaweed::Seaweed},
};

pub(super) const MIGRATE: &str = "migrate-storage";
pub(super) const INSTANCE_TOML: &str = "etc/regctl/instance.toml";

pub(super) struct Site {
    pub(super) instance: Instance,
    /// The folder in the bucket.
    pub(super) root: String,
    /// The manifests of the images that were pushed at first.
    pub(super) pushed: BTreeMap<String, String>,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::with_secret(Seaweed::SECRET_KEY, Seaweed::BUCKET)
    }

    /// With other credentials or another bucket.
    pub(super) fn with_secret(secret: &str, bucket: &str) -> Self {
        let endpoint = Seaweed::shared().endpoint("http");
        Self::to(&endpoint, bucket, (Seaweed::ACCESS_KEY, secret))
    }

    /// To somewhere else.
    pub(super) fn to(endpoint: &str, bucket: &str, (key, secret): (&str, &str)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = format!("migrated/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let instance = Instance::serving(&format!(
            "storage_delete_enabled = true\n[registry.storage.redirect]\ndisable = true\n\
             # Where it is to go.\n[migrate.to.s3]\nbucket = \"{bucket}\"\nregionendpoint = \"{endpoint}\"\n\
             rootdirectory = \"{root}\"\naccesskey = \"{key}\"\nsecretkey = \"{secret}\"\n",
        ));
        let mut site = Self { instance, root, pushed: BTreeMap::new() };
        let mut rng = Rng::new(8001);
        let mut pusher = site.instance.pusher();
        // A layer of some parts, one that is shared, and many small ones.
        let shared = rng.bytes(40_000);
        for (number, sizes) in [&[3_000_000, 200][..], &[300], &[20; 12]].into_iter().enumerate() {
            let mut layers: Vec<_> = sizes.iter().map(|size| rng.bytes(*size)).collect();
            layers.push(shared.clone());
            let image = Image::of(layers, rng.bytes(64));
            let (repository, tag) = (format!("group/app{}", number % 2), format!("v{number}"));
            image.push(&mut pusher, &repository, &tag).unwrap();
            site.pushed.insert(format!("{repository}:{tag}"), image.digest());
        }
        site
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.instance.run(&[&[MIGRATE], arguments].concat())
    }

    /// Runs it, and returns its JSON; it must end with this code.
    pub(super) fn report(&self, exit: i32, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.exit, exit, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    pub(super) fn instance_toml(&self) -> String {
        self.instance.world.read(INSTANCE_TOML)
    }

    /// The storage that the instance has.
    pub(super) fn storage(&self) -> &'static str {
        let text = self.instance_toml();
        match text.contains("[registry.storage.s3]") {
            true => "s3",
            false => "filesystem",
        }
    }

    /// Every file of the folder, but for the registry's own, with its bytes.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let top = self.instance.world.path("var/opt/regctl/storage/docker/registry/v2");
        let walk = walkdir::WalkDir::new(&top).into_iter().map(Result::unwrap);
        walk.filter(|entry| entry.file_type().is_file())
            .filter(|entry| !entry.path().starts_with(top.join("regctl")))
            .map(|entry| {
                let path = entry.path().strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
                (path, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    /// All that was pushed at first can be pulled, and a push is taken.
    pub(super) fn serves(&self) {
        for (image, digest) in &self.pushed {
            assert_eq!(pulled(&mut self.instance.pusher(), image), Ok(digest.clone()), "{image}");
        }
        let mut pusher = self.instance.pusher();
        Image::new(&mut Rng::new(8002), &[100]).push(&mut pusher, "other", "new").unwrap();
        let held = self.instance.run(&["set-readonly", "status", "--json"]);
        let held: Value = serde_json::from_str(&held.stdout).unwrap();
        assert_eq!((&held["holds"], &held["effective"]), (&json!([]), &json!(false)));
    }

    /// The names of all objects of the bucket's folder, but for leases.
    pub(super) fn objects(&self) -> Vec<String> {
        let prefix = format!("{}%2Fdocker%2Fregistry%2Fv2%2F", self.root.replace('/', "%2F"));
        let query = format!("/{}?list-type=2&max-keys=1000&prefix={prefix}", Seaweed::BUCKET);
        let listed = Seaweed::shared().ask("GET", &query);
        let text = String::from_utf8(listed.stdout).unwrap();
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
        let below = format!("{}/docker/registry/v2/", self.root);
        let names = keys.map(|key| key.strip_prefix(&below).unwrap().to_owned());
        names.filter(|name| !name.starts_with("regctl/")).collect()
    }

    /// The bucket as upstream's config.yml has it.
    pub(super) fn bucket(&self) -> Value {
        json!({ "s3": {
            "accesskey": Seaweed::ACCESS_KEY,
            "secretkey": Seaweed::SECRET_KEY,
            "region": "us-east-1",
            "regionendpoint": Seaweed::shared().endpoint("http"),
            "bucket": Seaweed::BUCKET,
            "rootdirectory": format!("/{}", self.root),
        }, "redirect": { "disable": true } })
    }
}

/// The digest of `repository:tag` with all that it names.
pub(super) fn pulled(pusher: &mut Pusher, image: &str) -> Result<String, String> {
    let (repository, tag) = image.split_once(':').unwrap();
    pull(pusher, repository, tag)
}
