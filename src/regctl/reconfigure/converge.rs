//! From an edited `instance.toml` to files that say the same, under the instance lock.

use std::{error::Error as StdError, mem};

use super::{
    accounts, apply,
    desired::{self, Desired},
    former::{self, Former},
    plan::Plan,
    system::{self, Activation},
    undisturbed,
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
    /// Somebody works on the storage.
    #[error(transparent)]
    Disturbs(#[from] undisturbed::Error),
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    #[error(transparent)]
    System(#[from] system::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
    #[error(transparent)]
    Former(#[from] former::Error),
    #[error(transparent)]
    Services(Source),
    /// The services did not serve with the new files, and do with the former ones.
    #[error("the change was undone, and the former configuration serves: {0}")]
    RolledBack(Source),
    /// Nor do they with the former ones.
    #[error("the change was undone because of this: {because}; and that failed too")]
    NotRolledBack { because: Source, source: Source },
}

/// Why services are not left with the files that they were given.
pub(super) type Source = Box<dyn StdError + Send + Sync>;

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

    /// Has them take the files as they are now, and returns when they serve; `desired` is what the files were made
    /// from, when that is known.
    fn act(&self, desired: Option<&Desired>) -> Result<Self::Acted, Self::Error>;

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
    /// What went wrong with the files in place, and nobody to go back to.
    pub(crate) late: Option<Error>,
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
    let is_settled = plan.is_empty() && Former::load(layout)?.is_none();
    if is_settled && services.are_current().map_err(failed)? {
        return Ok(Converged { desired, plan, acted: None, late: None });
    }
    let _lock = Lock::Instance.acquire(layout, claim.command, claim.patience, waits)?;
    // Everything may have changed since the look.
    apply::complete(layout)?;
    let (mut desired, mut plan) = look(layout, Some(&desired))?;
    // What somebody works on stays where it is until it is seen that the services have taken all of it.
    let _storage = undisturbed::check(layout, &desired, &plan, claim.command)?;
    let created = mem::take(&mut plan.accounts);
    if !created.is_empty() {
        accounts::create(&created)?;
        // What is to be theirs has its owner's id only now.
        (desired, plan) = look(layout, Some(&desired))?;
    }
    let former = remember(layout, &plan)?;
    plan.activation.iter().try_for_each(|activation| activation.prepare(layout))?;
    apply::apply(layout, &plan)?;
    let acted = match services.act(Some(&desired)) {
        Ok(acted) => acted,
        Err(error) => return Err(roll_back(layout, &former, services, Box::new(error))),
    };
    Former::forget(layout).map_err(former::Error::from)?;
    let late = activate(layout, &desired, plan.activation, services).err();
    plan.accounts = created;
    Ok(Converged { desired, plan, acted: Some(acted), late })
}

/// Notes how the files are before they change, for whoever has to go back.
pub(super) fn remember(layout: &Layout, plan: &Plan) -> Result<Former, former::Error> {
    let mut former = Former::load(layout)?.unwrap_or_default();
    former.add(plan, layout)?;
    if !plan.changes.is_empty() {
        former.save(layout)?;
    }
    Ok(former)
}

/// Tells the system of a unit that is new or has changed.
fn activate<S: Services>(
    layout: &Layout,
    desired: &Desired,
    activation: Option<Activation>,
    services: &S,
) -> Result<(), Error> {
    let Some(activation) = activation else { return Ok(()) };
    activation.perform(layout)?;
    match activation {
        Activation::Enable => {
            services.started(desired).map_err(|error| Error::Services(Box::new(error)))
        }
        Activation::Reload | Activation::Disable => Ok(()),
    }
}

/// Puts the former files back and has the services take them; returns what to say of it all.
pub(super) fn roll_back<S: Services>(
    layout: &Layout,
    former: &Former,
    services: &S,
    because: Source,
) -> Error {
    match go_back(layout, former, services) {
        Ok(true) => Error::RolledBack(because),
        Ok(false) => Error::Services(because),
        Err(source) => Error::NotRolledBack { because, source },
    }
}

/// Says whether there was anything to go back to.
fn go_back<S: Services>(layout: &Layout, former: &Former, services: &S) -> Result<bool, Source> {
    let back = former.way_back()?;
    if back.is_empty() {
        Former::forget(layout)?;
        return Ok(false);
    }
    apply::apply(layout, &back)?;
    Former::forget(layout)?;
    services.act(None)?;
    Ok(true)
}
