//! The clients people use, each against a demo instance: what they push is what they pull.

pub(crate) mod artifacts;
mod buildah;
mod containerd;
pub(crate) mod crane;
mod curl;
pub(crate) mod docker;
pub(crate) mod large;
pub(crate) mod podman;
pub(crate) mod skopeo;
mod transport;
pub(crate) mod umoci;
mod way;

pub(crate) use containerd::Containerd;
pub(crate) use podman::Store;
pub(crate) use way::Way;

/// Returns the status in a line of the access log.
fn status(line: &str) -> &str {
    let (_, rest) = line.split_once("HTTP/1.1\" ").unwrap();
    rest.split_once(' ').unwrap().0
}
