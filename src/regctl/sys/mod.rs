//! The operating system: files, randomness, ports, the host, and the async runtime.

pub(crate) mod fs;
pub(crate) mod host;
pub(crate) mod port;
pub(crate) mod random;
pub(crate) mod runtime;
