//! No bytes make a manifest panic, and what a push accepts is read back from storage as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{Manifest, ManifestError, ManifestType};

/// An error may quote the document, but never much of it.
const MAX_MESSAGE_BYTES: usize = 2_000;

fuzz_target!(|bytes: &[u8]| {
    let stored = Manifest::from_stored(bytes);
    check_message(&stored);
    if let Ok(manifest) = &stored {
        assert_eq!(Manifest::sniff(bytes), Ok(manifest.kind));
    }
    let declared = ManifestType::ACCEPTED.map(|kind| Some(kind.as_str()));
    for declared in declared.into_iter().chain([None]) {
        let pushed = Manifest::parse(declared, bytes);
        check_message(&pushed);
        if pushed.is_ok() {
            assert_eq!(pushed, stored);
        }
    }
});

fn check_message(read: &Result<Manifest, ManifestError>) {
    match read {
        Ok(manifest) => {
            let listed = manifest.references().count();
            let config = usize::from(manifest.config.is_some());
            assert_eq!(listed, config + manifest.layers.len() + manifest.manifests.len());
        }
        Err(error) => assert!(error.to_string().len() < MAX_MESSAGE_BYTES, "{error}"),
    }
}
