//! The matrix: what each client pushes, every client pulls, by tag and by digest, and all see the same digests.
//!
//! It is run in each place that a registry has: open and without TLS; and with passwords, and with the tokens of an issuer
//! that signs as GitLab Rails does, behind an nginx that ends TLS and where the registry ends it itself.

mod client;
mod image;
mod others;
mod place;

use super::fixture::Front;
use crate::clients::Way as _;
use client::Clients;
use image::Image;
use place::Place;

/// Pushes with everybody, and pulls with everybody what everybody has pushed.
fn fill(place: &Place) {
    let (image, clients) = (Image::new(), Clients::start());
    clients.log_in(place);
    for (pusher, client) in clients.all() {
        let name = place.image(&format!("from/{pusher}:v1"));
        let digest = client.push(place, &image, &name);
        let by_digest = place.image(&format!("from/{pusher}@{digest}"));
        for (puller, client) in clients.all() {
            for reference in [&name, &by_digest] {
                let pulled = client.pull(place, reference);
                let expected = (digest.clone(), image.config("amd64"));
                assert_eq!(pulled, expected, "{reference}, pulled by {puller}");
            }
        }
    }
}

/// Pushes an index, of which every client pulls its platform.
fn fill_with_an_index(place: &Place) {
    let (image, clients) = (Image::new(), Clients::start());
    clients.log_in(place);
    let name = place.image("index/app:multi");
    client::push_all(place, &image, &name);
    for (puller, client) in clients.all() {
        let (_, config) = client.pull(place, &name);
        assert_eq!(config, image.config("amd64"), "pulled by {puller}");
    }
}

#[test]
#[ignore = "needs dockerd, docker, containerd, ctr, skopeo, podman and buildah: run cargo xtask test"]
fn what_any_client_pushes_every_client_pulls_without_tls() {
    let place = Place::open();
    fill(&place);
    fill_with_an_index(&place);
}

#[test]
#[ignore = "needs nginx, dockerd, docker, containerd, ctr, skopeo, podman and buildah: run cargo xtask test"]
fn what_any_client_pushes_every_client_pulls_with_a_password() {
    let place = Place::with_passwords(Front::Nginx);
    fill(&place);
    fill_with_an_index(&place);
}

#[test]
#[ignore = "needs nginx, dockerd, docker, containerd, ctr, skopeo, podman and buildah: run cargo xtask test"]
fn what_any_client_pushes_every_client_pulls_with_tokens() {
    let place = Place::with_tokens(Front::Nginx);
    fill(&place);
    fill_with_an_index(&place);
}

#[test]
#[ignore = "needs dockerd, docker, containerd, ctr, skopeo, podman and buildah: run cargo xtask test"]
fn what_any_client_pushes_every_client_pulls_with_a_password_from_a_registry_that_ends_tls() {
    let place = Place::with_passwords(Front::Registry);
    fill(&place);
    fill_with_an_index(&place);
}

#[test]
#[ignore = "needs dockerd, docker, containerd, ctr, skopeo, podman and buildah: run cargo xtask test"]
fn what_any_client_pushes_every_client_pulls_with_tokens_from_a_registry_that_ends_tls() {
    let place = Place::with_tokens(Front::Registry);
    fill(&place);
    fill_with_an_index(&place);
}
