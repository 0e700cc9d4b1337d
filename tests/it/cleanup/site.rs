//! An instance with tags of known ages.

use serde_json::{Value, json};

use crate::{
    faults::{Image, pull},
    supervise::Instance,
    support::{Ran, pusher::Pusher},
};

pub(super) const COMMAND: &str = "cleanup-policy";

/// The instance.
pub(super) struct Site {
    pub(super) instance: Instance,
}

impl Site {
    /// A registry that serves, with these policies.
    pub(super) fn with(policies: &str) -> Self {
        Self::of(Instance::serving(policies))
    }

    pub(super) fn of(instance: Instance) -> Self {
        Self { instance }
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.instance.run(&[&[COMMAND], arguments].concat())
    }

    /// Runs with these words; it must succeed.
    pub(super) fn good(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.good(&[arguments, &["--json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// What of each tag of a repository a report says: `kept: keep_n 1/2`.
    pub(super) fn decisions(report: &Value, repository: &str) -> Vec<(String, String)> {
        let repositories = report["repositories"].as_array().unwrap();
        let found = repositories.iter().find(|it| it["name"] == repository).unwrap();
        let decision = |tag: &Value| {
            let text = |name: &str| tag[name].as_str().unwrap().to_owned();
            (text("tag"), format!("{}: {}", text("outcome"), text("rule")))
        };
        found["tags"].as_array().unwrap().iter().map(decision).collect()
    }

    pub(super) fn pusher(&self) -> Pusher {
        self.instance.pusher()
    }

    /// The tags of a repository.
    pub(super) fn tags(&self, repository: &str) -> Vec<String> {
        let answer = self.pusher().get(&format!("/v2/{repository}/tags/list")).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let list: Value = serde_json::from_slice(&answer.body).unwrap();
        let tags = list["tags"].as_array().unwrap().iter();
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn is_pulled(&self, repository: &str, tag: &str) {
        pull(&mut self.pusher(), repository, tag).unwrap();
    }
}

/// Pushes an image that says when it was made, with a layer of its own; returns its digest.
pub(super) fn push(pusher: &mut Pusher, repository: &str, tag: &str, created: &str) -> String {
    let config = json!({ "created": created, "os": "linux", "of": tag }).to_string();
    let layer = format!("layer of {repository}:{tag}").repeat(100);
    let image = Image::of(vec![layer.into_bytes()], config.into_bytes());
    image.push(pusher, repository, tag).unwrap();
    image.digest()
}
