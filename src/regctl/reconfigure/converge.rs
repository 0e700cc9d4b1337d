//! From an edited `instance.toml` to files that say the same, under the instance lock.

use std::mem;

use super::{
    accounts, apply,
    desired::{self, Desired},
    plan::Plan,
};
use crate::state::{Layout, Lock, Patience, lock};

/// Who wants the change, and how long they wait for somebody else's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The command, as others are told it.
    pub(crate) command: &'a str,
    pub(crate) patience: Patience,
}

/// Why the files are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Desired(#[from] desired::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
}

/// Looks at what would change, and changes nothing.
pub(crate) fn preview(layout: &Layout) -> Result<(Desired, Plan), Error> {
    look(layout, None)
}

fn look(layout: &Layout, earlier: Option<&Desired>) -> Result<(Desired, Plan), Error> {
    let desired = Desired::load(layout, earlier)?;
    let plan = desired.plan(layout)?;
    Ok((desired, plan))
}

/// Makes the files what they should be, and returns what was changed; `waits` is told who holds the lock.
///
/// Nothing to do needs no lock: it was true when it was looked at, and an instance that is left alone is not
/// touched at all.
pub(crate) fn converge(
    layout: &Layout,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
) -> Result<(Desired, Plan), Error> {
    let (desired, plan) = preview(layout)?;
    if plan.is_empty() {
        return Ok((desired, plan));
    }
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    // Everything may have changed since the look.
    apply::complete(layout)?;
    let (mut desired, mut plan) = look(layout, Some(&desired))?;
    let created = mem::take(&mut plan.accounts);
    if !created.is_empty() {
        accounts::create(&created)?;
        // What is to be theirs has its owner's id only now.
        (desired, plan) = look(layout, Some(&desired))?;
    }
    apply::apply(layout, &plan)?;
    plan.accounts = created;
    Ok((desired, plan))
}
