//! Random stores: the plan is the oracle's.

use oci::{Algorithm, Digest, Referred, Tag};
use proptest::{collection::vec, prelude::*};

use super::{
    invented::{self, Body, Holds, World},
    oracle,
};
use crate::collect::Untagged;

/// So few that everything meets everything.
const BLOBS: usize = 8;
const MANIFESTS: usize = 8;
const NAMES: [&str; 3] = ["aa", "mm/nn", "zz"];

/// Something is a blob, a manifest, or not there at all.
fn pool(number: usize) -> Digest {
    let algorithm = if number % 5 == 4 { Algorithm::Sha512 } else { Algorithm::Sha256 };
    Digest::of(algorithm, &number.to_le_bytes())
}

fn any_blob() -> impl Strategy<Value = Digest> {
    (0..BLOBS).prop_map(pool)
}

fn any_manifest() -> impl Strategy<Value = Digest> {
    (BLOBS..BLOBS + MANIFESTS).prop_map(pool)
}

fn any_digest() -> impl Strategy<Value = Digest> {
    prop_oneof![8 => any_blob(), 8 => any_manifest(), 1 => Just(pool(999))]
}

fn any_body() -> impl Strategy<Value = Body> {
    let referred = (
        vec(prop_oneof![5 => any_manifest(), 1 => any_digest()], 0..3),
        vec(prop_oneof![9 => any_blob(), 1 => any_digest()], 0..4),
        prop::option::weighted(0.3, any_digest()),
    );
    let good = referred.prop_map(|(children, blobs, subject)| {
        let is_index = !children.is_empty();
        Body::Good(Referred { children, blobs, subject, is_index })
    });
    prop_oneof![20 => good, 1 => Just(Body::Broken)]
}

fn any_link() -> impl Strategy<Value = Holds> {
    prop_oneof![
        30 => any_manifest().prop_map(Holds::Digest),
        2 => any_digest().prop_map(Holds::Digest),
        2 => Just(Holds::Nothing),
        1 => Just(Holds::Garbage),
    ]
}

/// Plain tags, and tags of referrers.
fn any_tag() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-d]",
        1 => (BLOBS..BLOBS + MANIFESTS)
            .prop_map(pool)
            .prop_filter("named whole by its tag", |it| it.algorithm() == Algorithm::Sha256)
            .prop_map(|subject| Tag::of_referrers(&subject).to_string()),
        1 => Just("sha256-1234.sig".to_owned()),
    ]
}

fn any_repository() -> impl Strategy<Value = invented::Repository> {
    let revision = any_manifest().prop_flat_map(|own| {
        let link = prop_oneof![
            20 => Just(Holds::Digest(own)), 3 => Just(Holds::Nothing), 1 => Just(Holds::Garbage),
        ];
        (Just(own), link)
    });
    let parts = (vec(any_digest(), 0..8), vec(revision, 0..6), vec((any_tag(), any_link()), 0..3));
    parts.prop_map(|(layers, revisions, tags)| invented::Repository {
        layers: layers.into_iter().collect(),
        revisions: revisions.into_iter().collect(),
        tags: tags.into_iter().collect(),
    })
}

fn any_world() -> impl Strategy<Value = World> {
    let manifests = vec(prop::option::weighted(0.9, any_body()), MANIFESTS);
    let repositories = vec(any_repository(), NAMES.len());
    (vec(any_blob(), 0..2 * BLOBS), manifests, repositories).prop_map(
        |(blobs, manifests, repositories)| World {
            blobs: blobs.into_iter().collect(),
            manifests: manifests
                .into_iter()
                .enumerate()
                .filter_map(|(number, body)| Some((pool(BLOBS + number), body?)))
                .collect(),
            repositories: NAMES.map(str::to_owned).into_iter().zip(repositories).collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_plan_is_the_oracle_s(world in any_world()) {
        for untagged in [Untagged::Keep, Untagged::Remove] {
            let plan = invented::gone(&world.plan(untagged));
            prop_assert_eq!(plan, oracle::gone(&world, untagged), "{:?}", untagged);
        }
    }

    #[test]
    fn with_untagged_manifests_kept_no_less_is_needed(world in any_world()) {
        let keep = invented::gone(&world.plan(Untagged::Keep));
        let remove = invented::gone(&world.plan(Untagged::Remove));
        prop_assert!(keep.blobs.is_subset(&remove.blobs));
        prop_assert!(keep.layers.is_subset(&remove.layers));
        prop_assert!(keep.revisions.is_empty() && keep.tags.is_empty());
    }
}
