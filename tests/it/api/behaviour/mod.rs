//! What clients do and see, step by step: what this registry and Distribution 2.8.2 do alike, and where one of them
//! does something else, and why. Each table is sent to both. A row's source is a section of OCI 1.1 or of an RFC, `2.8`
//! for what Distribution does and no specification says, or `accept more`, the decision in `src/README.md`.

mod blobs;
mod lists;
mod manifests;
mod settings;
mod uploads;
mod urls;

use super::{
    fixture::Registry,
    table::{Row, Words, ask_ours, ask_theirs},
};
use crate::support::{Peer, http::Client};

type Table = (&'static [Row], fn(&mut Client) -> Words);

const TABLES: [Table; 5] = [
    (uploads::ROWS, uploads::prepare),
    (blobs::ROWS, blobs::prepare),
    (manifests::ROWS, manifests::prepare),
    (lists::ROWS, lists::prepare),
    (urls::ROWS, urls::prepare),
];

fn ask_both((rows, prepare): Table) {
    ask_ours(&Registry::start(), rows, prepare);
    let storage = tempfile::tempdir().unwrap();
    ask_theirs(&Peer::start(storage.path()), rows, prepare);
}

#[test]
fn this_registry_answers_as_the_tables_say() {
    for (rows, prepare) in TABLES {
        ask_ours(&Registry::start(), rows, prepare);
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn uploads_go_alike_but_where_a_row_says_why_not() {
    ask_both(TABLES[0]);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn blobs_are_served_alike_but_where_a_row_says_why_not() {
    ask_both(TABLES[1]);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn manifests_are_served_alike_but_where_a_row_says_why_not() {
    ask_both(TABLES[2]);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn lists_are_alike_but_where_a_row_says_why_not() {
    ask_both(TABLES[3]);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn urls_and_headers_are_alike_but_where_a_row_says_why_not() {
    ask_both(TABLES[4]);
}
