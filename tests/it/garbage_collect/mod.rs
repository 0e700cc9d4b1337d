//! `regctl registry-garbage-collect` from outside: the real command, a real supervisor and a real registry, and what is left of
//! all three whatever comes in between.
//!
//! A collection is made to last by not reading what it says: it lists what goes before it removes any of it.

mod account;
mod beside;
mod bucket;
mod chaos;
mod hold;
mod interrupted;
mod read_only;
mod reconfigure;
mod site;
mod stopped;
mod upstream;
