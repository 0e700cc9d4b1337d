//! The operating system: files, locks, programs, randomness, time, ports, limits, the host, and the async
//! runtime.

pub(crate) mod clock;
pub(crate) mod fs;
pub(crate) mod host;
pub(crate) mod limits;
pub(crate) mod lock;
pub(crate) mod managed;
pub(crate) mod owned;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod runtime;
pub(crate) mod scratch;
pub(crate) mod stage;
pub(crate) mod stdin;
