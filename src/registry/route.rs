//! Which resource a path names.
//!
//! Repository names hold slashes, so a path is read from its end: `/v2/<name>/manifests/<reference>`.
//! Names, tags, digests and upload ids become types here; behind this door nothing is checked again.

use std::{borrow::Cow, str::FromStr};

use oci::{Digest, DigestError, NameError, Reference, RepositoryName, Tag, TagError};
use percent_encoding::percent_decode_str;

use crate::content::UploadId;

/// A resource of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    /// `/`: says nothing, but says it with 200, as Distribution.
    Root,
    /// `/v2/`: the version check.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/<name>/tags/list`.
    Tags(RepositoryName),
    /// `/v2/<name>/tags/reference/<tag>`: where GitLab deleted tags until 2023.
    Tag(RepositoryName, Tag),
    /// `/v2/<name>/referrers/<digest>`.
    Referrers(RepositoryName, Digest),
    /// `/v2/<name>/manifests/<reference>`.
    Manifest(RepositoryName, Reference),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(RepositoryName, Digest),
    /// `/v2/<name>/blobs/uploads/`.
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<id>`.
    Upload(RepositoryName, UploadId),
    /// A path that lacks its last slash.
    Redirect(String),
}

/// Why a path names no resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NoRoute {
    /// There is nothing of this form.
    Unknown,
    Name(String, NameError),
    Digest(String, DigestError),
    /// A reference that is neither tag nor digest. Reading one finds nothing; writing one is refused.
    Tag(RepositoryName, String, TagError),
    /// An id that no session can have.
    Upload(String),
}

/// Reads a path below `prefix`, which begins and ends with a slash.
pub(crate) fn parse(prefix: &str, path: &str) -> Result<Route, NoRoute> {
    let decoded = if path.contains('%') {
        percent_decode_str(path).decode_utf8().map_err(|_| NoRoute::Unknown)?
    } else {
        Cow::Borrowed(path)
    };
    let rest = decoded.strip_prefix(prefix).ok_or(NoRoute::Unknown)?;
    match rest {
        "" => return Ok(Route::Root),
        "v2" => return Ok(Route::Redirect(format!("{prefix}v2/"))),
        "v2/" => return Ok(Route::Base),
        "v2/_catalog" => return Ok(Route::Catalog),
        _ => {}
    }
    repository(prefix, rest.strip_prefix("v2/").ok_or(NoRoute::Unknown)?)
}

/// Reads `<name>/…`.
fn repository(prefix: &str, rest: &str) -> Result<Route, NoRoute> {
    if let Some(above) = rest.strip_suffix("/blobs/uploads/") {
        return Ok(Route::Uploads(name(above)?));
    }
    if let Some(above) = rest.strip_suffix("/tags/list") {
        return Ok(Route::Tags(name(above)?));
    }
    let (above, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
    if let Some(above) = above.strip_suffix("/manifests") {
        return manifest(name(above)?, last);
    }
    if let Some(above) = above.strip_suffix("/tags/reference") {
        let repository = name(above)?;
        return match Tag::from_str(last) {
            Ok(tag) => Ok(Route::Tag(repository, tag)),
            Err(error) => Err(NoRoute::Tag(repository, last.to_owned(), error)),
        };
    }
    if let Some(above) = above.strip_suffix("/referrers") {
        return Ok(Route::Referrers(name(above)?, digest(last)?));
    }
    if let Some(above) = above.strip_suffix("/blobs/uploads") {
        let repository = name(above)?;
        let id = last.parse().map_err(|_| NoRoute::Upload(last.to_owned()))?;
        return Ok(Route::Upload(repository, id));
    }
    if let Some(above) = above.strip_suffix("/blobs") {
        let repository = name(above)?;
        if last == "uploads" {
            return Ok(Route::Redirect(format!("{prefix}v2/{repository}/blobs/uploads/")));
        }
        return Ok(Route::Blob(repository, digest(last)?));
    }
    Err(NoRoute::Unknown)
}

fn manifest(repository: RepositoryName, reference: &str) -> Result<Route, NoRoute> {
    let reference = if reference.contains(':') {
        Reference::Digest(digest(reference)?)
    } else {
        match Tag::from_str(reference) {
            Ok(tag) => Reference::Tag(tag),
            Err(error) => return Err(NoRoute::Tag(repository, reference.to_owned(), error)),
        }
    };
    Ok(Route::Manifest(repository, reference))
}

fn digest(text: &str) -> Result<Digest, NoRoute> {
    text.parse().map_err(|error| NoRoute::Digest(text.to_owned(), error))
}

fn name(text: &str) -> Result<RepositoryName, NoRoute> {
    text.parse().map_err(|error| NoRoute::Name(text.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn repository(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn each_form_of_the_spec_is_a_route() {
        let id = "0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5";
        let rows = [
            ("/", Route::Root),
            ("/v2/", Route::Base),
            ("/v2", Route::Redirect("/v2/".to_owned())),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/a/b/tags/list", Route::Tags(repository("a/b"))),
            (
                "/v2/a/manifests/v1",
                Route::Manifest(repository("a"), Reference::Tag("v1".parse().unwrap())),
            ),
            (
                &format!("/v2/a/manifests/{DIGEST}"),
                Route::Manifest(repository("a"), Reference::Digest(DIGEST.parse().unwrap())),
            ),
            (
                &format!("/v2/a/blobs/{}", DIGEST.replace(':', "%3A")),
                Route::Blob(repository("a"), DIGEST.parse().unwrap()),
            ),
            (
                &format!("/v2/a/b/referrers/{DIGEST}"),
                Route::Referrers(repository("a/b"), DIGEST.parse().unwrap()),
            ),
            ("/v2/a/b/tags/reference/v1", Route::Tag(repository("a/b"), "v1".parse().unwrap())),
            ("/v2/a/blobs/uploads/", Route::Uploads(repository("a"))),
            ("/v2/a/blobs/uploads", Route::Redirect("/v2/a/blobs/uploads/".to_owned())),
            (
                &format!("/v2/a/blobs/uploads/{id}"),
                Route::Upload(repository("a"), id.parse().unwrap()),
            ),
        ];
        for (path, route) in rows {
            assert_eq!(parse("/", path), Ok(route), "{path}");
        }
    }

    #[test]
    fn a_name_may_hold_the_words_of_the_api() {
        let route = parse("/", "/v2/tags/list/blobs/manifests/manifests/v1");
        let tag = Reference::Tag("v1".parse().unwrap());
        assert_eq!(route, Ok(Route::Manifest(repository("tags/list/blobs/manifests"), tag)));
    }

    #[test]
    fn a_prefix_is_part_of_every_path() {
        assert_eq!(parse("/hub/", "/hub/v2/"), Ok(Route::Base));
        assert_eq!(parse("/hub/", "/hub/v2"), Ok(Route::Redirect("/hub/v2/".to_owned())));
        assert_eq!(parse("/hub/", "/v2/"), Err(NoRoute::Unknown));
    }

    #[test]
    fn what_is_no_resource_says_why() {
        assert_eq!(parse("/", "/v3/"), Err(NoRoute::Unknown));
        assert_eq!(parse("/", "/v2/a/unknown/b"), Err(NoRoute::Unknown));
        assert!(matches!(parse("/", "/v2/../tags/list"), Err(NoRoute::Name(..))));
        assert!(matches!(parse("/", "/v2/%2e%2e%2fetc/tags/list"), Err(NoRoute::Name(..))));
        assert!(matches!(parse("/", "/v2/a/blobs/sha256:xx"), Err(NoRoute::Digest(..))));
        assert!(matches!(parse("/", "/v2/a/referrers/sha256:xx"), Err(NoRoute::Digest(..))));
        assert!(matches!(parse("/", "/v2/a/referrers/v1"), Err(NoRoute::Digest(..))));
        assert!(matches!(parse("/", "/v2/a/manifests/.x"), Err(NoRoute::Tag(..))));
        assert!(matches!(parse("/", "/v2/a/tags/reference/.x"), Err(NoRoute::Tag(..))));
        assert!(matches!(parse("/", "/v2/a/blobs/uploads/x"), Err(NoRoute::Upload(..))));
    }

    proptest! {
        #[test]
        fn no_path_panics(path: String) {
            let _ = parse("/", &format!("/v2/{path}"));
        }
    }
}
