//! What a client can read, as its `Accept` says.
//!
//! Without schema 1 it matters in one case only. A Docker manifest list that is pulled by tag, by a client
//! that names Docker's image manifest and no list, is answered with the image for linux/amd64: so
//! Distribution has always answered the Docker clients that know no lists. Whatever else is asked for is
//! served as it was pushed: a 404 for something that is there helps nobody.

use http::{HeaderMap, header::ACCEPT};
use oci::{Digest, Manifest, ManifestType};

/// The manifest to serve instead of a list that was found under a tag.
pub(super) fn instead(headers: &HeaderMap, kind: ManifestType, bytes: &[u8]) -> Option<Digest> {
    if kind != ManifestType::DockerList || reads_lists(headers) {
        return None;
    }
    of_common_platform(bytes)
}

/// The manifest of a list that is for the platform of clients that know no lists.
pub(super) fn of_common_platform(list: &[u8]) -> Option<Digest> {
    let list = Manifest::from_stored(list).ok()?;
    let is_common =
        |platform: &oci::Platform| platform.architecture == "amd64" && platform.os == "linux";
    let child = list.manifests.iter().find(|child| child.platform.as_ref().is_some_and(is_common));
    child.map(|child| child.digest)
}

/// Whether a list is welcome: it is named, or so is everything, or nothing that stands for it is.
pub(super) fn reads_lists(headers: &HeaderMap) -> bool {
    let mut names_image = false;
    for value in headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
        for range in value.split(',') {
            let name = range.split(';').next().unwrap_or_default().trim();
            match ManifestType::from_media_type(name) {
                Some(ManifestType::DockerList) => return true,
                Some(ManifestType::DockerManifest) => names_image = true,
                _ if matches!(name, "*/*" | "application/*") => return true,
                Some(_) | None => {}
            }
        }
    }
    !names_image
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_that_names_the_image_alone_reads_no_lists() {
        let (image, list) = (ManifestType::DockerManifest, ManifestType::DockerList);
        let oci = ManifestType::OciManifest;
        for (accept, reads) in [
            (vec![], true),
            (vec!["*/*".to_owned()], true),
            (vec!["text/html".to_owned()], true),
            (vec![oci.to_string()], true),
            (vec![image.to_string()], false),
            (vec![format!("{image};q=0.5, {oci}")], false),
            (vec![format!("{image}, {list};q=0.1")], true),
            (vec![image.to_string(), list.to_string()], true),
            (vec![image.to_string(), "application/*".to_owned()], true),
        ] {
            let mut headers = HeaderMap::new();
            for value in &accept {
                headers.append(ACCEPT, HeaderValue::try_from(value).unwrap());
            }
            assert_eq!(reads_lists(&headers), reads, "{accept:?}");
        }
    }
}
