//! Collecting the storage of an instance: the registry is brought into a state in which that is safe, and back.
//!
//! The work is done by another process, as the registry's own user; it holds the storage lock together with the command that
//! waits for it. What the registry was before is written down first and forgotten last, so that whoever comes after an interruption
//! brings it back.

mod pause;
mod record;

pub(crate) use pause::{Error as PauseError, Mode, Registry, bring_back, pause};
pub(crate) use record::{Outcome, Record};
