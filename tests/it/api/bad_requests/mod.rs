//! Requests that no good client sends, each with its one right answer.
//!
//! A [`Row`] is a sentence that is true, the request, the answer, and who says so. After each row
//! the registry must be well and its folder as it was. What Debian's Distribution 2.8.2 answers
//! stands beside it: `Same`, or what it does instead; a test of its own asks it.

mod blobs;
mod bodies;
mod digests;
mod documents;
mod manifests;
mod names;
mod pages;
mod protocol;
mod refused_methods;
mod row;
mod run;
mod uploads;

use std::collections::BTreeSet;

use row::{Peer, Row};
use run::{ask_distribution, check};
use serde_json::json;

use super::fixture::Registry;

/// Every row that is sent to a registry which takes writes and deletes.
fn tables() -> Vec<Row> {
    let tables = [
        names::rows,
        digests::rows,
        blobs::rows,
        uploads::rows,
        manifests::rows,
        documents::rows,
        pages::rows,
        protocol::rows,
        refused_methods::rows,
    ];
    tables.iter().flat_map(|rows| rows()).collect()
}

#[test]
fn bad_names_are_refused() {
    check(&Registry::start(), &names::rows());
}

#[test]
fn bad_tags_and_digests_are_refused() {
    check(&Registry::start(), &digests::rows());
}

#[test]
fn bad_ranges_and_unknown_blobs_are_told_apart() {
    check(&Registry::start(), &blobs::rows());
}

#[test]
fn uploads_that_are_not_the_client_s_or_do_not_fit_are_refused() {
    check(&Registry::start(), &uploads::rows());
}

#[test]
fn manifests_of_the_wrong_kind_are_refused() {
    check(&Registry::start(), &manifests::rows());
}

#[test]
fn documents_that_are_no_manifests_are_refused() {
    check(&Registry::start(), &documents::rows());
}

#[test]
fn pages_that_nothing_can_have_are_refused() {
    check(&Registry::start(), &pages::rows());
}

#[test]
fn absurd_requests_do_no_harm() {
    check(&Registry::start(), &protocol::rows());
}

#[test]
fn methods_that_a_resource_lacks_are_refused() {
    check(&Registry::start(), &refused_methods::rows());
}

#[test]
fn with_deletes_disabled_every_delete_is_refused() {
    let settings = json!({ "storage": { "delete": { "enabled": false } } });
    check(&Registry::with(&settings), &refused_methods::with_deletes_disabled());
}

#[test]
fn a_read_only_registry_refuses_every_write() {
    refused_methods::check_read_only();
}

#[test]
fn each_row_has_a_name_of_its_own_and_a_source_and_is_asked_of_both() {
    let rows = tables();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for row in &rows {
        assert!(!row.source.is_empty(), "{}", row.name);
        if let Peer::NotAsked(why) = row.peer {
            assert!(!why.is_empty(), "{}", row.name);
        }
    }
    let asked = rows.iter().filter(|row| !matches!(row.peer, Peer::NotAsked(_)));
    assert_eq!(asked.count(), rows.len() - 2);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn distribution_answers_as_the_tables_say() {
    ask_distribution(&tables());
}
