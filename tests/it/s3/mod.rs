//! A registry whose storage is a bucket, on a real server: what clients see, what upstream sees, what is said when it
//! cannot work, and what is collected.

mod api;
mod bucket;
mod collected;
mod instance;
mod leases;
mod nodes;
mod refused;
mod uploads;
mod upstream;
