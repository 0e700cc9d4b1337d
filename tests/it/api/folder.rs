//! The folder: after a push it is Distribution's, file by file and byte by byte.

use super::fixture::{Entry, Image, Registry};
use crate::support::http::sha256;

/// 2.8 (registry/storage/paths.go).
#[test]
fn after_a_push_the_folder_is_distribution_s() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("app");
    image.push(&mut client, "group/app", "v1");
    let digests = [sha256(&image.config), sha256(&image.layer), image.digest()];
    let [config, layer, manifest] = digests.map(|digest| digest.to_hex());
    let mut files: Vec<_> = [&config, &layer, &manifest]
        .map(|hex| format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
        .into_iter()
        .chain(
            [&config, &layer]
                .map(|hex| format!("repositories/group/app/_layers/sha256/{hex}/link")),
        )
        .chain([
            format!("repositories/group/app/_manifests/revisions/sha256/{manifest}/link"),
            "repositories/group/app/_manifests/tags/v1/current/link".to_owned(),
            format!("repositories/group/app/_manifests/tags/v1/index/sha256/{manifest}/link"),
        ])
        .map(|path| format!("docker/registry/v2/{path}"))
        .collect();
    files.sort();
    let tree = registry.tree();
    let found: Vec<_> =
        tree.iter().filter(|(_, entry)| **entry != Entry::Folder).map(|(path, _)| path).collect();
    assert_eq!(found, files.iter().collect::<Vec<_>>());
    let folders = tree.iter().filter(|(_, entry)| **entry == Entry::Folder).map(|(path, _)| path);
    // One folder is ours: Distribution does not look at it, and between writes it holds no file.
    let stages = "docker/registry/v2/regctl";
    for folder in folders.filter(|folder| !folder.starts_with(stages)) {
        let leads_to_a_file = files.iter().any(|file| file.starts_with(&format!("{folder}/")));
        assert!(leads_to_a_file || folder.ends_with("/_uploads"), "{folder}");
    }
}

/// 2.8 (registry/storage/linkedblobstore.go): a link holds the digest and nothing else.
#[test]
fn a_link_is_71_bytes_without_a_line_break() {
    let registry = Registry::start();
    let image = Image::of("app");
    image.push(&mut registry.client(), "group/app", "v1");
    let tree = registry.tree();
    let links: Vec<_> = tree.iter().filter(|(path, _)| path.ends_with("/link")).collect();
    assert_eq!(links.len(), 5);
    for (path, entry) in links {
        let Entry::File(bytes) = entry else { panic!("{path} is a folder") };
        let text = std::str::from_utf8(bytes).unwrap();
        assert_eq!(text.len(), 71, "{path}: {text:?}");
        // The path says which digest it is, but for the tag's own link.
        let hex = path.rsplit('/').nth(1).unwrap();
        let wanted = if hex == "current" { image.digest().to_hex() } else { hex.to_owned() };
        assert_eq!(text, format!("sha256:{wanted}"), "{path}");
    }
}
