//! An instance with an image that stays and content that nobody needs.

use std::fs;

use serde_json::Value;

use crate::{
    faults::{Image, Rng, pull},
    supervise::{Instance, pid},
    support::{Ran, pusher::digest},
};

pub(super) const COLLECT: &str = "registry-garbage-collect";

const HOLDS: &str = "var/opt/regctl/state/holds.json";

/// The instance, and what is in it.
pub(super) struct Site {
    pub(super) instance: Instance,
    kept: Image,
    gone: Image,
}

impl Site {
    /// A registry that serves; `more` is the rest of `[registry]` in instance.toml.
    pub(super) fn with(more: &str) -> Self {
        let instance = Instance::serving(more);
        let mut rng = Rng::new(7001);
        let (kept, gone) =
            (Image::new(&mut rng, &[3000, 200]), Image::new(&mut rng, &[4000, 300, 20]));
        let mut pusher = instance.pusher();
        kept.push(&mut pusher, "app", "kept").unwrap();
        gone.push(&mut pusher, "app", "gone").unwrap();
        let target = format!("/v2/app/manifests/{}", gone.digest());
        assert_eq!(pusher.delete(&target).unwrap().status, 202);
        Self { instance, kept, gone }
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.instance.run(arguments)
    }

    /// Collects with these words after the command's name; it must succeed.
    pub(super) fn collect(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(&[&[COLLECT], arguments].concat());
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran
    }

    /// The registry's process.
    pub(super) fn pid(&self) -> i32 {
        pid(&self.instance.registry())
    }

    pub(super) fn is_down(&self) -> bool {
        self.instance.registry()["pid"].is_null()
    }

    /// Whether everything is there that nobody needs.
    pub(super) fn has_garbage(&self) -> bool {
        let blobs = self.instance.store().blobs();
        let there = self.gone.blobs.iter().filter(|blob| blobs.contains(&digest(blob))).count();
        assert!(there == 0 || there == self.gone.blobs.len(), "{there} of it");
        there > 0
    }

    /// Whether some of it is there.
    pub(super) fn has_garbage_left(&self) -> bool {
        let blobs = self.instance.store().blobs();
        self.gone.blobs.iter().any(|blob| blobs.contains(&digest(blob)))
    }

    /// The image of which nobody needs anything.
    pub(super) fn gone(&self) -> &Image {
        &self.gone
    }

    /// A blob that nobody needs.
    pub(super) fn garbage(&self) -> &[u8] {
        &self.gone.blobs[0]
    }

    /// The registry serves the image that stays, takes another one, and nobody keeps it from anything.
    pub(super) fn serves(&self) {
        assert_eq!(self.holds(), [Value::Null; 0]);
        self.is_pulled();
        let mut pusher = self.instance.pusher();
        Image::new(&mut Rng::new(7002), &[100]).push(&mut pusher, "app", "new").unwrap();
        assert_eq!(self.instance.store().problems(), [""; 0]);
    }

    pub(super) fn is_pulled(&self) {
        let pulled = pull(&mut self.instance.pusher(), "app", "kept");
        assert_eq!(pulled, Ok(self.kept.digest()));
    }

    /// How a push of a blob is answered.
    pub(super) fn push_status(&self) -> u16 {
        self.instance.pusher().post_blob("app", b"whatever").unwrap().status
    }

    pub(super) fn holds(&self) -> Vec<Value> {
        let Ok(text) = fs::read_to_string(self.instance.world.path(HOLDS)) else { return vec![] };
        let document: Value = serde_json::from_str(&text).unwrap();
        document["holds"].as_array().unwrap().clone()
    }

    /// What `status` says.
    pub(super) fn status(&self) -> String {
        self.run(&["status"]).stdout
    }
}
