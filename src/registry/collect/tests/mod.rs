//! Collections: of invented stores against an oracle, and of real folders.

mod circles;
mod folder;
mod invented;
mod oracle;
mod properties;
mod sweeps;
mod traps;
