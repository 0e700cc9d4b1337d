//! Whoever works on the storage is left to it: nothing moves the storage away from under them, and nothing starts a registry
//! that they keep stopped.

use super::{
    desired::{self, Desired},
    plan::Plan,
    storage_folder,
    system::Activation,
};
use crate::state::{
    Holds, Layout, Lock, Patience, Services,
    holds::{self, Hold},
    lock::{self, Held},
};

/// Why the change has to wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "the storage would become {new} instead of {old} while a command works on it; nothing was changed"
    )]
    Moves { old: String, new: String, source: Box<lock::Error> },
    #[error("the registry would be started while it is kept stopped by {0}; nothing was changed")]
    Starts(Box<Hold>),
    #[error(transparent)]
    Desired(#[from] Box<desired::Error>),
    #[error(transparent)]
    Lock(lock::Error),
    #[error(transparent)]
    Holds(#[from] holds::Error),
}

/// Makes sure that a change disturbs nobody. What is returned keeps others off the storage until the change is made.
pub(super) fn check(
    layout: &Layout,
    desired: &Desired,
    plan: &Plan,
    command: &str,
) -> Result<Option<Held>, Error> {
    if starts(layout, desired, plan) {
        kept_stopped(layout)?;
    }
    let moved = storage_folder::moved(layout, &desired.instance, &desired.registry);
    let Some((old, new)) = moved.map_err(|error| Box::new(desired::Error::from(error)))? else {
        return Ok(None);
    };
    // Nobody waits for hours with a change that was meant for now.
    match Lock::Storage.acquire(layout, command, Patience::None, |_| {}) {
        Ok(held) => Ok(Some(held)),
        Err(error @ lock::Error::Held { .. }) => {
            Err(Error::Moves { old, new, source: Box::new(error) })
        }
        Err(error) => Err(Error::Lock(error)),
    }
}

/// Whether the change starts a registry that did not run before.
fn starts(layout: &Layout, desired: &Desired, plan: &Plan) -> bool {
    let was_enabled = Services::load(layout).is_ok_and(|services| services.registry.enabled);
    let is_enabled = desired.instance.registry.enable;
    is_enabled && (!was_enabled || plan.activation == Some(Activation::Enable))
}

/// Fails while somebody who is alive keeps the registry stopped.
fn kept_stopped(layout: &Layout) -> Result<(), Error> {
    let holds = Holds::load(layout)?.all.into_iter();
    let mut stops = holds.filter(|hold| hold.kind == holds::Kind::Stop);
    match stops.find(|hold| !hold.is_over && !hold.is_stale()) {
        Some(hold) => Err(Error::Starts(Box::new(hold))),
        None => Ok(()),
    }
}
