//! No bytes make a reader of Docker's schema 1 panic; what it refuses it names in short, and what it stores or converts can be
//! signed, pushed again and is then the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use registry::parse::Schema1;

const MAX_MESSAGE_BYTES: usize = 2_000;

static SCHEMA1: LazyLock<Schema1> = LazyLock::new(Schema1::default);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = read(bytes) {
        check(&payload);
    }
    if let Some(document) = SCHEMA1.signed(bytes) {
        // Bytes that are no manifest are refused still; a signature takes nothing away and adds nothing.
        if let Ok(payload) = read(&document) {
            assert_eq!(payload, bytes);
        }
    }
    for layers in 0..4 {
        if let Some(payload) = SCHEMA1.converted(bytes, layers) {
            check(&payload);
        }
    }
});

fn check(payload: &[u8]) {
    let document = SCHEMA1.signed(payload).expect("a manifest can be signed");
    assert_eq!(read(&document).as_deref(), Ok(payload));
}

fn read(document: &[u8]) -> Result<Vec<u8>, String> {
    let read = SCHEMA1.payload(document);
    if let Err(refused) = &read {
        assert!(refused.len() < MAX_MESSAGE_BYTES, "{refused}");
    }
    read.map(|payload| payload.to_vec())
}
