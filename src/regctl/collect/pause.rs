//! The registry's state while its storage is collected, and the way back from there.

use std::{error::Error as StdError, fmt};

use crate::state::{
    Holds, Layout,
    holds::{self, Before, Hold, HoldId, Kind},
    lock::Held,
};

/// In what state a registry is collected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Stop,
    ReadOnly,
    /// Read-only for some seconds: clients wait.
    Brief,
    Online,
}

/// The registry, as whoever supervises it reaches it.
pub(crate) trait Registry {
    type Error: StdError + Send + Sync + 'static;

    /// Whether it runs, or is meant to.
    fn is_up(&self) -> Result<bool, Self::Error>;

    /// Stops it, and returns when it has ended.
    fn stop(&self) -> Result<(), Self::Error>;

    /// Starts it, and returns when it serves.
    fn start(&self) -> Result<(), Self::Error>;

    /// Makes it read-only, or not, as the setting and the holds say; returns when it is so and nothing is written.
    fn follow_holds(&self) -> Result<(), Self::Error>;
}

/// A registry that was brought into another state.
#[derive(Debug)]
pub(crate) struct Paused {
    hold: Option<(HoldId, Kind)>,
    before: Before,
}

/// Why the registry is not in the state that it should be in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Holds(#[from] holds::Error),
    #[error("{what}")]
    Registry { what: What, source: Box<dyn StdError + Send + Sync> },
}

/// What was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    Look,
    Stop,
    Start,
    ReadOnly,
    Writable,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Look => "it is not known whether the registry runs; nothing was changed",
            Self::Stop => "the registry has not stopped; nothing was changed",
            Self::Start => "the registry was not started again",
            Self::ReadOnly => "the registry has not become read-only; nothing was changed",
            Self::Writable => "the registry is still read-only",
        })
    }
}

impl What {
    fn failed<E: StdError + Send + Sync + 'static>(self) -> impl FnOnce(E) -> Error {
        move |source| Error::Registry { what: self, source: Box::new(source) }
    }
}

/// Brings back what commands have left behind that are gone; returns their holds.
///
/// The storage lock stays where it is: who has it next finds the registry as it should be.
pub(crate) fn bring_back<R: Registry>(
    layout: &Layout,
    storage: &Held,
    registry: &R,
) -> Result<Vec<Hold>, Error> {
    let stale: Vec<Hold> = Holds::load(layout)?.all.into_iter().filter(Hold::is_stale).collect();
    if stale.is_empty() {
        return Ok(stale);
    }
    // The holds go last: who finds them knows what to bring back.
    Holds::let_go(layout, Hold::is_stale)?;
    if stale.iter().any(|hold| hold.kind == Kind::Stop && hold.before.running) {
        registry.start().map_err(What::Start.failed())?;
    }
    if stale.iter().any(|hold| hold.kind == Kind::ReadOnly) {
        registry.follow_holds().map_err(What::Writable.failed())?;
    }
    Ok(Holds::clear_stale(layout, storage)?)
}

/// Brings the registry into the state in which it is collected. Whatever fails, it is brought back.
pub(crate) fn pause<R: Registry>(
    layout: &Layout,
    mode: Mode,
    (command, reason): (&str, &str),
    registry: &R,
) -> Result<Paused, Error> {
    let held = Holds::load(layout)?;
    // Somebody else's stop is about to end: what was before that one counts.
    let is_held = held.stopped().is_some_and(|hold| hold.before.running);
    let running = is_held || registry.is_up().map_err(What::Look.failed())?;
    let before = Before { running, read_only: held.are_read_only() };
    let kind = match mode {
        // Nobody is to start it meanwhile: the storage belongs to the collection alone.
        _ if !running => Kind::Stop,
        Mode::Stop => Kind::Stop,
        Mode::ReadOnly | Mode::Brief => Kind::ReadOnly,
        Mode::Online => return Ok(Paused { hold: None, before }),
    };
    let id = Hold::take(layout, (kind, mode == Mode::Brief), command, reason, before)?;
    let paused = Paused { hold: Some((id, kind)), before };
    let reached = match kind {
        Kind::Stop => registry.stop().map_err(What::Stop.failed()),
        Kind::ReadOnly => registry.follow_holds().map_err(What::ReadOnly.failed()),
    };
    match reached {
        Ok(()) => Ok(paused),
        Err(error) => {
            // The first failure is the one that is told.
            let _ = paused.end(layout, registry);
            Err(error)
        }
    }
}

impl Paused {
    /// Whether the registry ran before.
    pub(crate) fn was_running(&self) -> bool {
        self.before.running
    }

    /// Brings the registry back to what it was. Only then is the storage anybody else's.
    pub(crate) fn end<R: Registry>(self, layout: &Layout, registry: &R) -> Result<(), Error> {
        let Some((id, kind)) = self.hold else { return Ok(()) };
        // The hold goes last: who finds it knows what to bring back.
        Holds::let_go(layout, |hold| hold.id == id)?;
        match kind {
            Kind::Stop if self.before.running => registry.start().map_err(What::Start.failed())?,
            Kind::Stop => {}
            Kind::ReadOnly => registry.follow_holds().map_err(What::Writable.failed())?,
        }
        Hold::release(layout, &id)?;
        Ok(())
    }
}
