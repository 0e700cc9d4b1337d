//! A folder of the shared bucket for each test, and the registries that serve it.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::{
    api::fixture::Registry,
    support::{Peer, seaweed::Seaweed},
};

pub(super) struct Bucket {
    pub(super) root: String,
}

impl Bucket {
    pub(super) fn new() -> Self {
        // The server is this process's own.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { root: format!("it/{}", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// The options of `storage.s3`.
    pub(super) fn options(&self) -> Value {
        self.options_at(&Seaweed::shared().endpoint("http"))
    }

    /// The same, by a way to the server.
    fn options_at(&self, endpoint: &str) -> Value {
        json!({
            "accesskey": Seaweed::ACCESS_KEY,
            "secretkey": Seaweed::SECRET_KEY,
            "region": "us-east-1",
            "regionendpoint": endpoint,
            "bucket": Seaweed::BUCKET,
            "rootdirectory": self.root,
        })
    }

    /// The `storage` of a config.yml; blobs come through the registry.
    pub(super) fn storage(&self) -> Value {
        json!({
            "s3": self.options(),
            "delete": { "enabled": true },
            "redirect": { "disable": true },
        })
    }

    /// A registry of ours on it.
    pub(super) fn ours(&self) -> Registry {
        self.ours_with(&json!({}))
    }

    pub(super) fn ours_with(&self, http: &Value) -> Registry {
        let mut settings = json!({ "storage": self.storage(), "http": { "secret": Peer::SECRET } });
        for (name, value) in http.as_object().unwrap() {
            settings["http"][name] = value.clone();
        }
        Registry::with(&settings)
    }

    /// The same, by a way to the server.
    pub(super) fn ours_by(&self, endpoint: &str) -> Registry {
        let mut storage = self.storage();
        storage["s3"] = self.options_at(endpoint);
        Registry::with(&json!({ "storage": storage, "http": { "secret": Peer::SECRET } }))
    }

    /// Debian's on it.
    pub(super) fn peer(&self) -> Peer {
        Peer::on(&self.storage())
    }

    /// The names of all objects in a folder below `docker/registry/v2`, but for leases.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{}/docker/registry/v2/{folder}", self.root);
        let query = format!("/{}?list-type=2&max-keys=1000&prefix={prefix}", Seaweed::BUCKET);
        let listed =
            Seaweed::shared().ask("GET", &query.replace('/', "%2F").replacen("%2F", "/", 1));
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.status.success(), "{text}");
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
        let below = format!("{}/docker/registry/v2/", self.root);
        let names = keys.map(|key| key.strip_prefix(&below).unwrap().to_owned());
        names.filter(|name| !name.starts_with("regctl/")).collect()
    }
}
