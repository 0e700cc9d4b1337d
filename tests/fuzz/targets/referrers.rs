//! An index of referrers that somebody else wrote: what is read is written again with nothing lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::Referrers;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut referrers) = Referrers::from_stored(bytes) else { return };
    let written = referrers.to_bytes();
    assert_eq!(Referrers::from_stored(&written).as_ref(), Ok(&referrers));
    let digests: Vec<_> = referrers.by_digest().into_iter().map(|(digest, _)| *digest).collect();
    assert!(digests.is_sorted());
    for digest in &digests {
        assert!(referrers.remove(digest) && !referrers.remove(digest));
    }
    assert!(referrers.by_digest().is_empty());
});
