//! Any string either fails to parse or displays as itself: names, tags, references and digests.

#![no_main]

use std::{fmt::Display, str::FromStr};

use libfuzzer_sys::fuzz_target;
use oci::{Digest, ManifestType, Reference, RepositoryName, Tag};

/// An error may quote the text, but never much of it.
const MAX_MESSAGE_BYTES: usize = 1_000;

fuzz_target!(|text: &str| {
    check::<RepositoryName>(text);
    check::<Tag>(text);
    check::<Reference>(text);
    check::<Digest>(text);
    check_path(text);
    if let Some(kind) = ManifestType::from_media_type(text) {
        assert_eq!(ManifestType::from_media_type(kind.as_str()), Some(kind));
    }
});

fn check<T: FromStr<Err: Display> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(parsed) => assert_eq!(parsed.to_string(), text),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < MAX_MESSAGE_BYTES, "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}

/// Names become folders, so none may lead out of its own.
fn check_path(text: &str) {
    let Ok(name) = text.parse::<RepositoryName>() else { return };
    assert!(name.components().all(|part| !part.is_empty() && !part.starts_with(['.', '_', '-'])));
}
