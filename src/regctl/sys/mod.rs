//! The operating system: files, randomness, ports, limits, the host, and the async runtime.

pub(crate) mod fs;
pub(crate) mod host;
pub(crate) mod limits;
pub(crate) mod port;
pub(crate) mod random;
pub(crate) mod runtime;
