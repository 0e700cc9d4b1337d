//! The clients people use, each against a demo instance: what they push is what they pull.

mod artifacts;
mod buildah;
mod containerd;
mod crane;
mod curl;
mod docker;
pub(crate) mod large;
mod podman;
pub(crate) mod skopeo;
mod umoci;

pub(crate) use containerd::Containerd;
pub(crate) use podman::Store;

/// Returns the status in a line of the access log.
fn status(line: &str) -> &str {
    let (_, rest) = line.split_once("HTTP/1.1\" ").unwrap();
    rest.split_once(' ').unwrap().0
}
