//! `_state` of an upload: what is signed is read back, and nothing else is believed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::parse::{Signer, State};

fuzz_target!(|input: (&str, &str, u64)| {
    let (text, name, offset) = input;
    let signer = Signer::new(b"secret");
    assert!(signer.verify(text).is_err());
    // What this registry signs is short; longer than any name is not signed here.
    let name: String = name.chars().take(64).collect();
    let state = State { name, uuid: String::new(), offset, started_at: String::new() };
    let signed = signer.sign(&state);
    if let Ok(read) = signer.verify(&signed) {
        assert_eq!(read, state);
    }
    assert!(Signer::new(b"another").verify(&signed).is_err());
});
