//! Collections beside this registry, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Page;

/// What collections have asked this registry to remove, since it started.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    begun: AtomicU64,
    removed: AtomicU64,
    kept: AtomicU64,
    failed: AtomicU64,
}

/// What became of an object that a collection takes for garbage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Removed,
    Kept,
    Failed,
}

impl Collections {
    pub(crate) fn begins(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ends(&self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Removed => &self.removed,
            Outcome::Kept => &self.kept,
            Outcome::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the families to a page.
    pub(crate) fn write(&self, page: &mut Page, is_running: bool) {
        let help = "Whether a collection runs beside the registry.";
        page.single("registry_gc_running", "gauge", help, u64::from(is_running));
        let help = "Collections that have begun beside the registry.";
        page.single("registry_gc_runs_total", "counter", help, self.begun.load(Ordering::Relaxed));
        let help = "Objects that they took for garbage, by what became of each.";
        page.family("registry_gc_objects_total", "counter", help);
        for (result, count) in
            [("removed", &self.removed), ("kept", &self.kept), ("failed", &self.failed)]
        {
            page.sample("", &[("result", result)], count.load(Ordering::Relaxed));
        }
    }
}
