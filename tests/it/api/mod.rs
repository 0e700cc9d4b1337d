//! The API from outside: requests as bytes, answers as bytes, and the folder afterwards.

mod bad_requests;
mod behaviour;
pub(crate) mod blobs;
pub(crate) mod fixture;
mod folder;
pub(crate) mod lists;
pub(crate) mod manifests;
mod metrics;
mod proxies;
mod redirected;
mod specification;
mod table;
pub(crate) mod uploads;
mod urls;
