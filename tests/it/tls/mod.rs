//! An instance as users see it: a supervised nginx that ends TLS, users with passwords, and the clients they have.

mod busy;
mod client;
mod crowd;
mod day;
mod docker;
mod fixture;
mod interrupted;
mod locations;
mod matrix;
mod peer;
mod roll_back;
mod sendfile;
mod sendfile_as_root;
mod skopeo;
