//! `regctl migrate-storage`: an instance moves from its folder to a bucket, and back, while it is used.

mod account;
mod back;
mod faulty;
mod moved;
mod refused;
mod site;
