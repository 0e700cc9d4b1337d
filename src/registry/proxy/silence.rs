//! Who is not asked because of what was not answered: nobody waits again so soon for a registry that is away, or for a
//! repository of it that hangs.
//!
//! When the pause is over one request may ask; the others wait for what becomes of it no longer than before.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oci::RepositoryName;

use super::error::Error;

/// What said nothing in time is left alone for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// Repositories that are remembered; with more of them the registry itself is at fault.
const REPOSITORIES: usize = 1000;

/// Who said nothing lately, and until when they are left alone.
#[derive(Debug, Default)]
pub(super) struct Silence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// No connection came about.
    registry: Option<Instant>,
    /// There was a connection, and no answer.
    repositories: HashMap<RepositoryName, Instant>,
}

impl Silence {
    /// Whether a request may be made now. Who may asks for all until it is answered.
    pub(super) fn check(&self, name: &RepositoryName) -> Result<(), Error> {
        self.check_at(name, Instant::now())
    }

    fn check_at(&self, name: &RepositoryName, now: Instant) -> Result<(), Error> {
        let mut state = self.state();
        let State { registry, repositories } = &mut *state;
        let known = || registry.iter().chain(repositories.get(name));
        if known().any(|until| *until > now) {
            return Err(Error::Silent);
        }
        let next = now + PAUSE;
        registry.iter_mut().chain(repositories.get_mut(name)).for_each(|until| *until = next);
        Ok(())
    }

    /// Notes that there was an answer, whatever it was.
    pub(super) fn broken(&self, name: &RepositoryName) {
        let mut state = self.state();
        state.registry = None;
        state.repositories.remove(name);
    }

    /// Notes that no connection came about in time.
    pub(super) fn of_registry(&self) {
        self.state().registry = Some(Instant::now() + PAUSE);
    }

    /// Notes that a request was taken, and not answered in time: others may still be.
    pub(super) fn of_repository(&self, name: &RepositoryName) {
        let mut state = self.state();
        let now = Instant::now();
        if state.repositories.len() >= REPOSITORIES {
            state.repositories.retain(|_, until| *until > now);
        }
        if state.repositories.len() >= REPOSITORIES {
            state.registry = Some(now + PAUSE);
            return;
        }
        state.repositories.insert(name.clone(), now + PAUSE);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_hangs_silences_itself_and_a_registry_that_is_away_everything() {
        let silence = Silence::default();
        let (hangs, good) = ("hangs".parse().unwrap(), "good".parse().unwrap());
        silence.of_repository(&hangs);
        assert!(silence.check(&hangs).is_err() && silence.check(&good).is_ok());
        silence.broken(&good);
        assert!(silence.check(&hangs).is_err());
        silence.of_registry();
        assert!(silence.check(&good).is_err());
        silence.broken(&hangs);
        assert!(silence.check(&hangs).is_ok() && silence.check(&good).is_ok());
    }

    #[test]
    fn one_request_may_ask_when_the_pause_is_over() {
        let silence = Silence::default();
        let name = "app".parse().unwrap();
        silence.of_registry();
        let later = Instant::now() + PAUSE + Duration::from_secs(1);
        assert!(silence.check_at(&name, later).is_ok());
        assert!(silence.check_at(&name, later).is_err(), "somebody asks already");
        assert!(silence.check_at(&name, later + PAUSE).is_ok(), "it may have gone");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let silence = Silence::default();
        for index in 0..REPOSITORIES + 1 {
            silence.of_repository(&format!("app/{index}").parse().unwrap());
        }
        assert_eq!(silence.state().repositories.len(), REPOSITORIES);
        assert!(silence.check(&"another".parse().unwrap()).is_err());
    }
}
