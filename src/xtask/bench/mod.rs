//! `cargo xtask bench`: the release build beside Debian's docker-registry, in turns, on the same disk, with the limits
//! of the machine in the same report. Every answer is checked, so that errors cannot be fast.

mod bare;
mod bucket;
mod client;
mod collect;
mod content;
mod far;
mod fsync;
mod limits;
mod load;
mod machine;
mod migrate;
mod nginx;
mod online;
mod options;
mod pair;
mod parallel;
mod push;
mod reads;
mod report;
mod rows;
mod run;
mod running;
mod servers;
mod startup;
mod stats;
mod token;
mod transfer;
#[path = "../../../tests/it/support/way.rs"]
mod way;

pub(crate) use options::Options;
pub(crate) use rows::names as row_names;
pub(crate) use run::run;
