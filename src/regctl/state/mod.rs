//! What an instance keeps on disk besides its configuration: its layout, its generated secrets, its users, the lock on
//! its configuration, and the journal of a change that has begun.

pub(crate) mod journal;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod secrets;
pub(crate) mod users;

pub(crate) use journal::Journal;
pub(crate) use layout::Layout;
pub(crate) use lock::{InstanceLock, Patience};
pub(crate) use secrets::Secrets;
