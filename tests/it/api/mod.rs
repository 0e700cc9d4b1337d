//! The API from outside: requests as bytes, answers as bytes, and the folder afterwards.

mod bad_requests;
mod blobs;
mod fixture;
mod folder;
mod lists;
mod manifests;
mod metrics;
mod proxies;
mod specification;
mod uploads;
mod urls;
