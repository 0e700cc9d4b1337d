//! Checks that take the registry out of service while they fail, and put it back when they no longer do.
//!
//! Each is made at its own pace, for the first time after one interval. Whoever answers requests looks at one flag.

mod checks;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{config, content::Content};
use checks::Check;

/// What Distribution calls the check that an administrator lets fail.
const BY_HAND: &str = "manual_http_status";

/// What it says then.
const SAID_BY_HAND: &str = "manual Check";

/// How a registry is.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_ill: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the check's number: its name, and what is wrong.
    failing: BTreeMap<usize, (String, String)>,
    is_down: bool,
}

impl Health {
    /// Whether no request should be served.
    pub(crate) fn is_ill(&self) -> bool {
        self.is_ill.load(Ordering::Relaxed)
    }

    /// The checks that fail, and why.
    pub(crate) fn failing(&self) -> BTreeMap<String, String> {
        let state = self.lock();
        let by_hand = state.is_down.then(|| (BY_HAND.to_owned(), SAID_BY_HAND.to_owned()));
        state.failing.values().cloned().chain(by_hand).collect()
    }

    /// Takes the registry out of service by hand, or puts it back; says whether that is news.
    pub(crate) fn set_down(&self, is_down: bool) -> bool {
        let mut state = self.lock();
        let was_down = std::mem::replace(&mut state.is_down, is_down);
        self.settle(&state);
        was_down != is_down
    }

    /// Notes what came of a check; says whether it failed until now.
    fn note(&self, number: usize, name: &str, fault: Option<String>) -> bool {
        let mut state = self.lock();
        let before = match fault {
            Some(fault) => state.failing.insert(number, (name.to_owned(), fault)),
            None => state.failing.remove(&number),
        };
        self.settle(&state);
        before.is_some()
    }

    /// What is checked from now on, by name: what fails of it goes on failing until it is looked at, and the rest
    /// is forgotten.
    fn begin<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut state = self.lock();
        let faults: BTreeMap<_, _> = std::mem::take(&mut state.failing).into_values().collect();
        let failing = |(number, name): (usize, &str)| {
            Some((number, (name.to_owned(), faults.get(name)?.clone())))
        };
        state.failing = names.enumerate().filter_map(failing).collect();
        self.settle(&state);
    }

    fn settle(&self, state: &State) {
        self.is_ill.store(state.is_down || !state.failing.is_empty(), Ordering::Relaxed);
    }

    /// What is there is replaced entry by entry: it is whole, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks until dropped; begins anew when the settings change.
pub(crate) async fn run(
    health: Arc<Health>,
    content: Content,
    mut settings: watch::Receiver<config::Health>,
) -> Infallible {
    loop {
        let checks = checks::of(&settings.borrow_and_update(), &content);
        health.begin(checks.iter().map(|check| check.name.as_str()));
        let mut running = JoinSet::new();
        for (number, check) in checks.into_iter().enumerate() {
            running.spawn(repeat(Arc::clone(&health), number, check));
        }
        if settings.changed().await.is_err() {
            // Nobody is left who could change them, or who waits for this.
            return pending().await;
        }
        running.shutdown().await;
    }
}

/// Makes one check again and again.
async fn repeat(health: Arc<Health>, number: usize, check: Check) {
    let mut failures = 0_u32;
    loop {
        sleep(check.pace.interval).await;
        let Err(fault) = check.once().await else {
            failures = 0;
            if health.note(number, &check.name, None) {
                tracing::info!(check = check.name, "the health check is good again");
            }
            continue;
        };
        failures = failures.saturating_add(1);
        if failures < check.pace.threshold {
            tracing::warn!(check = check.name, error = fault, failures, "a health check failed");
        } else if !health.note(number, &check.name, Some(fault.clone())) {
            let check = &check.name;
            tracing::error!(check, error = fault, "a health check fails: requests get 503");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failing_check_is_enough_and_all_must_be_good_again() {
        let health = Health::default();
        assert!(!health.is_ill());
        assert!(!health.note(0, "a", Some("broken".to_owned())));
        assert!(!health.note(1, "b", Some("gone".to_owned())));
        assert!(health.note(0, "a", None));
        assert!(health.is_ill());
        assert_eq!(health.failing(), [("b".to_owned(), "gone".to_owned())].into());
        assert!(health.note(1, "b", None));
        assert!(!health.is_ill() && health.failing().is_empty());
    }

    #[test]
    fn what_fails_fails_until_it_is_looked_at_under_other_settings_too() {
        let health = Health::default();
        for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
            health.note(number, name, Some("broken".to_owned()));
        }
        health.begin(["d", "c", "a"].into_iter());
        let broken = |name: &str| (name.to_owned(), "broken".to_owned());
        assert_eq!(health.failing(), [broken("a"), broken("c")].into());
        assert!(health.note(1, "c", None) && health.is_ill());
        assert!(health.note(2, "a", None) && !health.is_ill());
    }

    #[test]
    fn what_is_down_by_hand_stays_so_whatever_checks_say() {
        let health = Health::default();
        assert!(health.set_down(true) && !health.set_down(true));
        health.note(0, "a", None);
        health.begin([].into_iter());
        assert!(health.is_ill());
        assert!(health.failing().contains_key(BY_HAND));
        assert!(health.set_down(false) && !health.is_ill());
    }
}
