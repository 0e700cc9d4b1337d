//! `regctl cleanup-policy` on an instance that serves: what it says, what it deletes, and what comes back.

mod alone;
mod immutable;
mod policies;
mod run;
mod site;
mod usage;
