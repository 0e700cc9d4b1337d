//! From an edited `instance.toml` to files that say the same, under the instance lock.

use std::{error::Error as StdError, mem};

use super::{
    accounts, apply,
    desired::{self, Desired},
    plan::Plan,
    system::{self, Activation},
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
    System(#[from] system::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
    #[error(transparent)]
    Services(Source),
    /// The services did not serve with the new files, and do with the former ones.
    #[error("the change was undone, and the former configuration serves: {0}")]
    RolledBack(Source),
    /// Nor do they with the former ones.
    #[error("the change was undone because of this: {because}; and that failed too")]
    NotRolledBack { because: Source, source: Source },
}

type Source = Box<dyn StdError + Send + Sync>;

/// Looks at what would change, and changes nothing.
pub(crate) fn preview(layout: &Layout) -> Result<(Desired, Plan), Error> {
    look(layout, None)
}

fn look(layout: &Layout, earlier: Option<&Desired>) -> Result<(Desired, Plan), Error> {
    let desired = Desired::load(layout, earlier)?;
    let plan = desired.plan(layout)?;
    Ok((desired, plan))
}

/// The services that read the files. Whoever composes this crate says how they are reached.
pub(crate) trait Services {
    /// What was done to them.
    type Acted;
    type Error: StdError + Send + Sync + 'static;

    /// Whether they run on the files as they are.
    fn are_current(&self) -> Result<bool, Self::Error>;

    /// Has them take the files as they are now, and returns when they serve.
    fn act(&self, desired: &Desired) -> Result<Self::Acted, Self::Error>;

    /// Waits until they serve, after the system was told to start them.
    fn started(&self, desired: &Desired) -> Result<(), Self::Error>;
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Converged<A> {
    pub(crate) desired: Desired,
    pub(crate) plan: Plan,
    /// None: nothing had to be done.
    pub(crate) acted: Option<A>,
}

/// Makes the files what they should be, and has the services take them; `waits` is told who holds the lock.
///
/// Services that do not serve then get their former files back, and so does the disk. Nothing to do needs no
/// lock: it was true when it was looked at, and an instance that is left alone is not touched at all.
pub(crate) fn converge<S: Services>(
    layout: &Layout,
    claim: Claim<'_>,
    waits: impl FnOnce(&str),
    services: &S,
) -> Result<Converged<S::Acted>, Error> {
    let failed = |error: S::Error| Error::Services(Box::new(error));
    let (desired, plan) = preview(layout)?;
    if plan.is_empty() && services.are_current().map_err(failed)? {
        return Ok(Converged { desired, plan, acted: None });
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
    plan.activation.iter().try_for_each(|activation| activation.prepare(layout))?;
    apply::apply(layout, &plan)?;
    let acted = match services.act(&desired) {
        Ok(acted) => acted,
        Err(error) => {
            return Err(roll_back(layout, &desired, &plan, services, Box::new(error)));
        }
    };
    if let Some(activation) = plan.activation {
        activation.perform(layout)?;
        if activation == Activation::Enable {
            services.started(&desired).map_err(failed)?;
        }
    }
    plan.accounts = created;
    Ok(Converged { desired, plan, acted: Some(acted) })
}

/// Puts the former files back and has the services take them; returns what to say of it all.
fn roll_back<S: Services>(
    layout: &Layout,
    desired: &Desired,
    plan: &Plan,
    services: &S,
    because: Source,
) -> Error {
    let back = plan.reversed(layout);
    if back.is_empty() {
        return Error::Services(because);
    }
    if let Err(error) = apply::apply(layout, &back) {
        return Error::NotRolledBack { because, source: Box::new(error) };
    }
    match services.act(desired) {
        Ok(_) => Error::RolledBack(because),
        Err(error) => Error::NotRolledBack { because, source: Box::new(error) },
    }
}
