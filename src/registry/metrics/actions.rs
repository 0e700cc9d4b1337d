//! What the storage is asked for, how long it takes, and how often it fails.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    Page, SHARDS,
    histogram::{Counted, Histogram, STORAGE_NANOSECONDS},
    own_shard,
};

/// An action of the storage, under Distribution's name for it.
///
/// `URLFor` is none: these drivers make no URLs. `Walk` is `List`, folder by folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    GetContent,
    PutContent,
    Reader,
    Writer,
    Stat,
    List,
    Move,
    Delete,
    /// Which Distribution has not: its drivers make folders by the way.
    CreateFolder,
}

impl Action {
    const ALL: [Self; 9] = [
        Self::GetContent,
        Self::PutContent,
        Self::Reader,
        Self::Writer,
        Self::Stat,
        Self::List,
        Self::Move,
        Self::Delete,
        Self::CreateFolder,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::GetContent => "GetContent",
            Self::PutContent => "PutContent",
            Self::Reader => "Reader",
            Self::Writer => "Writer",
            Self::Stat => "Stat",
            Self::List => "List",
            Self::Move => "Move",
            Self::Delete => "Delete",
            Self::CreateFolder => "CreateFolder",
        }
    }
}

/// All actions of one storage.
#[derive(Debug)]
pub(crate) struct Actions {
    shards: Box<[Shard]>,
}

/// Aligned as those of requests are.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    actions: [OfAction; Action::ALL.len()],
}

#[derive(Debug, Default)]
struct OfAction {
    took: Histogram<{ STORAGE_NANOSECONDS.len() }>,
    failed: AtomicU64,
}

impl Actions {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Counts an action that has ended; what is not there is no failure of the storage.
    pub(crate) fn count(&self, action: Action, took: Duration, has_failed: bool) {
        let of = &self.shards[own_shard()].actions[action as usize];
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        of.took.count(&STORAGE_NANOSECONDS, took);
        if has_failed {
            of.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what was counted of the driver of that name.
    pub(crate) fn write(&self, page: &mut Page, driver: &str) {
        let help = "The number of seconds that the storage action takes";
        page.family("registry_storage_action_seconds", "histogram", help);
        for action in Action::ALL {
            let mut counted = Counted::default();
            self.of(action).for_each(|of| of.took.add_to(&mut counted));
            if counted.all > 0 {
                let labels = [("action", action.label()), ("driver", driver)];
                page.histogram(&labels, &STORAGE_NANOSECONDS, &counted, 1e9);
            }
        }
        let help = "Actions of the storage that failed, what was merely not there left out.";
        page.family("registry_storage_errors_total", "counter", help);
        for action in Action::ALL {
            let failed: u64 = self.of(action).map(|of| of.failed.load(Ordering::Relaxed)).sum();
            page.sample("", &[("action", action.label()), ("driver", driver)], failed);
        }
    }

    fn of(&self, action: Action) -> impl Iterator<Item = &OfAction> {
        self.shards.iter().map(move |shard| &shard.actions[action as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_counted_by_how_long_they_took_and_whether_they_failed() {
        let actions = Actions::new();
        actions.count(Action::Stat, Duration::from_micros(300), false);
        actions.count(Action::Stat, Duration::from_millis(3), true);
        let mut page = Page::default();
        actions.write(&mut page, "filesystem");
        let text = page.into_text();
        for line in [
            "registry_storage_action_seconds_bucket{action=\"Stat\",driver=\"filesystem\",le=\"0.0005\"} 1",
            "registry_storage_action_seconds_bucket{action=\"Stat\",driver=\"filesystem\",le=\"0.005\"} 2",
            "registry_storage_action_seconds_count{action=\"Stat\",driver=\"filesystem\"} 2",
            "registry_storage_errors_total{action=\"Stat\",driver=\"filesystem\"} 1",
            "registry_storage_errors_total{action=\"List\",driver=\"filesystem\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("action_seconds_count{action=\"List\""), "{text}");
    }
}
