//! The clients that are not in the matrix, at the same places: lists that podman makes, images that umoci changes, and
//! what ORAS, Helm, cosign, crane and kaniko push, request by request. Lists that docker makes have their place beside
//! its other tests: its program speaks no TLS to what is on this machine.

use super::{image::Image, place::Place};
use crate::{
    clients::{artifacts, crane, podman, umoci},
    tls::fixture::Front,
};

/// Everything that the others do.
fn work(place: &Place) {
    let image = Image::new();
    let image = image.layout();
    podman::a_list_is_made(place, image);
    umoci::an_image_is_changed(place, image);
    artifacts::artifacts_are_attached(place, image);
    artifacts::a_signature_is_tagged(place, image);
    artifacts::a_chart_is_pushed_and_pulled(place);
    crane::an_image_is_streamed(place);
    crane::an_image_is_copied_and_deleted(place, image);
}

#[test]
#[ignore = "needs nginx, curl, skopeo, podman and umoci: run cargo xtask test"]
fn the_others_work_with_a_password() {
    work(&Place::with_passwords(Front::Nginx));
}

#[test]
#[ignore = "needs nginx, curl, skopeo, podman and umoci: run cargo xtask test"]
fn the_others_work_with_tokens() {
    work(&Place::with_tokens(Front::Nginx));
}

#[test]
#[ignore = "needs curl, skopeo, podman and umoci: run cargo xtask test"]
fn the_others_work_with_a_password_at_a_registry_that_ends_tls() {
    work(&Place::with_passwords(Front::Registry));
}

#[test]
#[ignore = "needs curl, skopeo, podman and umoci: run cargo xtask test"]
fn the_others_work_with_tokens_at_a_registry_that_ends_tls() {
    work(&Place::with_tokens(Front::Registry));
}
