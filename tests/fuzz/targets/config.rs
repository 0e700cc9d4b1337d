//! No `config.yml` and no variable makes the loader panic, and what it says of them is short and names a key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::Config;

/// A problem may quote the file, but never much of it.
const MAX_MESSAGE_BYTES: usize = 4_000;

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, name, value) = input;
    let variables = [(format!("REGISTRY_{name}"), value.to_owned())];
    for variables in [&[][..], &variables] {
        match Config::parse(text, variables) {
            Ok(parsed) => parsed.warnings.iter().for_each(|warning| check(&warning.to_string())),
            Err(invalid) => {
                assert!(!invalid.problems.is_empty());
                invalid.problems.iter().for_each(|problem| check(&problem.to_string()));
            }
        }
    }
});

fn check(message: &str) {
    assert!(!message.is_empty());
    assert!(message.len() < MAX_MESSAGE_BYTES, "{message}");
}
