//! Tags that are about a manifest: signatures, attestations, bills of materials, and lists of referrers.

use oci::{Algorithm, Tag};

/// How cosign ends the tags that it makes.
const ENDS: [&str; 4] = ["", ".sig", ".att", ".sbom"];

/// The name that a tag has in common with all that follow the same manifest; none: it follows nothing.
pub(super) fn stem(tag: &Tag) -> Option<&str> {
    let text = tag.as_str();
    let stem = ENDS.iter().rev().find_map(|end| text.strip_suffix(end))?;
    let (algorithm, hex) = stem.split_once('-')?;
    let is_hex = hex.len() == 64 && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let is_known = Algorithm::ALL.iter().any(|known| known.as_str() == algorithm);
    (is_hex && is_known).then_some(stem)
}

#[cfg(test)]
mod tests {
    use oci::Digest;

    use super::*;

    #[test]
    fn a_tag_follows_the_manifest_whose_digest_it_has() {
        let one = Digest::of(Algorithm::Sha256, b"a");
        let long = Digest::of(Algorithm::Sha512, b"a");
        for end in ENDS {
            let tag: Tag = format!("sha256-{}{end}", one.to_hex()).parse().unwrap();
            assert_eq!(stem(&tag), Some(&*format!("sha256-{}", one.to_hex())));
        }
        assert_eq!(stem(&Tag::of_referrers(&long)), Some(Tag::of_referrers(&long).as_str()));
        for none in ["latest", "sha256-abc", "v1.sig", "sha1-a"] {
            assert_eq!(stem(&none.parse().unwrap()), None, "{none}");
        }
        let odd = format!("sha256-{}.txt", one.to_hex());
        assert_eq!(stem(&odd.parse().unwrap()), None);
    }
}
